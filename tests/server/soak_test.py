"""A minute of `make soak`: every promise of the memory plan, under load and in control groups."""
from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

import soak


def test_servers_keep_their_plans_under_load() -> None:
    with tempfile.TemporaryDirectory() as folder:  # a GB, not to be kept as pytest keeps its own
        results = soak.soak(Path(os.environ["PARO_BINARY"]), Path(folder), quick=True)
    assert results and [f"{r.model}, {r.name}: {problem}" for r in results for problem in r.problems] == []
