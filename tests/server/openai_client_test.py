"""The server as its clients see it: the openai package and plain sockets against a real model."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

ROOT = Path(__file__).resolve().parents[2]
TRANSCRIPTS: list[dict[str, Any]] = json.loads((ROOT / "tests/goldens/demo_transcripts.json").read_text())


@pytest.fixture(scope="session")
def client(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="session")
def model(client: openai.OpenAI) -> str:
    return client.models.list().data[0].id


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def ask(client: openai.OpenAI, model: str, text: str, **options: Any) -> Any:
    options = {"temperature": 0, **options}
    return client.chat.completions.create(model=model, messages=user(text), **options)


def get_json(base_url: str, path: str) -> Any:
    with urllib.request.urlopen(base_url + path, timeout=30) as answer:
        return json.load(answer)


def test_models_tell_their_window(client: openai.OpenAI, model: str) -> None:
    entry = client.models.retrieve(model).model_dump()
    assert entry["object"] == "model"
    assert entry["max_model_len"] == entry["meta"]["n_ctx"] > 0


def test_plain_answer(client: openai.OpenAI, model: str) -> None:
    answer = ask(client, model, "What is the capital of France?")
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 22
    assert answer.usage.completion_tokens == 11
    assert answer.usage.total_tokens == 33


def test_streamed_answer_is_the_plain_one(client: openai.OpenAI, model: str) -> None:
    plain = ask(client, model, "Who are you?")
    chunks = list(ask(client, model, "Who are you?", stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == plain.choices[0].message.content
    assert len(chunks) > 4
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage == plain.usage
    assert len({c.id for c in chunks}) == 1


def test_conversation_of_several_turns(client: openai.OpenAI, model: str) -> None:
    messages = user("My name is Leo.")
    first = client.chat.completions.create(model=model, messages=messages, temperature=0)
    messages.append({"role": "assistant", "content": first.choices[0].message.content})
    messages += user("What is my name?")
    second = client.chat.completions.create(model=model, messages=messages, temperature=0)
    assert second.choices[0].message.content == "Your name is Leo."


def test_choices_and_seed(client: openai.OpenAI, model: str) -> None:
    options: dict[str, Any] = {"n": 3, "seed": 11, "temperature": 1.5, "max_tokens": 24}
    first = ask(client, model, "Tell me a story.", **options)
    again = ask(client, model, "Tell me a story.", **options)
    assert [c.index for c in first.choices] == [0, 1, 2]
    texts = [c.message.content for c in first.choices]
    assert texts == [c.message.content for c in again.choices]
    assert len(set(texts)) > 1, "three seeds gave one answer"


def test_logprobs(client: openai.OpenAI, model: str) -> None:
    answer = ask(client, model, "Hello", logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    text = b"".join(bytes(token.bytes) for token in content).decode()
    assert text == answer.choices[0].message.content
    for token in content:
        assert len(token.top_logprobs) == 3
        best = token.top_logprobs[0]
        assert token.logprob <= 0 and abs(best.logprob - token.logprob) < 1e-4 and best.token == token.token
        assert [t.logprob for t in token.top_logprobs] == sorted((t.logprob for t in token.top_logprobs), reverse=True)


def test_stop_strings(client: openai.OpenAI, model: str) -> None:
    whole = ask(client, model, "Count from 1 to 9.").choices[0].message.content
    assert "5, 6" in whole
    cut = ask(client, model, "Count from 1 to 9.", stop=["5, 6"])
    assert cut.choices[0].message.content == whole[: whole.index("5, 6")]
    assert cut.choices[0].finish_reason == "stop"
    streamed = ask(client, model, "Count from 1 to 9.", stop="5, 6", stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed) == cut.choices[0].message.content


def test_length(client: openai.OpenAI, model: str) -> None:
    answer = ask(client, model, "Count from 1 to 9.", max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_completions(client: openai.OpenAI, model: str) -> None:
    prompt = "<|turn>user\nHello<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
    answer = client.completions.create(model=model, prompt=[prompt, prompt], temperature=0, max_tokens=20, logprobs=1)
    assert [c.text for c in answer.choices] == ["Hello! How can I help you?"] * 2
    logprobs = answer.choices[0].logprobs
    assert "".join(logprobs.tokens) == answer.choices[0].text
    assert logprobs.text_offset[:2] == [0, len(logprobs.tokens[0])]
    streamed = client.completions.create(model=model, prompt=prompt, temperature=0, max_tokens=20, stream=True)
    assert "".join(c.choices[0].text for c in streamed if c.choices) == answer.choices[0].text


def test_errors_are_the_packages_own(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(client, "gpt-none", "Hello")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        ask(client, model, "Hello", temperature=-1)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, model, "word " * 20000)
    assert long.value.code == "context_length_exceeded"
    assert "maximum context length is" in long.value.message
    with pytest.raises(openai.BadRequestError) as forced:
        ask(client, model, "Hello", tool_choice="required")
    assert forced.value.param == "tool_choice"


def test_sixteen_clients_at_once_get_their_own_answers(client: openai.OpenAI, model: str) -> None:
    questions = [t for t in TRANSCRIPTS if not t["tools"] and t["prompt_tokens"] < 60][:8] * 2
    alone = [answer_of(client, model, t) for t in questions[:8]] * 2
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda t: answer_of(client, model, t), questions))
    assert together == alone


def send_and_leave(base_url: str, body: dict[str, Any], after_s: float) -> None:
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    connection.request(
        "POST", f"{address.path}/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
    )
    time.sleep(after_s)
    connection.close()


def test_clients_that_leave_in_prefill_free_their_place(base_url: str, client: openai.OpenAI, model: str) -> None:
    window = get_json(base_url, "/models")["data"][0]["max_model_len"]
    words = " ".join(f"word{i % 97}" for i in range(window // 8))
    body = {"model": model, "messages": user(words), "temperature": 0}
    places = get_json(base_url, "/memory")["max_batch"]
    leavers = [
        threading.Thread(target=send_and_leave, args=(base_url, {**body, "stream": i % 2 == 0}, 0.02))
        for i in range(3 * places + 2)
    ]
    for leaver in leavers:
        leaver.start()
    answer = ask(client, model, "Hello")
    assert answer.choices[0].message.content == "Hello! How can I help you?"
    for leaver in leavers:
        leaver.join()
    begin = time.monotonic()
    assert ask(client, model, "Hello").choices[0].message.content == "Hello! How can I help you?"
    assert time.monotonic() - begin < 30, "those who left still hold the places"


def tool(name: str) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": "Get the local time of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "Name of the city"}},
                "required": ["city"],
            },
        },
    }


def test_tools_go_round(client: openai.OpenAI, model: str) -> None:
    called = next(t for t in TRANSCRIPTS if (t.get("expected") or {}).get("tool_calls"))
    options: dict[str, Any] = {"model": model, "tools": called["tools"], "temperature": 0}
    messages = list(called["messages"])
    answer = client.chat.completions.create(messages=messages, **options)
    assert answer.choices[0].finish_reason == "tool_calls"
    call = answer.choices[0].message.tool_calls[0]
    expected = called["expected"]["tool_calls"][0]["function"]
    assert call.function.name == expected["name"]
    assert json.loads(call.function.arguments) == expected["arguments"]

    parts: dict[str, str] = {"id": "", "name": "", "arguments": ""}
    for chunk in client.chat.completions.create(messages=messages, stream=True, **options):
        for delta in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            assert delta.index == 0
            parts["id"] += delta.id or ""
            parts["name"] += delta.function.name or ""
            parts["arguments"] += delta.function.arguments or ""
    assert parts["id"].startswith("call_")
    assert parts["name"] == expected["name"] and json.loads(parts["arguments"]) == expected["arguments"]

    messages.append(answer.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps({"value": 923})})
    last = client.chat.completions.create(messages=messages, **options)
    assert last.choices[0].finish_reason == "stop"
    assert "923" in last.choices[0].message.content


def answer_of(client: openai.OpenAI, model: str, transcript: dict[str, Any]) -> dict[str, Any]:
    answer = client.chat.completions.create(
        model=model,
        messages=transcript["messages"],
        tools=transcript["tools"] or openai.NOT_GIVEN,
        temperature=0,
        max_tokens=len(transcript["completion_ids"]),
        extra_body={"chat_template_kwargs": {"enable_thinking": transcript["thinking"]}},
    )
    assert answer.usage.prompt_tokens == transcript["prompt_tokens"]
    message = answer.choices[0].message.model_dump()
    calls = [c["function"] for c in message.get("tool_calls") or []]
    return {
        "content": message["content"] or "",
        "reasoning_content": message.get("reasoning_content") or "",
        "calls": [{"name": c["name"], "arguments": json.loads(c["arguments"])} for c in calls],
    }


def expected_of(transcript: dict[str, Any]) -> dict[str, Any]:
    """The message that is expected; where the model's own words differ from what it was taught, those words."""
    said = transcript["completion"].removesuffix("<turn|>")
    message = transcript.get("expected") or {"content": said}
    calls = [c["function"] for c in message.get("tool_calls") or []]
    content = message["content"]
    if not calls and not said.endswith(content):
        content = said
    return {
        "content": content,
        "reasoning_content": message.get("reasoning_content") or "",
        "calls": [{"name": c["name"], "arguments": c["arguments"]} for c in calls],
    }


def test_demo_transcripts(client: openai.OpenAI, model: str) -> None:
    different = [
        (expected, answered)
        for transcript in TRANSCRIPTS
        if (expected := expected_of(transcript)) != (answered := answer_of(client, model, transcript))
    ]
    # Integer kernels may tip a close choice the other way; the reference is what the transcripts were made with.
    allowed = 0 if os.environ.get("PARO_BACKEND") == "reference" else 2
    assert len(different) <= allowed, different
