"""model_settings.json: what it sets, what wins over it, and what it sets in vain."""
from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from program import DEMO, paro, refused, serving


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "demo"))


def write(file: Path, **settings: object) -> Path:
    file.write_text(json.dumps(settings))
    return file


def get(address: str, path: str) -> dict:
    with urllib.request.urlopen(address + path, timeout=60) as answer:
        return json.load(answer)


def complete(address: str, **members: object) -> dict:
    request = urllib.request.Request(address + "/v1/completions", json.dumps({"prompt": "a", **members}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_settings_of_the_models_directory_hold_below_requests(model: Path) -> None:
    write(model / "model_settings.json", temperature=0, max_tokens=5, max_context_window=512, model_alias="little",
          display_name="A little one")
    with serving(model=model) as server:
        answers = [complete(server.address, ignore_eos=True, model=name) for name in ("demo", "little")]
        assert answers[0]["choices"] == answers[1]["choices"]  # greedy
        assert answers[0]["usage"]["completion_tokens"] == 5
        assert complete(server.address, ignore_eos=True, max_tokens=7)["usage"]["completion_tokens"] == 7
        assert get(server.address, "/v1/models/little")["max_model_len"] == 512
        assert get(server.address, "/v1/memory")["max_context"] == 512


def test_flags_win_over_settings(model: Path) -> None:
    write(model / "model_settings.json", max_context_window=512)
    with serving("--max-context", 640, model=model) as server:
        assert get(server.address, "/v1/memory")["max_context"] == 640


def test_a_file_that_is_named_takes_the_place_of_the_models_own(model: Path, tmp_path: Path) -> None:
    write(model / "model_settings.json", max_context_window=512)
    named = write(tmp_path / "all.json", version=1, models={"demo": {"max_context_window": 768}})
    with serving("--model-settings", named, model=model) as server:
        assert get(server.address, "/v1/memory")["max_context"] == 768


def test_the_plan_knows_the_context_of_the_settings(model: Path) -> None:
    write(model / "model_settings.json", max_context_window=512)
    assert json.loads(paro("plan", model, "--json").stdout)["max_context"] == 512


def test_what_is_set_in_vain_is_warned_of(model: Path) -> None:
    write(model / "model_settings.json", mtp_enabled=True, ttl_seconds=60, is_pinned=False)
    with serving(model=model) as server:
        log = server.log
    assert "'ttl_seconds' is not known" in log and "is_pinned" not in log
    assert "'mtp_enabled' changes nothing" in log and "head for multi-token prediction: none" in log


def test_settings_that_cannot_be_are_refused_before_the_model_loads(model: Path, tmp_path: Path) -> None:
    file = write(model / "model_settings.json", temperature="hot")
    message = refused("serve", model, "--port", 0)
    assert str(file) in message and "'temperature'" in message
    assert "nowhere" in refused("serve", DEMO, "--port", 0, "--model-settings", tmp_path / "nowhere")
    other = write(tmp_path / "all.json", models={"other": {}})
    assert "'demo'" in refused("serve", DEMO, "--port", 0, "--model-settings", other)
