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
    Adaptation("test_chat_completion.py", "choice.delta.content is None", 'choice.delta.content in (None, "")', 1,
               "the first delta's content is empty, as OpenAI sends it, not null"),
    Adaptation("test_chat_completion.py", '== "<s> <|start_header_id|>', '== "<|start_header_id|>', 1,
               "the template writes no <s>, and none is added to it"),
    Adaptation("test_completion.py", 'len(data["completion_probabilities"]) == 1', 'len(data["completion_probabilities"]) >= 1', 1,
               "a token without text, such as an end of turn, comes with the next text"),
    Adaptation("test_ctx_shift.py", '"prompt": LONG_TEXT,', '"prompt": LONG_TEXT * 2,', 1, "a count of another tokenizer"),
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
REASONS: dict[str, str] = {
    "test_basic.py::test_server_multiple_addresses": "the server listens on one address",
    "test_basic.py::test_server_slots": "no flag turns /slots off: it tells no prompt",
    "test_basic.py::test_server_model_aliases_and_tags": "a model has one name, and no tags; --any-model takes every other name",
    "test_basic.py::test_no_ui": "no flag turns the page off",
    "test_chat_completion.py::test_chat_completion_cached_tokens": "counts tokens that are reused one by one; here whole blocks of tokens are",
    "test_chat_completion.py::test_chat_template_assistant_prefill": "parts of a message are joined without anything between them, here with two line ends",
    "test_chat_completion.py::test_context_size_exceeded": "the error's type is invalid_request_error with the code context_length_exceeded, which agents look for",
    "test_chat_completion.py::test_context_size_exceeded_stream": "the error's type is invalid_request_error with the code context_length_exceeded, which agents look for",
    "test_compat_oai_responses.py::test_responses_stream_with_llama_telemetry": "streams of /responses tell no progress and no timings",
    "test_compat_anthropic.py::test_anthropic_tool_result_with_image": "an image is a 400 that names the block, not a 500",
    "test_compat_anthropic.py::test_anthropic_vision_format_accepted": "an image is a 400 that names the block, not a 500",
    "test_compat_anthropic.py::test_anthropic_vision_base64_with_multimodal_model": "text only",
    "test_compat_anthropic.py::test_anthropic_empty_messages": "no messages at all are a 400",
    "test_compat_anthropic.py::test_anthropic_thinking_with_reasoning_model": "not run: needs a model of gigabytes",
    "test_compat_gcp.py": "no route of Google's prediction service",
    "test_completion.py::test_completion_stream_with_openai_library_stops": "not run: needs a model of gigabytes",
    "test_completion.py::test_cache_vs_nocache_prompt": "skipped by llama.cpp itself",
    "test_ctx_shift.py::test_ctx_shift_enabled": "a full context ends an answer; it is not shifted",
    "test_embedding.py::test_embedding_pooling_none": "vectors are of texts, not of each token",
    "test_infill.py": "no tokens for filling in the middle",
    "test_kv_keep_only_active.py": "looks for lines of another program's log",
    "test_metrics.py::test_metrics_disabled": "no flag turns /metrics off: it needs a key where the server has keys",
    "test_metrics.py::test_metrics_prometheus_format": "metrics have their own names",
    "test_metrics.py::test_metrics_prompt_processed_and_cached": "metrics have their own names",
    "test_metrics.py::test_metrics_predicted_total_matches_requests": "metrics have their own names",
    "test_metrics.py::test_metrics_embedding_prompt_is_counted": "metrics have their own names",
    "test_security.py::test_access_static_assets_without_api_key": "the page is one file",
    "test_security.py::test_correct_api_key": "/completions is /v1/completions: every route is reached with and without /v1",
    "test_security.py::test_correct_api_key_anthropic_header": "/completions is /v1/completions: every route is reached with and without /v1",
    "test_security.py::test_cors_options": "a preflight is answered with 204, and every origin is allowed by *, without credentials",
    "test_security.py::test_cors_origins_localhost_reflects": "a preflight is answered with 204; --cors-origin takes origins, not names of hosts",
    "test_security.py::test_cors_origins_localhost_rejects": "a preflight is answered with 204; --cors-origin takes origins, not names of hosts",
    "test_security.py::test_cors_origins_defaults_to_localhost_with_tools_enabled": "the server runs no tools of its own",
    "test_security.py::test_cors_proxy_only_forwards_explicit_proxy_headers": "the server is no proxy",
    "test_security.py::test_local_media_file": "text only",
    "test_sleep.py": "a server does not unload its model",
    "test_slot_save.py": "slots cannot be asked for, saved or restored",
    "test_template.py::test_date_inside_prompt": "a template gets strftime_now, as from transformers, and no variables for the date",
    "test_tool_call.py": "not run: needs models of gigabytes",
}
