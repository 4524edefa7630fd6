"""Where llama.cpp's server tests name what is another model's or another program's. Each place is listed with what
stands there instead; the tool stops when a place is not found as often as it is said to be.
"""

from __future__ import annotations

from typing import NamedTuple


class Adaptation(NamedTuple):
    file: str
    old: str
    new: str
    n_times: int
    reason: str


ADAPTATIONS = [
    Adaptation("test_basic.py", '".gguf" in', "MODEL_NAME in", 1, "the model is a directory, not a GGUF file"),
    Adaptation("test_tokenize.py", "bosId = 1", "bosId = 2", 1, "the demo model's <bos>"),
    Adaptation("test_completion.py", '"<s> " + prompt', '"<bos>" + prompt', 1, "the demo model's <bos>"),
    Adaptation("test_completion.py", "n_prompt = (40 + r)*5 + 2", "n_prompt = n_tokens(prompt)", 1, "a count of another tokenizer"),
    Adaptation("test_completion.py", '.startswith("b")', '.startswith("paro-")', 1, "the program's own fingerprint"),
    Adaptation("test_chat_completion.py", '.startswith("b")', '.startswith("paro-")', 3, "the program's own fingerprint"),
    Adaptation("test_chat_completion.py", '["delta"]["content"] is None', '["delta"]["content"] in (None, "")', 2,
               "the first delta's content is empty, as OpenAI sends it, not null"),
    Adaptation("test_chat_completion.py", "choice.delta.content is None", 'choice.delta.content in (None, "")', 1,
               "the first delta's content is empty, as OpenAI sends it, not null"),
    Adaptation("test_chat_completion.py", '== "<s> <|start_header_id|>', '== "<|start_header_id|>', 1,
               "the template writes no <s>, and none is added to it"),
    Adaptation("test_embedding.py", "2 * 9", '2 * n_tokens("I believe the meaning of life is")', 1, "a count of another tokenizer"),
]

# What is not run, and why.
NOT_RUN = {
    "test_router.py": "one server holds one model; there is no router",
    "test_stream.py": "streams cannot be taken up again; needs the router",
    "test_mcp_servers.py": "the server runs no tools of its own",
    "test_tools_builtin.py": "the server runs no tools of its own",
    "test_proxy.py": "the server is no proxy",
    "test_lora.py": "no LoRA adapters",
    "test_speculative.py": "no draft models",
    "test_vision_api.py": "text only",
    "test_rerank.py": "no reranking models",
}

# Why a test that is run does not pass: of a function, or of a whole file.
REASONS: dict[str, str] = {}
