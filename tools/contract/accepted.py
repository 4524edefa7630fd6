"""A check for schemathesis: what the schemas allow is answered, but for reasons that no schema can state."""
from __future__ import annotations

import json
import re

import schemathesis
from schemathesis import Case, CheckContext, Response

CODES_OF_SIZE = {"context_length_exceeded", "memory_plan_exceeded", "request_too_large"}

# Fields that depend on the model or on each other.
REASONS = [
    re.compile(reason) for reason in (
        r"request: (tokens|prompt|content|input) must have token ids from 0 to \d+",
        r"request: logit_bias has the key '\d+', must be token ids below \d+",
        r"request: logit_bias has token -?\d+, must be 0 to \d+",
        r"request: samplers must (be in the order|have temperature)",
        r"request: prompt is empty",  # its text has no tokens
        r"request: n times the number of prompts exceeds \d+",
        r"request: best_of must equal n",
        r"request: stop must have strings of 1 to 1024 bytes",
        r"request: stop_sequences must have strings of 1 to 1024 bytes",
        r"request: prompt is too long",
        r"request: tool_choice (asks for a call|names)",
        r"request: .* cannot be followed",
        r"request: .* cannot be had together with",
        r"request: input must have at least one message",  # thoughts are none
        r"request: continue_final_message cannot be true together with",
        r"request: dimensions is \d+, must be \d+",
        r"request: .* (is not valid JSON|must be a JSON schema)",  # as text
        r"request: messages must have a message before the one to continue",
        r"request: messages end with (several messages of the assistant's|the beginning of an answer)",
        r"request: input must have at least one message",  # thoughts are none
        r"request: continue_final_message needs a last message of the assistant's",
        r"request: tool_choice.function.name is missing",
        r"request: chat template",  # written for other messages than these
    )
]


@schemathesis.check
def accepted(_: CheckContext, response: Response, case: Case) -> None:
    if not case.meta or not case.meta.generation.mode.is_positive:
        return
    if response.status_code == 400:
        error = json.loads(response.content)["error"]
        if error.get("code") not in CODES_OF_SIZE and not any(reason.match(error["message"]) for reason in REASONS):
            raise AssertionError(f"a valid request is refused: {error['message']}")
    elif response.status_code not in {200, 404}:  # 404: another model
        raise AssertionError(f"a valid request is answered with {response.status_code}")
    if b'\ndata: {"error"' in b"\n" + response.content or b"\nevent: error" in response.content or \
            b"event: response.failed" in response.content:
        raise AssertionError(f"a stream fails: {response.content[-1000:]!r}")
