"""What the clients of the load ask the demo model: greedy, so that an answer can be held against another of the same."""
from __future__ import annotations

from dataclasses import dataclass
from random import Random

from http_client import CHAT, COMPLETIONS

CHAT_TEXTS = ["What is the capital of France?", "Count from 1 to 19.", "Who are you?", "Tell me a story.",
              "Hello", "What is 12 + 7?", "Name three colours.", "Why is the sky blue?"]
TEXTS = ["The river ran", "Once upon a time", "In the morning the", "A list of animals:"]
PROMPT_TOKENS = (9, 40, 90, 200)


@dataclass(frozen=True)
class Question:
    path: str
    body: dict


def questions(vocab_size: int) -> list[Question]:
    random = Random(11)
    asked = []
    for i, text in enumerate(CHAT_TEXTS):
        thinks = {"chat_template_kwargs": {"enable_thinking": True}} if i % 3 == 2 else {}
        asked.append(Question(CHAT, {"messages": [{"role": "user", "content": text}], "temperature": 0,
                                     "max_tokens": 48, **thinks}))
    for text in TEXTS:
        asked.append(Question(COMPLETIONS, {"prompt": text, "temperature": 0, "max_tokens": 32, "ignore_eos": True}))
    for n in PROMPT_TOKENS:
        ids = random.choices(range(vocab_size), k=n)
        asked.append(Question(COMPLETIONS, {"prompt": ids, "temperature": 0, "max_tokens": 24, "ignore_eos": True}))
    return asked
