"""Runs `paro` as a user does: the program that PARO_BINARY names."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARO = os.environ.get("PARO_BINARY", str(ROOT / "build/release/paro"))
DEMO = ROOT / "models/demo"
GOLDENS = ROOT / "tests/goldens"
FAILED, MISUSED = 1, 2


def paro(*arguments: object, code: int = 0, stdin: str = "", env: dict[str, str] | None = None,
         timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARO_")}
    done = subprocess.run([PARO, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=timeout_s, env={**clean, **(env or {})})
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def refused(*arguments: object, code: int = FAILED, **options) -> str:
    """The message with which a command fails: one that begins with the program's name."""
    done = paro(*arguments, code=code, **options)
    assert done.stderr.startswith("paro: "), done.stderr
    return done.stderr
