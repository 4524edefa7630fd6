"""A server of paro as a process of ours: its plan, its memory, and JSON over HTTP."""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cgroup import MemoryGroup

START_TIMEOUT_S, STOP_TIMEOUT_S = 300, 60
LOG_TAIL_CHARS = 2000


class ServerFailed(Exception):
    """A server that does not start, or does not end as it should."""


@dataclass(frozen=True)
class Served:
    base: str  # "http://127.0.0.1:8000"
    process: subprocess.Popen[bytes]

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def memory(self) -> dict:
        return get(f"{self.base}/v1/memory")

    def peak_bytes(self) -> int:
        return peak_bytes(self.process.pid)


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)


def peak_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ServerFailed(f"process {pid} has no VmHWM: it has ended")


def own_environment() -> dict[str, str]:
    """Without flags of paro."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PARO_")}


def plan_of(paro: Path | str, model: Path, *flags: str) -> dict:
    """What `paro plan` says, also of a plan that does not fit."""
    done = subprocess.run([str(paro), "plan", str(model), "--json", *flags], capture_output=True, text=True,
                          env=own_environment(), timeout=START_TIMEOUT_S)
    if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
        raise ServerFailed(f"paro plan {model} {' '.join(flags)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


@contextlib.contextmanager
def serving(paro: Path | str, model: Path, *flags: str, group: MemoryGroup | None = None) -> Iterator[Served]:
    """A server that listens, in the group if there is one. It is stopped with SIGTERM and has to end well."""
    command = [str(paro), "serve", str(model), "--port", "0", *flags]
    with tempfile.NamedTemporaryFile(prefix="paro-serve-", suffix=".log") as log:
        process = subprocess.Popen(group.command(command) if group else command, stdout=log, stderr=log,
                                   env=own_environment())
        text = lambda: Path(log.name).read_text(errors="replace")
        try:
            yield Served(wait_until_it_listens(process, text), process)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(STOP_TIMEOUT_S)
            if process.returncode != 0:
                raise ServerFailed(f"the server ended with {process.returncode}: {text()[-LOG_TAIL_CHARS:]}")
        except subprocess.TimeoutExpired as error:
            raise ServerFailed(f"the server does not end within {STOP_TIMEOUT_S} s of SIGTERM") from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_until_it_listens(process: subprocess.Popen[bytes], log_text) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if listening := re.search(r"listening on (http://\S+)", log_text()):
            return listening[1]
        if process.poll() is not None:
            raise ServerFailed(f"the server ended with {process.returncode}: {log_text()[-LOG_TAIL_CHARS:]}")
        time.sleep(0.05)
    raise ServerFailed(f"the server does not listen after {START_TIMEOUT_S} s")
