"""Vectors of texts, from the demo model."""

from __future__ import annotations

import math

import openai
import pytest

PROMPT = "The capital of France is"


@pytest.fixture(scope="session")
def client(base_url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="session")
def model(client: openai.OpenAI) -> str:
    return client.models.list().data[0].id


def vectors_of(client: openai.OpenAI, model: str, texts: list[str], **options: str) -> list[list[float]]:
    answer = client.embeddings.create(model=model, input=texts, extra_body=options or None)
    return [entry.embedding for entry in answer.data]  # asked for as base64 by the package


def test_vectors_are_of_length_one_and_equal_for_equal_texts(client: openai.OpenAI, model: str) -> None:
    vectors = vectors_of(client, model, [PROMPT, "One two three four five", PROMPT])
    for vector in vectors:
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-4)
    assert vectors[0] == vectors[2]
    assert sum(a * b for a, b in zip(*vectors[:2])) < 0.9999


def test_a_vector_does_not_depend_on_its_company(client: openai.OpenAI, model: str) -> None:
    [alone] = vectors_of(client, model, [PROMPT])
    assert vectors_of(client, model, ["One two three", PROMPT, "a " * 300])[1] == alone


def test_the_last_token_has_another_vector_than_the_mean(client: openai.OpenAI, model: str) -> None:
    [mean] = vectors_of(client, model, [PROMPT])
    [last] = vectors_of(client, model, [PROMPT], pooling="last")
    assert math.dist(mean, last) > 1e-3


def test_of_one_token_mean_and_last_are_the_same(client: openai.OpenAI, model: str) -> None:
    answers = [
        client.embeddings.create(model=model, input=[300], extra_body={"pooling": pooling}).data[0].embedding
        for pooling in ("mean", "last")
    ]
    assert answers[0] == pytest.approx(answers[1], abs=1e-6)


def test_numbers_and_base64_are_the_same_vector(client: openai.OpenAI, model: str) -> None:
    [packed] = vectors_of(client, model, [PROMPT])
    numbers = client.embeddings.create(model=model, input=PROMPT, encoding_format="float").data[0].embedding
    assert numbers == pytest.approx(packed, abs=1e-6)
