"""Beginnings of prompts on disk, as the program keeps them: across restarts, also when it is killed while it writes.

Runs the program named by PARO_BINARY on the demo model.
"""
from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

from moe_models import DEMO
from served import Served, own_environment, post, serving, wait_until_it_listens

BINARY = os.environ["PARO_BINARY"]
PATIENCE_S = 60  # for a machine that others load
SIZES = ("--max-context", "2048", "--max-batch", "2")
WORDS = "The river runs past the old mill and the children count the boats that come down from the hills. "


def prompt(number: int, n_repeats: int = 40) -> str:
    return f"Story {number}. " + WORDS * n_repeats


def answer(served: Served, text: str) -> tuple[str, int]:
    """What the model says, and how many tokens of the prompt it did not run."""
    body = {"prompt": text, "temperature": 0, "max_tokens": 12}
    answered = post(f"{served.base}/v1/completions", body)
    return answered["choices"][0]["text"], answered["usage"]["prompt_tokens_details"]["cached_tokens"]


def on_disk(directory: Path, n_bytes: str = "1GiB") -> list[str]:
    return ["--prefix-disk", str(directory), "--prefix-disk-bytes", n_bytes, *SIZES]


def whole_files(directory: Path) -> list[Path]:
    return [file for file in directory.glob("*/*") if re.fullmatch("[0-9a-f]{32}", file.name)]


@contextlib.contextmanager
def doomed(*flags: str) -> Iterator[Served]:
    """A server that is killed when the block ends, whatever it does then."""
    with tempfile.NamedTemporaryFile(prefix="paro-serve-", suffix=".log") as log:
        command = [BINARY, "serve", str(DEMO), "--port", "0", *flags]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=own_environment())
        try:
            yield Served(wait_until_it_listens(process, lambda: Path(log.name).read_text(errors="replace")), process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def test_a_restarted_server_goes_on_where_a_prompt_began(tmp_path: Path) -> None:
    with serving(BINARY, DEMO, *SIZES) as served:
        plain, _ = answer(served, prompt(1))
    with serving(BINARY, DEMO, *on_disk(tmp_path)) as served:
        assert answer(served, prompt(1)) == (plain, 0)
    with serving(BINARY, DEMO, *on_disk(tmp_path)) as served:
        text, n_cached = answer(served, prompt(1))
        assert text == plain
        assert n_cached > 500
        assert served.peak_bytes() <= served.memory()["plan_bytes"]


def test_a_server_that_is_killed_while_it_writes_leaves_nothing_but_blocks(tmp_path: Path) -> None:
    numbers = range(6)
    with serving(BINARY, DEMO, *SIZES) as served:
        plain = [answer(served, prompt(number))[0] for number in numbers]
    for n_files in (1, 30, 90):
        with doomed(*on_disk(tmp_path)) as served:

            def ask() -> None:
                with contextlib.suppress(OSError, urllib.error.URLError):
                    for number in numbers:
                        answer(served, prompt(number))

            asking = threading.Thread(target=ask)
            asking.start()
            deadline = time.monotonic() + PATIENCE_S
            while len(whole_files(tmp_path)) < n_files and time.monotonic() < deadline:
                time.sleep(0.001)
        asking.join()
        assert len(whole_files(tmp_path)) >= n_files
    with serving(BINARY, DEMO, *on_disk(tmp_path)) as served:
        got = [answer(served, prompt(number)) for number in numbers]
        assert [text for text, _ in got] == plain
        assert got[0][1] > 0
    assert not list(tmp_path.glob("*/*.part"))


def test_files_stay_within_their_limit(tmp_path: Path) -> None:
    with serving(BINARY, DEMO, *on_disk(tmp_path)) as served:
        answer(served, prompt(0))
    limit = 2 * sum(file.stat().st_size for file in whole_files(tmp_path))
    with serving(BINARY, DEMO, *on_disk(tmp_path, str(limit))) as served:
        for number in range(5):
            answer(served, prompt(number))
    assert 0 < sum(file.stat().st_size for file in whole_files(tmp_path)) <= limit


def test_a_write_that_fails_ends_all_writing_and_no_answer(tmp_path: Path) -> None:
    n_bytes = 40_000  # less than a block's file, more than the log
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    log = tmp_path / "log"
    directory = tmp_path / "blocks"
    with log.open("wb") as out:
        command = [BINARY, "serve", str(DEMO), "--port", "0", *on_disk(directory)]
        process = subprocess.Popen(command, stdout=out, stderr=out, env=own_environment(), preexec_fn=limit)
        try:
            served = Served(wait_until_it_listens(process, log.read_text), process)
            text, n_cached = answer(served, prompt(1))
            assert n_cached == 0
            again, n_cached = answer(served, prompt(1))
            assert again == text
            assert n_cached > 500, "it is in memory"
            answer(served, prompt(2))
        finally:
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
    assert log.read_text().count("no longer written to the disk") == 1
    assert not list(directory.glob("*/*"))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--prefix-disk-bytes", "1GiB"], "--prefix-disk"),
        (["--prefix-disk", "cache", "--prefix-disk-bytes", "10"], "expected at least"),
        (["--prefix-disk", "cache", "--prefix-cache", "0"], "--prefix-cache 0"),
        (["--prefix-disk", "/dev/null/cache"], "/dev/null/cache"),
    ],
)
def test_flags_that_keep_nothing_are_refused(tmp_path: Path, flags: list[str], expected: str) -> None:
    done = subprocess.run([BINARY, "serve", str(DEMO), "--port", "0", *flags], capture_output=True, text=True,
                          cwd=tmp_path, env=own_environment(), timeout=PATIENCE_S)
    assert done.returncode != 0
    assert expected in done.stderr
