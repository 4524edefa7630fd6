"""Talks to paro_match_schema, one line a request."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

DEFAULT_DRIVER = Path(__file__).resolve().parents[2] / "build/release/tools/schema_suite/paro_match_schema"


class Driver:
    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         encoding="utf-8")

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"paro_match_schema ended with {self._process.wait(timeout=30)}")
        answer: dict[str, Any] = json.loads(line)
        return answer
