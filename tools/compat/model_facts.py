"""What the demo model's own files say of a prompt, counted without the server: by the tokenizers and jinja2 packages."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jinja2
from tokenizers import Tokenizer

MODEL = Path(__file__).resolve().parents[2] / "models/demo"

# Templates that llama.cpp knows by name, in the shape that the tests ask for.
NAMED_TEMPLATES = {
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "llama3": "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    "command-r": "{% set names = {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT'} %}"
    "{% for m in messages %}<|START_OF_TURN_TOKEN|><|{{ names[m.role] }}_TOKEN|>{{ m.content | trim }}<|END_OF_TURN_TOKEN|>"
    "{% endfor %}{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}",
}


@functools.cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def n_tokens(text: str, add_special: bool = True) -> int:
    return len(tokenizer().encode(text, add_special_tokens=add_special).ids)


def template_source(name: str | None) -> str:
    if name is None:
        return (MODEL / "chat_template.jinja").read_text()
    return NAMED_TEMPLATES.get(name, name)


def chat_prompt(messages: list[dict[str, Any]], template: str | None = None) -> str:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    config = json.loads((MODEL / "tokenizer_config.json").read_text())
    return environment.from_string(template_source(template)).render(
        messages=messages, add_generation_prompt=True, bos_token=config["bos_token"], eos_token=config["eos_token"]
    )


def n_chat_tokens(messages: list[dict[str, Any]], template: str | None = None) -> int:
    return n_tokens(chat_prompt(messages, template), add_special=False)
