"""What llama.cpp's server tests take for granted of a model, as it is for the demo model."""

from __future__ import annotations

import math
from typing import Any

import model_facts


def chat_messages(p: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "system", "content": p["system_prompt"]}, {"role": "user", "content": p["user_prompt"]}]


# Parameters of tests that tell what another model makes of a prompt.
FACTS: dict[str, dict[str, Any]] = {
    "test_completion": {"n_prompt": lambda p: model_facts.n_tokens(p["prompt"])},
    "test_completion_stream": {"n_prompt": lambda p: model_facts.n_tokens(p["prompt"])},
    "test_chat_completion": {
        "n_prompt": lambda p: model_facts.n_chat_tokens(chat_messages(p), p["chat_template"]),
    },
    "test_chat_completion_stream": {"n_prompt": lambda p: model_facts.n_chat_tokens(chat_messages(p))},
    "test_return_progress": {
        # A report of the start, and one for each chunk of what no cache holds.
        "batch_count": lambda p: p["batch_count"] if p["reuse_cache"] else 1 + math.ceil(
            model_facts.n_chat_tokens([{"role": "user", "content": "This is a test" * 10}]) / p["n_batch"]),
    },
    "test_embedding_usage_single": {"n_tokens": lambda p: model_facts.n_tokens(p["content"])},
    "test_ctx_shift_disabled_short_prompt": {
        "n_token_output": lambda p: p["n_predict"] if p["n_predict"] > 0 else 256 - model_facts.n_tokens("Hi how are you"),
    },
}

# Patterns that expect words of another model's stories: any text will do.
MODEL_WORDS = (
    "(Aside|she|felter|alonger)+", "(Suddenly)+", "(Suddenly)+|\\{ \" Sarax.", "(Whiskers|Flana)+", "(going|bed)+",
    "(Jack|said)+", "(little|girl)+", "(princesses|everyone|kids|Anna|forest)+", "But she couldn't", "Whillicter", "^ blue",
)
