"""Runs `paro` as a user does: the program that PARO_BINARY names."""
from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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


class Server:
    """A running `paro serve` of the test: where it listens, and its process."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: str) -> None:
        self.process = process
        self.log = log  # until it listened
        self.address = address  # as its log tells it: http://127.0.0.1:PORT, or unix:PATH

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def stop(self, timeout_s: float = 60) -> str:
        """Stops it in order; the rest of its log."""
        self.process.terminate()
        _, log = self.process.communicate(timeout=timeout_s)
        assert self.process.returncode == 0, log
        return log


@contextmanager
def serving(*flags: object, model: object = DEMO, env: dict[str, str] | None = None) -> Iterator[Server]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARO_")}
    command = [PARO, "serve", str(model), *([] if "--host" in flags else ["--port", "0"]), *map(str, flags)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env={**clean, **(env or {})})
    try:
        log = ""
        for line in process.stderr:
            log += line
            if found := re.search(r"listening on (\S+)", line):
                yield Server(process, found[1], log)
                break
        else:
            raise AssertionError(f"the server ended before it listened:\n{log}")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
