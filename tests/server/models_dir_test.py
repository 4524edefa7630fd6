"""Several models of one directory behind one server, with room in memory for one at a time, and for both.

Runs the program named by PARO_BINARY on copies of the demo model.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

from moe_models import DEMO
from served import Served, get, own_environment, plan_of, post, serving, wait_until_it_listens

BINARY = os.environ["PARO_BINARY"]
STOP_TIMEOUT_S = 60
SIZES = ("--max-context", "2048", "--max-batch", "2")
IDS = ("first", "organisation/second")
N_SWITCHES = 20
N_AT_ONCE = 8  # requests to each model
PROMPTS = ("The river runs past", "Once upon a time", "Two and two", "The children count")


def room_for(n_models: float) -> int:
    """A budget in bytes."""
    plan = plan_of(BINARY, DEMO, *SIZES)
    server = sum(each["plan_bytes"] for each in plan["classes"] if each["name"] == "server buffers")
    return server + int(n_models * (plan["plan_bytes"] - server))


@pytest.fixture(scope="module")
def budget_bytes() -> int:
    return room_for(1.5)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models that are whole, one whose config and one whose tensors end early."""
    directory = tmp_path_factory.mktemp("models")
    for name in (*IDS, "broken", "cut"):
        shutil.copytree(DEMO, directory / name)
    (directory / "broken/config.json").write_text("{")
    for tensors in (directory / "cut").glob("*.safetensors"):
        os.truncate(tensors, tensors.stat().st_size // 2)
    return directory


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """What a server of the model alone answers."""
    with serving(BINARY, DEMO, *SIZES) as alone:
        return {prompt: answer(alone, prompt) for prompt in PROMPTS}


@pytest.fixture(scope="module")
def served(directory: Path, budget_bytes: int) -> Iterator[Served]:
    with serving_all(directory, budget_bytes) as served:
        yield served


@contextmanager
def serving_all(directory: Path, budget_bytes: int) -> Iterator[Served]:
    """A server of the directory. It is stopped with SIGTERM and has to end well."""
    command = [BINARY, "serve", "--models-dir", str(directory), "--port", "0", "--memory-budget", str(budget_bytes), *SIZES]
    with tempfile.NamedTemporaryFile(prefix="paro-serve-", suffix=".log") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=own_environment())
        try:
            yield Served(wait_until_it_listens(process, lambda: Path(log.name).read_text(errors="replace")), process)
            process.terminate()
            assert process.wait(STOP_TIMEOUT_S) == 0, "the server did not stop cleanly"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def answer(served: Served, prompt: str, **fields: str) -> str:
    body = {"prompt": prompt, "temperature": 0, "max_tokens": 12, **fields}
    return post(f"{served.base}/v1/completions", body)["choices"][0]["text"]


def states(served: Served) -> dict[str, str]:
    return {model["id"]: model["status"]["value"] for model in get(f"{served.base}/v1/models")["data"]}


def resident_bytes(served: Served) -> int:
    pages = int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def refused(served: Served, **fields: str) -> tuple[int, dict]:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        answer(served, PROMPTS[0], **fields)
    return refusal.value.code, json.load(refusal.value)["error"]


def test_a_model_gives_way_to_the_next_one(served: Served) -> None:
    for name, other in (IDS, IDS[::-1]):
        answer(served, PROMPTS[0], model=name)
        assert (states(served)[name], states(served)[other]) == ("loaded", "unloaded")


def test_both_stay_where_there_is_room(directory: Path, expected: dict[str, str]) -> None:
    with serving_all(directory, room_for(2)) as served:
        for name in IDS:
            assert states(served)[name] == "unloaded"
            assert answer(served, PROMPTS[0], model=name) == expected[PROMPTS[0]]
        assert [states(served)[name] for name in IDS] == ["loaded", "loaded"]
        assert served.peak_bytes() < room_for(2)


def test_requests_to_both_at_once_are_answered_as_by_a_server_of_one(
        served: Served, expected: dict[str, str], budget_bytes: int) -> None:
    asked = [(name, PROMPTS[i % len(PROMPTS)]) for i in range(N_AT_ONCE) for name in IDS]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda each: answer(served, each[1], model=each[0]), asked))
    assert answers == [expected[prompt] for _, prompt in asked]
    assert served.peak_bytes() < budget_bytes


def test_switches_leave_nothing_behind(served: Served, expected: dict[str, str], budget_bytes: int) -> None:
    resident = []
    for i in range(N_SWITCHES):
        prompt = PROMPTS[i // 2 % len(PROMPTS)]
        assert answer(served, prompt, model=IDS[i % 2]) == expected[prompt]
        resident.append(resident_bytes(served))
    print("resident MiB:", *(n >> 20 for n in resident), "peak", served.peak_bytes() >> 20, "of", budget_bytes >> 20)
    assert max(resident[N_SWITCHES // 2:]) - max(resident[:N_SWITCHES // 2]) < 4 << 20
    assert served.peak_bytes() < budget_bytes


def test_what_cannot_be_served_says_so_and_harms_nothing(served: Served) -> None:
    status, error = refused(served, model="broken")
    assert status >= 400 and "config.json" in error["message"]
    status, error = refused(served, model="cut")
    assert status >= 400 and ".safetensors" in error["message"]
    assert refused(served, model="absent")[0] == 404
    status, error = refused(served)
    assert status == 400 and error["param"] == "model"
    assert answer(served, PROMPTS[0], model=IDS[0])
