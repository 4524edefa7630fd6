"""A server of the demo model for the tests of its clients.

Needs one of
  PARO_BASE_URL  of a running server, such as http://127.0.0.1:8080/v1
  PARO_BINARY    the program; then a server of models/demo is started on a free port
and optionally PARO_BACKEND (reference, cpu, ...), which is handed to the program.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for_health(base_url: str, server: subprocess.Popen[bytes]) -> None:
    health = f"{base_url.removesuffix('/v1')}/health"
    for _ in range(START_TIMEOUT_S * 5):
        if server.poll() is not None:
            pytest.fail(f"the server ended with status {server.returncode}")
        try:
            with urllib.request.urlopen(health, timeout=5) as answer:
                if json.load(answer) == {"status": "ok"}:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not become healthy")


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    if url := os.environ.get("PARO_BASE_URL"):
        yield url.rstrip("/")
        return
    binary = os.environ.get("PARO_BINARY")
    if not binary:
        pytest.fail("neither PARO_BASE_URL nor PARO_BINARY is set")
    port = free_port()
    command = [binary, "serve", str(ROOT / "models/demo"), "--port", str(port), "--host", "127.0.0.1"]
    if backend := os.environ.get("PARO_BACKEND"):
        command += ["--backend", backend]
    url = f"http://127.0.0.1:{port}/v1"
    with subprocess.Popen(command) as server:
        try:
            wait_for_health(url, server)
            yield url
        finally:
            server.terminate()
            assert server.wait(timeout=60) == 0, "the server did not stop cleanly"
