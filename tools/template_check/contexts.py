"""Conversations that chat templates are compared on."""

from __future__ import annotations

import copy
import itertools
from typing import Any

SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": 'Search the web for "pages" & <things>.',
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What to look for"},
                "limit": {"type": "integer", "default": 10, "minimum": 1},
                "lang": {"type": "string", "enum": ["en", "de"], "description": "Sprache, déjà vu"},
            },
            "required": ["query"],
        },
    },
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place\nin two lines",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {
                    "type": "object",
                    "description": "The place",
                    "properties": {"city": {"type": "string"}, "zip": {"type": ["string", "null"]}},
                    "required": ["city"],
                },
                "days": {"type": "array", "items": {"type": "number"}, "description": "Days ahead"},
                "metric": {"type": "boolean", "description": "Celsius?"},
            },
            "required": ["place", "days"],
        },
        "return": {"type": "string", "description": "A sentence"},
    },
}
BARE = {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}

FULL = {
    "type": "function",
    "function": {
        "name": "plan",
        "description": "Plans a trip",
        "parameters": {
            "type": "object",
            "properties": {
                "where": {"type": "string", "description": "Place", "additionalProperties": {}, "items": {"type": "string"}},
                "stops": {"type": "object", "description": "Stops", "additionalProperties": {"type": "number"}, "properties": {}},
                "who": {"anyOf": [{"type": "string"}, {"type": "null"}], "type": "array", "description": "", "additionalProperties": {}, "items": {"type": "integer"}},
            },
            "required": ["where"],
            "additionalProperties": False,
        },
    },
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any, **rest: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **rest}


def call(name: str, arguments: Any, call_id: str | None = "abcdefghi") -> dict[str, Any]:
    out: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    if call_id is not None:
        out["id"] = call_id
    return out


def tool(content: Any, **rest: Any) -> dict[str, Any]:
    return {"role": "tool", "content": content, **rest}


SYSTEM = {"role": "system", "content": "  You are a careful assistant.\nAnswer briefly.  "}
ARGS = {"query": "äpfel <b>\"x\"</b>", "limit": 3, "ratio": 0.5, "deep": {"a": [1, 2.0, None, True], "b": "é"}, "flag": False}

CONVERSATIONS: dict[str, list[dict[str, Any]]] = {
    "one user turn": [user("Hello!")],
    "white space": [user("  Hello \n there\t \n")],
    "system": [SYSTEM, user("Hi")],
    "developer": [{"role": "developer", "content": "Be kind."}, user("Hi")],
    "three turns": [SYSTEM, user("One"), assistant("Two"), user("Three <think>no</think>"), assistant("Four"), user("Five 🙂")],
    "ends with assistant": [user("One"), assistant("Two")],
    "content parts": [
        {"role": "system", "content": [{"type": "text", "text": "System part"}]},
        user([{"type": "text", "text": " First "}, {"type": "text", "text": "Second"}]),
        assistant([{"type": "text", "text": "Answer"}]),
        user([{"type": "text", "text": "Last"}]),
    ],
    "image part": [user([{"type": "image"}, {"type": "text", "text": "What is this?"}])],
    "image url": [user([{"type": "image_url", "image_url": {"url": "http://x/y.png"}}, {"type": "text", "text": "And?"}])],
    "think tags in content": [user("Q"), assistant("<think>\nhm\n</think>\n\nA"), user("Q2"), assistant("<think>x</think>B"), user("Q3")],
    "reasoning_content": [user("Q"), assistant("A", reasoning_content="because\nof it"), user("Q2"), assistant("B", reasoning_content="so"), user("Q3")],
    "reasoning last": [user("Q"), assistant("A", reasoning_content="because"), user("Q2"), assistant("B", reasoning_content="so")],
    "reasoning field": [user("Q"), assistant("A", reasoning="because"), user("Q2"), assistant("B", thinking="so")],
    "tool call, object arguments": [
        SYSTEM, user("Find apples"), assistant("", tool_calls=[call("search", ARGS)]),
        tool('{"hits": [1, 2]}', name="search", tool_call_id="abcdefghi"),
    ],
    "tool call, text arguments": [
        user("Find apples"), assistant(None, tool_calls=[call("search", '{"query": "apples", "limit": 2}')]),
        tool("found", tool_call_id="abcdefghi"),
    ],
    "tool call answered": [
        user("Find apples"), assistant("Let me look.", tool_calls=[call("search", ARGS)]),
        tool("found", name="search", tool_call_id="abcdefghi"), assistant("Here."), user("Thanks"),
    ],
    "two calls": [
        user("Weather?"),
        assistant("", reasoning_content="two calls", tool_calls=[
            call("get_weather", {"place": {"city": "Bonn"}, "days": [0, 1.5]}, "call00001"), call("now", {}, "call00002")]),
        tool("sunny", name="get_weather", tool_call_id="call00001"), tool('["12:00"]', name="now", tool_call_id="call00002"),
    ],
    "two rounds of calls": [
        SYSTEM, user("Go"), assistant("", tool_calls=[call("search", {"query": "a"}, "call00001")]),
        tool("r1", name="search", tool_call_id="call00001"),
        assistant("again", tool_calls=[call("search", {"query": "b"}, "call00002")]),
        tool("r2", name="search", tool_call_id="call00002"), assistant("done"), user("next"),
    ],
    "tool result parts": [
        user("Go"), assistant("", tool_calls=[call("search", {"query": "a"})]),
        tool([{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}], name="search", tool_call_id="abcdefghi"),
    ],
    "tool result object": [
        user("Go"), assistant("", tool_calls=[call("search", {"query": "a"})]),
        tool({"hits": [1, {"x": None}]}, name="search", tool_call_id="abcdefghi"),
    ],
    "calls without id": [user("Go"), assistant("", tool_calls=[call("search", {"query": "a"}, None)]), tool("r")],
    "no content key": [user("Go"), {"role": "assistant", "tool_calls": [call("search", {"query": "a"})]}, tool("r", tool_call_id="abcdefghi")],
    "null content": [user("Go"), assistant(None), user("On")],
    "empty content": [user(""), assistant(""), user("x")],
    "two user turns": [user("One"), user("Two")],
    "assistant first": [assistant("Hello, I am here"), user("Hi")],
    "system in the middle": [user("Hi"), {"role": "system", "content": "Now be rude."}, user("Hm")],
    "unknown role": [user("Hi"), {"role": "critic", "content": "Bad."}],
    "no role": [{"content": "Hi"}],
    "empty": [],
    "many": [user("Start")] + [m for i in range(6) for m in (assistant(f"a{i}"), user(f"u{i}"))],
}


