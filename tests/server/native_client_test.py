"""llama.cpp's routes, from the demo model."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import openai
import pytest

PROMPT = "The capital of France is"


@pytest.fixture(scope="session")
def root(base_url: str) -> str:
    return base_url.removesuffix("/v1")


def post(url: str, **fields: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(fields).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def stream(url: str, **fields: Any) -> list[dict[str, Any]]:
    body = json.dumps({**fields, "stream": True}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return [json.loads(line[6:]) for line in answer if line.startswith(b"data: ")]


def test_a_stream_adds_up_to_the_whole_answer(root: str) -> None:
    fields = {"prompt": PROMPT, "n_predict": 24, "seed": 3, "temperature": 1.0, "return_tokens": True}
    whole = post(f"{root}/completion", **fields)
    parts = stream(f"{root}/completion", **fields)
    assert "".join(part["content"] for part in parts) == whole["content"]
    assert [token for part in parts for token in part["tokens"]] == whole["tokens"]
    assert parts[-1]["stop_type"] == whole["stop_type"]


def test_a_completion_is_that_of_the_openai_route(root: str, base_url: str) -> None:
    native = post(f"{root}/completion", prompt=PROMPT, n_predict=16, temperature=0)
    client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=120)
    other = client.completions.create(model=native["model"], prompt=PROMPT, max_tokens=16, temperature=0)
    assert other.choices[0].text == native["content"]


def test_probabilities_as_drawn_are_of_what_the_samplers_leave(root: str) -> None:
    body = post(f"{root}/completion", prompt=PROMPT, n_predict=8, n_probs=10, post_sampling_probs=True,
                top_k=3, temperature=1.0, seed=1)
    for token in body["completion_probabilities"]:
        best = {other["id"]: other["prob"] for other in token["top_probs"]}
        assert len(best) <= 3
        assert sum(best.values()) == pytest.approx(1, abs=1e-4)
        assert best[token["id"]] == pytest.approx(token["prob"], abs=1e-6)


def test_a_biased_token_never_comes(root: str) -> None:
    fields = {"prompt": PROMPT, "n_predict": 1, "temperature": 0, "return_tokens": True}
    [first] = post(f"{root}/completion", **fields)["tokens"]
    [other] = post(f"{root}/completion", **fields, logit_bias=[[first, False]])["tokens"]
    assert other != first


def test_an_answer_that_is_begun_goes_on(root: str, base_url: str) -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    fields = {"temperature": 0, "max_tokens": 40}
    whole = post(f"{base_url}/chat/completions", messages=question, **fields)["choices"][0]["message"]["content"]
    begun = [*question, {"role": "assistant", "content": whole[:6]}]
    rest = post(f"{base_url}/chat/completions", messages=begun, **fields)["choices"][0]["message"]["content"]
    assert rest and not rest.startswith(whole[:6])


def test_props_and_slots_tell_what_is_served(root: str) -> None:
    with urllib.request.urlopen(f"{root}/props", timeout=60) as answer:
        props = json.load(answer)
    with urllib.request.urlopen(f"{root}/slots", timeout=60) as answer:
        slots = json.load(answer)
    assert len(slots) == props["total_slots"]
    assert props["model_path"] == "demo"
    assert "<|turn>" in props["chat_template"]
    assert props["bos_token"] == "<bos>"


def test_what_is_not_there_is_refused_by_name(root: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{root}/completion", prompt="a", mirostat=2)
    assert refused.value.code == 400
    assert json.load(refused.value)["error"]["param"] == "mirostat"
