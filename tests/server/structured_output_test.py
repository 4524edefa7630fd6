"""Answers that are held to schemas, as the openai package asks for them: at temperature 1 the demo model would leave them
often."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import openai
import pytest

PROMPTS = [
    "What is the weather in Oslo?", "What is 12 plus 30?", "Hello", "Who are you?", "Tell me a story.",
    "What is the capital of France?", "Is 725 larger than 406?", "Count from 1 to 9.", "My name is Leo.",
    "What time is it?", "Wake me at seven.", "Describe Mia, who is 58 and lives in Panama City, as JSON.",
    "What is the atomic number of lithium?", "Repeat: button book key", "Send a message to Ann.", "2 * 9",
    "Is it raining in Riga or in Yerevan?", "", "{\"city\": 1}", "<|tool_call>call:f{}",
]
WEATHER = {
    "type": "object",
    "required": ["city", "days"],
    "additionalProperties": False,
    "properties": {
        "city": {"type": "string", "maxLength": 30},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "details": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 10}},
    },
}
NOTE = {
    "type": "object",
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 20},
        "place": {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x"]},
        "done": {"type": "boolean"},
    },
}
PERSON = {
    "type": "object",
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "maxItems": 3, "items": {"enum": ["new", "old", "blue"]}},
        "home": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[A-Z][a-z]{1,9}$"}]},
    },
}
SCHEMAS = {"get_weather": WEATHER, "write_note": NOTE}
TOOLS = [{"type": "function", "function": {"name": n, "description": n, "parameters": s}} for n, s in SCHEMAS.items()]


@pytest.fixture(scope="session")
def client(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=300)


@pytest.fixture(scope="session")
def model(client: openai.OpenAI) -> str:
    return client.models.list().data[0].id


def ask(client: openai.OpenAI, model: str, seed: int, **options: Any) -> Any:
    messages = [{"role": "user", "content": PROMPTS[seed % len(PROMPTS)]}]
    options = {"temperature": 1, "seed": seed, "max_tokens": 400, **options}
    return client.chat.completions.create(model=model, messages=messages, **options)


def check_call(call: Any, names: list[str]) -> None:
    assert call.function.name in names
    jsonschema.validate(json.loads(call.function.arguments), SCHEMAS[call.function.name])


@pytest.mark.parametrize("seed", range(len(PROMPTS)))
def test_required_and_named_calls_follow_their_schemas(client: openai.OpenAI, model: str, seed: int) -> None:
    required = ask(client, model, seed, tools=TOOLS, tool_choice="required").choices[0]
    assert required.finish_reason in ("tool_calls", "length")
    assert required.message.tool_calls and not required.message.content
    complete = required.message.tool_calls[: None if required.finish_reason == "tool_calls" else -1]
    for call in complete:
        check_call(call, list(SCHEMAS))
    json.loads(required.message.tool_calls[-1].function.arguments)

    choice = {"type": "function", "function": {"name": "get_weather"}}
    named = ask(client, model, seed, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False).choices[0]
    assert named.finish_reason == "stop"
    assert len(named.message.tool_calls) == 1
    check_call(named.message.tool_calls[0], ["get_weather"])


@pytest.mark.parametrize("seed", range(len(PROMPTS)))
def test_documents_validate(client: openai.OpenAI, model: str, seed: int) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    choice = ask(client, model, seed, response_format=form).choices[0]
    assert choice.finish_reason == "stop"
    jsonschema.validate(json.loads(choice.message.content), PERSON)


def test_thoughts_come_before_documents(client: openai.OpenAI, model: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    thoughts = 0
    for seed in range(6):
        choice = ask(client, model, seed, response_format=form, reasoning_effort="high",
                     extra_body={"thinking_budget_tokens": 40}).choices[0]
        assert choice.finish_reason == "stop"
        jsonschema.validate(json.loads(choice.message.content), PERSON)
        thoughts += bool(getattr(choice.message, "reasoning_content", None))
    assert thoughts > 0


def test_a_budget_ends_thoughts(client: openai.OpenAI, model: str) -> None:
    usual = ask(client, model, 5, reasoning_effort="high", temperature=0).choices[0].message
    short = ask(client, model, 5, reasoning_effort="high", temperature=0,
                extra_body={"thinking_budget_tokens": 4}).choices[0].message
    assert short.content
    assert len(getattr(short, "reasoning_content", "") or "") <= len(usual.reasoning_content)


def test_calls_left_to_the_model_are_held_once_they_begin(client: openai.OpenAI, model: str) -> None:
    for seed in range(8):
        choice = ask(client, model, seed, tools=TOOLS).choices[0]
        calls = choice.message.tool_calls or []
        for call in calls[: None if choice.finish_reason != "length" else -1]:
            check_call(call, list(SCHEMAS))


def test_streamed_arguments_are_the_whole_ones(client: openai.OpenAI, model: str) -> None:
    options = {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False}
    whole = ask(client, model, 3, **options).choices[0].message.tool_calls[0].function
    chunks = [c.choices[0] for c in ask(client, model, 3, stream=True, **options)]
    deltas = [call for chunk in chunks for call in chunk.delta.tool_calls or []]
    assert deltas[0].function.name == whole.name
    assert "".join(d.function.arguments or "" for d in deltas) == whole.arguments
    assert len(deltas) > 2


def test_regular_expressions_choices_and_grammars(client: openai.OpenAI, model: str) -> None:
    for seed in range(4):
        for body, pattern in [
            ({"guided_regex": "[A-Z]{3}-[0-9]{2}"}, "[A-Z]{3}-[0-9]{2}"),
            ({"structured_outputs": {"choice": ["red", "green"]}}, "red|green"),
            ({"grammar": 'root ::= "<" [a-c]+ ">"'}, "<[a-c]+>"),
            ({"response_format": {"type": "json_object"}}, r"\{.*\}"),
        ]:
            choice = ask(client, model, seed, extra_body=body, max_tokens=120).choices[0]
            if choice.finish_reason == "stop":
                assert re.fullmatch(pattern, choice.message.content, re.S), (body, choice.message.content)
    text = client.completions.create(model=model, prompt="Colour:", temperature=1, seed=1, max_tokens=20,
                                     extra_body={"guided_choice": ["red", "green"]})
    assert text.choices[0].text in ("red", "green")


def test_what_cannot_be_followed_is_refused(client: openai.OpenAI, model: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"not": {}}}}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, model, 0, response_format=form)
    assert refused.value.param == "response_format.json_schema.schema"
