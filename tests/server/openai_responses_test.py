"""The Responses API as the openai package sees it, against the demo model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

ROOT = Path(__file__).resolve().parents[2]
TRANSCRIPTS: list[dict[str, Any]] = json.loads((ROOT / "tests/goldens/demo_transcripts.json").read_text())
CALLED = next(t for t in TRANSCRIPTS if (t.get("expected") or {}).get("tool_calls"))
CALL = CALLED["expected"]["tool_calls"][0]["function"]


@pytest.fixture(scope="session")
def client(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="session")
def model(client: openai.OpenAI) -> str:
    return client.models.list().data[0].id


def ask(client: openai.OpenAI, model: str, text: Any, **options: Any) -> Any:
    options = {"temperature": 0, **options}
    return client.responses.create(model=model, input=text, **options)


def tools_of(transcript: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "function", "strict": False, **tool["function"]} for tool in transcript["tools"]]


def calls_of(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


def test_plain_answer(client: openai.OpenAI, model: str) -> None:
    response = ask(client, model, "What is the capital of France?", metadata={"topic": "capitals"})
    assert response.object == "response" and response.status == "completed"
    assert response.error is None and response.incomplete_details is None
    assert response.output_text == "The capital of France is Paris."
    assert response.usage.input_tokens == 22
    assert response.usage.output_tokens == 11
    assert response.usage.total_tokens == 33
    assert response.usage.output_tokens_details.reasoning_tokens == 0
    assert response.metadata == {"topic": "capitals"} and response.tools == [] and response.temperature == 0
    type(response).model_validate(response.to_dict())  # all that the schema asks for


def test_streamed_answer_is_the_plain_one(client: openai.OpenAI, model: str) -> None:
    plain = ask(client, model, "Who are you?")
    with client.responses.stream(model=model, input="Who are you?", temperature=0) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 4
    assert "".join(deltas) == plain.output_text == final.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert final.usage.output_tokens == plain.usage.output_tokens


def test_every_event_is_one_of_the_schema(client: openai.OpenAI, model: str) -> None:
    options: dict[str, Any] = {"tools": tools_of(CALLED), "include": ["message.output_text.logprobs"]}
    for question in (CALLED["messages"][-1]["content"], "Hello"):
        for event in ask(client, model, question, stream=True, **options):
            type(event).model_validate(event.to_dict())
    for event in ask(client, model, "2*9", stream=True, reasoning={"effort": "low", "summary": "auto"}):
        type(event).model_validate(event.to_dict())


def test_conversation_of_several_turns(client: openai.OpenAI, model: str) -> None:
    first = ask(client, model, "My name is Leo.")
    items = [{"role": "user", "content": "My name is Leo."}, *first.output, {"role": "user", "content": "What is my name?"}]
    assert ask(client, model, items).output_text == "Your name is Leo."


def test_instructions(client: openai.OpenAI, model: str) -> None:
    transcript = next(t for t in TRANSCRIPTS if t["messages"][0]["content"] == "Answer in capital letters.")
    response = ask(client, model, transcript["messages"][1]["content"], instructions="Answer in capital letters.")
    assert response.usage.input_tokens == transcript["prompt_tokens"]
    assert response.output_text == transcript["completion"].removesuffix("<turn|>")


@pytest.mark.parametrize("summary", [None, "auto"])
def test_thoughts_are_reasoning_items(client: openai.OpenAI, model: str, summary: str | None) -> None:
    reasoning = {"effort": "low", "summary": summary}
    response = ask(client, model, "2*9", reasoning=reasoning)
    thought, message = response.output
    assert thought.type == "reasoning"
    parts = thought.summary if summary else thought.content
    assert [part.text for part in parts] == ["2 times 9 is 18"]
    assert message.content[0].text == response.output_text == "2 * 9 = 18"
    assert 5 < response.usage.output_tokens_details.reasoning_tokens < response.usage.output_tokens

    items = [{"role": "user", "content": "2*9"}, *response.output, {"role": "user", "content": "What is 3 + 4?"}]
    assert ask(client, model, items, reasoning=reasoning).output_text == "3 + 4 = 7"


def test_tools_go_round(client: openai.OpenAI, model: str) -> None:
    question = CALLED["messages"][-1]["content"]
    options: dict[str, Any] = {"tools": tools_of(CALLED)}
    response = ask(client, model, question, **options)
    (call,) = calls_of(response)
    assert call.name == CALL["name"] and json.loads(call.arguments) == CALL["arguments"]

    with client.responses.stream(model=model, input=question, temperature=0, **options) as stream:
        (streamed,) = calls_of(stream.get_final_response())
    assert streamed.name == CALL["name"] and json.loads(streamed.arguments) == CALL["arguments"]

    result = {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps({"value": 923})}
    last = ask(client, model, [{"role": "user", "content": question}, *response.output, result], **options)
    assert last.status == "completed"
    assert last.output_text == f"{CALL['arguments']['expression']} = 923"


def test_calls_can_be_forced(client: openai.OpenAI, model: str) -> None:
    tools = tools_of(CALLED)
    assert calls_of(ask(client, model, "Hello", tools=tools, tool_choice="required"))
    choice = {"type": "function", "name": CALL["name"]}
    (call,) = calls_of(ask(client, model, "Hello", tools=tools, tool_choice=choice, parallel_tool_calls=False))
    assert call.name == CALL["name"] and set(json.loads(call.arguments)) == set(CALL["arguments"])


def test_formats_hold_the_text(client: openai.OpenAI, model: str) -> None:
    class Place(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="forbid")
        city: str

    response = client.responses.parse(
        model=model, input="What is the capital of France?", text_format=Place, temperature=0, max_output_tokens=200
    )
    assert isinstance(response.output_parsed, Place)
    options: dict[str, Any] = {"text": {"format": {"type": "json_object"}}, "max_output_tokens": 200}
    free = client.responses.create(model=model, input="Hello", temperature=0, **options)
    if free.status == "completed":
        assert isinstance(json.loads(free.output_text), dict)


def test_length(client: openai.OpenAI, model: str) -> None:
    response = ask(client, model, "Count from 1 to 9.", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 3


def test_logprobs(client: openai.OpenAI, model: str) -> None:
    response = ask(client, model, "Hello", include=["message.output_text.logprobs"], top_logprobs=3)
    logprobs = response.output[0].content[0].logprobs
    assert b"".join(bytes(token.bytes) for token in logprobs).decode() == response.output_text
    assert all(len(token.top_logprobs) == 3 and token.logprob <= 0 for token in logprobs)


def test_errors_are_the_packages_own(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(client, "gpt-none", "Hello")
    assert unknown.value.code == "model_not_found"
    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        ("Hello", {"previous_response_id": "resp_1"}, "previous_response_id"),
        ("Hello", {"temperature": -1}, "temperature"),
        ("Hello", {"max_output_tokens": 10_000_000}, "max_output_tokens"),
        (image, {}, "input[0].content[0].type"),
    ]
    for text, options, param in wrong:
        with pytest.raises(openai.BadRequestError) as refused:
            ask(client, model, text, **options)
        assert refused.value.param == param
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, model, "word " * 20000)
    assert long.value.code == "context_length_exceeded"
