"""The memory promise, seen from outside: the resident memory of a serving process against its plan.

Runs the program named by PARO_BINARY on the demo model, and on a random checkpoint of Gemma 4 26B-A4B geometry with three
layers, 1.3 GB, which answers nonsense with the demo model's tokenizer.
"""
from __future__ import annotations

import concurrent.futures
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

from moe_models import DEMO, DEMO_VOCAB_SIZE, synthetic
from served import Served, post, serving

BINARY = os.environ["PARO_BINARY"]


def load_it(base: str, n_clients: int) -> None:
    """Short and long prompts from several clients at once."""
    body = {"messages": [{"role": "user", "content": "Count from 1 to 58. " * 40}], "max_tokens": 24, "temperature": 1}
    with concurrent.futures.ThreadPoolExecutor(n_clients) as clients:
        for answer in clients.map(lambda _: post(f"{base}/v1/chat/completions", body), range(2 * n_clients)):
            assert answer["usage"]["completion_tokens"] > 0


def check_peak(served: Served) -> float:
    plan, peak = served.memory(), served.peak_bytes()
    print(f"peak {peak / 2**20:.1f} MiB, plan {plan['plan_bytes'] / 2**20:.1f} MiB")
    assert peak <= plan["plan_bytes"] <= plan["budget_bytes"]
    assert abs(plan["peak_resident_bytes"] - peak) < 2**20
    assert plan["plan_bytes"] == sum(c["plan_bytes"] for c in plan["classes"])
    return peak / plan["plan_bytes"]


def test_demo_model_stays_within_its_plan() -> None:
    with serving(BINARY, DEMO) as served:
        load_it(served.base, 16)
        check_peak(served)


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = synthetic(BINARY, tmp_path_factory.mktemp("large") / "model", 3, DEMO_VOCAB_SIZE)
    yield directory
    shutil.rmtree(directory)


def test_plan_of_a_large_model_is_within_five_percent(large_model: Path) -> None:
    # What is set aside for grammars and for more clients than these is others' who come with them.
    flags = ["--max-context", "2048", "--grammar-memory", "0", "--max-connections", "16"]
    with serving(BINARY, large_model, *flags) as served:
        load_it(served.base, 4)
        assert check_peak(served) >= 0.95


def test_budget_too_small_is_refused_before_loading(large_model: Path) -> None:
    command = [BINARY, "serve", str(large_model), "--port", "0", "--memory-budget", "100MiB"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    for part in ("100.0 MiB", "weights", "--memory-budget"):
        assert part in refused.stderr, refused.stderr
