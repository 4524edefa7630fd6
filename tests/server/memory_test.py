"""The memory promise, seen from outside: the resident memory of a serving process against its plan.

Runs the program named by PARO_BINARY on the demo model, and on a random checkpoint of Gemma 4 26B-A4B geometry with three
layers, 1.3 GB, which answers nonsense with the demo model's tokenizer.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ["PARO_BINARY"]
TEXT_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


@contextlib.contextmanager
def serving(model: Path, *flags: str) -> Iterator[tuple[str, int]]:
    """Base URL and process id of a server that listens; it is stopped with SIGTERM and has to end well."""
    port = free_port()
    process = subprocess.Popen([BINARY, "serve", str(model), "--port", str(port), *flags], stderr=subprocess.PIPE)
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(600):
            assert process.poll() is None, process.stderr.read().decode()
            with contextlib.suppress(OSError):
                get(f"{base}/health")
                break
            time.sleep(0.1)
        else:
            pytest.fail("the server does not listen")
        yield base, process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.stderr.close()


def peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def load_it(base: str, n_clients: int) -> None:
    """Short and long prompts from several clients at once."""
    body = {"messages": [{"role": "user", "content": "Count from 1 to 58. " * 40}], "max_tokens": 24, "temperature": 1}
    with concurrent.futures.ThreadPoolExecutor(n_clients) as clients:
        for answer in clients.map(lambda _: post(f"{base}/v1/chat/completions", body), range(2 * n_clients)):
            assert answer["usage"]["completion_tokens"] > 0


def check_peak(base: str, pid: int) -> float:
    plan = get(f"{base}/v1/memory")
    peak = peak_bytes(pid)
    print(f"peak {peak / 2**20:.1f} MiB, plan {plan['plan_bytes'] / 2**20:.1f} MiB")
    assert peak <= plan["plan_bytes"] <= plan["budget_bytes"]
    assert abs(plan["peak_resident_bytes"] - peak) < 2**20
    assert plan["plan_bytes"] == sum(c["plan_bytes"] for c in plan["classes"])
    return peak / plan["plan_bytes"]


def test_demo_model_stays_within_its_plan() -> None:
    with serving(ROOT / "models/demo") as (base, pid):
        load_it(base, 16)
        check_peak(base, pid)


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("large") / "model"
    config = ROOT / "tests/configs/gemma-4-26b-a4b.json"
    subprocess.run([BINARY, "synth", str(config), str(directory), "--layers", "3", "--vocab", "3072"], check=True)
    for name in TEXT_FILES:
        shutil.copy(ROOT / "models/demo" / name, directory)
    yield directory
    shutil.rmtree(directory)


def test_plan_of_a_large_model_is_within_five_percent(large_model: Path) -> None:
    with serving(large_model, "--max-context", "2048") as (base, pid):
        load_it(base, 4)
        assert check_peak(base, pid) >= 0.95


def test_budget_too_small_is_refused_before_loading(large_model: Path) -> None:
    command = [BINARY, "serve", str(large_model), "--port", str(free_port()), "--memory-budget", "500MiB"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    for part in ("500.0 MiB", "weights", "--memory-budget"):
        assert part in refused.stderr, refused.stderr
