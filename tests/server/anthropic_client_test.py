"""The Messages API as the anthropic package sees it, against the demo model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import pytest

ROOT = Path(__file__).resolve().parents[2]
GREEDY = {"temperature": 0}
TRANSCRIPTS: list[dict[str, Any]] = json.loads((ROOT / "tests/goldens/demo_transcripts.json").read_text())


@pytest.fixture(scope="session")
def client(base_url: str) -> anthropic.Anthropic:
    url = base_url.removesuffix("/v1")
    return anthropic.Anthropic(base_url=url, api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="session")
def model(client: anthropic.Anthropic) -> str:
    return client.models.list().data[0].id


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def options_of(model: str, content: Any, **options: Any) -> dict[str, Any]:
    return {"model": model, "messages": [user(content)], "max_tokens": 200, "extra_body": GREEDY, **options}


def ask(client: anthropic.Anthropic, model: str, content: Any, **options: Any) -> anthropic.types.Message:
    return client.messages.create(**options_of(model, content, **options))


def prompt_tokens(message: anthropic.types.Message) -> int:
    return message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)


def tools_of(transcript: dict[str, Any]) -> list[dict[str, Any]]:
    functions = [tool["function"] for tool in transcript["tools"]]
    return [{"name": f["name"], "description": f["description"], "input_schema": f["parameters"]} for f in functions]


CALLED = next(t for t in TRANSCRIPTS if (t.get("expected") or {}).get("tool_calls"))
CALL = CALLED["expected"]["tool_calls"][0]["function"]


def test_models(client: anthropic.Anthropic, model: str) -> None:
    entry = client.models.retrieve(model)
    assert entry.type == "model" and entry.display_name == model
    assert entry.created_at.year >= 2025
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("none")


def test_plain_answer(client: anthropic.Anthropic, model: str) -> None:
    message = ask(client, model, "What is the capital of France?")
    assert [block.to_dict() for block in message.content] == [
        {"type": "text", "text": "The capital of France is Paris."}
    ]
    assert message.stop_reason == "end_turn" and message.stop_sequence is None
    assert prompt_tokens(message) == 22
    assert message.usage.output_tokens == 11


def test_streamed_answer_is_the_plain_one(client: anthropic.Anthropic, model: str) -> None:
    plain = ask(client, model, "Who are you?")
    with client.messages.stream(**options_of(model, "Who are you?")) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(texts) > 4
    assert "".join(texts) == plain.content[0].text == final.content[0].text
    assert final.stop_reason == plain.stop_reason == "end_turn"
    assert prompt_tokens(final) == prompt_tokens(plain)
    assert final.usage.output_tokens == plain.usage.output_tokens


def test_count_tokens_is_the_usage(client: anthropic.Anthropic, model: str) -> None:
    tools = tools_of(CALLED)
    prompt: dict[str, Any] = {"messages": [user("Hello")], "system": [{"type": "text", "text": "Be brief."}]}
    for options in ({}, {"tools": tools}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}):
        count = client.messages.count_tokens(model=model, **prompt, **options)
        message = client.messages.create(model=model, max_tokens=4, **prompt, **options)
        assert count.input_tokens == prompt_tokens(message)


def test_conversation_of_several_turns(client: anthropic.Anthropic, model: str) -> None:
    first = ask(client, model, "My name is Leo.")
    messages = [user("My name is Leo."), {"role": "assistant", "content": first.content}, user("What is my name?")]
    second = client.messages.create(model=model, messages=messages, max_tokens=50, extra_body=GREEDY)
    assert second.content[0].text == "Your name is Leo."


def test_system_prompt(client: anthropic.Anthropic, model: str) -> None:
    transcript = next(t for t in TRANSCRIPTS if t["messages"][0]["content"] == "Answer in capital letters.")
    message = ask(client, model, transcript["messages"][1]["content"], system="Answer in capital letters.")
    assert prompt_tokens(message) == transcript["prompt_tokens"]
    assert message.content[0].text == transcript["completion"].removesuffix("<turn|>")


def test_thinking_comes_before_the_text(client: anthropic.Anthropic, model: str) -> None:
    options = options_of(model, "2*9", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
    message = client.messages.create(**options)
    assert [block.type for block in message.content] == ["thinking", "text"]
    thought, answer = message.content
    assert thought.thinking == "2 times 9 is 18" and thought.signature
    assert answer.text == "2 * 9 = 18"
    with client.messages.stream(**options) as stream:
        deltas = [event.delta.type for event in stream if event.type == "content_block_delta"]
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [block.to_dict() for block in message.content]
    assert deltas[0] == "thinking_delta" and deltas.count("signature_delta") == 1 and deltas[-1] == "text_delta"

    messages = [user("2*9"), {"role": "assistant", "content": final.content}, user("What is 3 + 4?")]
    again = client.messages.create(**{**options, "messages": messages})
    assert again.content[-1].text == "3 + 4 = 7"


def test_tools_go_round(client: anthropic.Anthropic, model: str) -> None:
    question = CALLED["messages"][-1]["content"]
    options = options_of(model, question, tools=tools_of(CALLED))
    message = client.messages.create(**options)
    assert message.stop_reason == "tool_use"
    call = message.content[-1]
    assert call.type == "tool_use" and call.id
    assert (call.name, call.input) == (CALL["name"], CALL["arguments"])

    with client.messages.stream(**options) as stream:
        streamed = stream.get_final_message()
    assert streamed.stop_reason == "tool_use"
    assert (streamed.content[-1].name, streamed.content[-1].input) == (CALL["name"], CALL["arguments"])

    for result in (json.dumps({"value": 923}), [{"type": "text", "text": json.dumps({"value": 923})}]):
        block = {"type": "tool_result", "tool_use_id": call.id, "content": result}
        messages = [user(question), {"role": "assistant", "content": message.content}, user([block])]
        last = client.messages.create(**{**options, "messages": messages})
        assert last.stop_reason == "end_turn"
        assert last.content[0].text == f"{CALL['arguments']['expression']} = 923"


def test_calls_can_be_forced(client: anthropic.Anthropic, model: str) -> None:
    tools = tools_of(CALLED)
    names = {tool["name"] for tool in tools}
    options = options_of(model, "Hello", tools=tools)
    any_call = client.messages.create(**options, tool_choice={"type": "any"})
    assert any_call.stop_reason == "tool_use"
    assert {block.name for block in any_call.content if block.type == "tool_use"} <= names
    choice = {"type": "tool", "name": CALL["name"], "disable_parallel_tool_use": True}
    (call,) = [b for b in client.messages.create(**options, tool_choice=choice).content if b.type == "tool_use"]
    assert call.name == CALL["name"] and set(call.input) == set(CALL["arguments"])


def test_formats_hold_the_text(client: anthropic.Anthropic, model: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"],
              "additionalProperties": False}
    output = {"format": {"type": "json_schema", "schema": schema}}
    message = ask(client, model, "What is the capital of France?", output_config=output)
    assert list(json.loads(message.content[0].text)) == ["city"]


def test_thoughts_end_with_their_budget(client: anthropic.Anthropic, model: str) -> None:
    options = options_of(model, "What is 718 + 907?", max_tokens=2000)
    free = client.messages.create(**options, thinking={"type": "enabled", "budget_tokens": 1024})
    short = client.messages.create(**options, thinking={"type": "enabled", "budget_tokens": 6})
    assert short.content[0].type == "thinking"
    assert len(short.content[0].thinking) < len(free.content[0].thinking)
    assert short.content[-1].type == "text"


def test_ends(client: anthropic.Anthropic, model: str) -> None:
    stopped = ask(client, model, "Count from 1 to 9.", stop_sequences=["zz", "5, 6"])
    assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == "5, 6"
    assert stopped.content[0].text == "1, 2, 3, 4, "
    cut = ask(client, model, "Count from 1 to 9.", max_tokens=3)
    assert cut.stop_reason == "max_tokens" and cut.usage.output_tokens == 3
    assert ask(client, model, "Hello", max_tokens=1_000_000).stop_reason == "end_turn"


def test_errors_are_the_packages_own(client: anthropic.Anthropic, model: str) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        ask(client, "claude-none", "Hello")
    assert unknown.value.body["error"]["type"] == "not_found_error"
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    for content, options in ((image, {}), ("Hello", {"extra_body": {"temperature": -1}}), ("Hello", {"max_tokens": 0})):
        with pytest.raises(anthropic.BadRequestError) as wrong:
            ask(client, model, [content] if isinstance(content, dict) else content, **options)
        assert wrong.value.body["type"] == "error"
        assert wrong.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: [0-9]+ tokens > [0-9]+ maximum"):
        ask(client, model, "word " * 20000)
