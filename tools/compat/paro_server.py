"""A pytest plugin that lets llama.cpp's server tests start `paro serve`: their flags translated, their parameters that
are facts of a model set to the demo model's. Needs PARO_BINARY, and PARO_MODEL: the demo model as run.py prepares it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import model_facts
import pytest
import utils  # of the tests
from paro_facts import FACTS, MODEL_WORDS

MAX_CONTEXT = 4096  # of the demo model
MODEL_NAME = "demo"  # that /props names as model_path
ENDING_TEST = "test_compat_anthropic.py"  # whose servers keep the model's end tokens
GENERATING_PATHS = ("/completion", "/chat/completions", "/v1/chat/completions", "/apply-template")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def context_of(server: utils.ServerProcess) -> int:
    """Theirs is shared by the slots; ours is each sequence's."""
    n_ctx = server.n_ctx or MAX_CONTEXT
    share = n_ctx if server.kv_unified else n_ctx // (server.n_slots or 1)
    return min(share, MAX_CONTEXT)


def template_file(server: utils.ServerProcess) -> str | None:
    if server.chat_template_file:
        return server.chat_template_file
    if server.chat_template is None:
        return None
    source = model_facts.NAMED_TEMPLATES.get(server.chat_template, server.chat_template)
    file = tempfile.NamedTemporaryFile("w", suffix=".jinja", delete=False)
    file.write(source)
    file.close()
    return file.name


def arguments(server: utils.ServerProcess) -> list[str]:
    args = ["--host", server.server_host, "--port", server.server_port, "--max-context", context_of(server)]
    args += ["--max-batch", server.n_slots or 1, "--temp", server.temperature, "--seed", server.seed, "--any-model"]
    args += ["--threads", 2, "--log-level", "debug" if server.debug else "info"]
    if server.n_batch:
        args += ["--prefill-chunk", server.n_batch]
    if server.model_alias:
        args += ["--model-name", server.model_alias]
    if server.api_key:
        args += ["--api-key", server.api_key]
    if file := template_file(server):
        args += ["--chat-template-file", file]
    return [str(arg) for arg in args]


def model_of_test() -> str:
    """Tests of calls count on a model that ends its answers."""
    ends = ENDING_TEST in os.environ.get("PYTEST_CURRENT_TEST", "")
    return str(model_facts.MODEL) if ends else os.environ["PARO_MODEL"]


def start(self: utils.ServerProcess, timeout_seconds: int = utils.DEFAULT_HTTP_TIMEOUT) -> None:
    if self.server_port == utils.ServerProcess.server_port:  # else it was started before
        self.server_port = free_port()
    command = [os.environ["PARO_BINARY"], "serve", model_of_test(), *arguments(self)]
    print("starting", " ".join(command))
    self._log = open(self.log_path, "w") if self.log_path else sys.stdout
    self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
    utils.server_instances.add(self)
    deadline = time.time() + timeout_seconds
    while time.time() < deadline:
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended with status {self.process.returncode}")
        try:
            if utils.requests.get(self.make_url("/health"), timeout=5).status_code == 200:
                return
        except utils.requests.exceptions.ConnectionError:
            time.sleep(0.02)
    raise TimeoutError(f"the server did not start within {timeout_seconds} seconds")


def body_for_paro(server: utils.ServerProcess, path: str, data: Any) -> Any:
    """What they say by flags of the server is a field of the request here."""
    if not isinstance(data, dict):
        return data
    data = dict(data)
    if path.endswith(("/embeddings", "/embedding")) and server.pooling:
        data.setdefault("pooling", server.pooling)
    if path.endswith(GENERATING_PATHS):
        if server.debug:
            data.setdefault("verbose", True)
        if server.reasoning is not None:
            data.setdefault("chat_template_kwargs", {"enable_thinking": server.reasoning != "off"})
    return data


def with_paro_bodies(method: Any) -> Any:
    def request(self: utils.ServerProcess, verb: str, path: str, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        return method(self, verb, path, body_for_paro(self, path, data), *args, **kwargs)

    return request


def with_null_content(method: Any) -> Any:
    """The first delta of a stream has empty content, as OpenAI sends it; theirs has null."""

    def request(*args: Any, **kwargs: Any) -> Any:
        for chunk in method(*args, **kwargs):
            for choice in chunk.get("choices") or []:
                delta = choice.get("delta") or {}
                if "role" in delta and delta.get("content") == "":
                    delta["content"] = None
            yield chunk

    return request


utils.ServerProcess.start = start
utils.ServerProcess.make_request = with_paro_bodies(utils.ServerProcess.make_request)
utils.ServerProcess.make_stream_request = with_null_content(with_paro_bodies(utils.ServerProcess.make_stream_request))
utils.ServerPreset.load_all = staticmethod(lambda: None)
utils.n_tokens = model_facts.n_tokens
utils.n_chat_tokens = model_facts.n_chat_tokens
utils.MODEL_NAME = MODEL_NAME


match_regex = utils.match_regex
utils.match_regex = lambda regex, text: isinstance(text, str) if regex in MODEL_WORDS else match_regex(regex, text)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for item in items:
        if not hasattr(item, "callspec"):
            continue
        params = item.callspec.params
        for name, fact in FACTS.get(item.originalname, {}).items():
            params[name] = fact(params)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: needs models of gigabytes")
    config.addinivalue_line("markers", "serial: runs alone")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Function, call: Any) -> Any:
    report = (yield).get_result()
    if report.when == "call" or report.outcome != "passed":
        row = {"test": item.nodeid, "when": report.when, "outcome": report.outcome, "seconds": round(report.duration, 2)}
        if report.outcome == "failed":
            row["error"] = str(report.longrepr.reprcrash.message if hasattr(report.longrepr, "reprcrash") else report.longrepr)[:400]
        with Path(os.environ["PARO_COMPAT_RESULTS"]).open("a") as results:
            results.write(json.dumps(row) + "\n")