def contexts() -> list[tuple[str, dict[str, Any]]]:
    """(name, variables): every conversation with tools on and off, thinking on and off, with and without a prompt."""
    out: list[tuple[str, dict[str, Any]]] = []
    base = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    variants = list(itertools.product([None, [SEARCH], [WEATHER, SEARCH, BARE]], [True, False], [None, True, False]))
    for name, messages in CONVERSATIONS.items():
        for tools, prompt, thinking in variants:
            context: dict[str, Any] = {**base, "messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt}
            if thinking is not None:
                context["enable_thinking"] = thinking
                context["thinking"] = thinking
            title = f"{name}, tools {len(tools) if tools else 0}, prompt {prompt}, thinking {thinking}"
            out.append((title, copy.deepcopy(context)))
    extras: list[tuple[str, dict[str, Any]]] = [
        ("only messages", {"messages": [user("Hi")]}),
        ("no tools key", {**base, "messages": CONVERSATIONS["tool call answered"], "add_generation_prompt": True}),
        ("documents", {**base, "messages": [user("Hi")], "documents": [{"title": "T", "text": "Text"}], "add_generation_prompt": True}),
        ("reasoning effort", {**base, "messages": [SYSTEM, user("Hi")], "reasoning_effort": "high", "add_generation_prompt": True, "tools": None}),
        ("date", {**base, "messages": [user("Hi")], "date_string": "1 Jan 2025", "add_generation_prompt": True, "tools": [SEARCH]}),
        ("builtin tools", {**base, "messages": [user("Hi")], "builtin_tools": ["browser", "python"], "tools": None, "add_generation_prompt": True}),
        ("tools in user message", {**base, "messages": [SYSTEM, user("Hi")], "tools": [SEARCH], "tools_in_user_message": False, "add_generation_prompt": True}),
        ("preserve thinking", {**base, "messages": CONVERSATIONS["reasoning_content"], "preserve_thinking": True, "tools": None, "add_generation_prompt": True}),
        ("functions", {**base, "messages": CONVERSATIONS["tool call answered"], "functions": "[{}]", "datetime": "2025-01-01", "add_generation_prompt": True}),
        ("functions, system", {**base, "messages": CONVERSATIONS["three turns"], "functions": [SEARCH["function"]], "datetime": "now", "add_generation_prompt": False}),
        ("a full schema", {**base, "messages": CONVERSATIONS["tool call answered"], "tools": [FULL], "add_generation_prompt": True}),
        ("a full schema, two rounds", {**base, "messages": CONVERSATIONS["two rounds of calls"], "tools": [FULL, FULL], "add_generation_prompt": False}),
        ("continue", {**base, "messages": CONVERSATIONS["ends with assistant"], "continue_final_message": True, "add_generation_prompt": False}),
    ]
    return out + extras
