"""`paro pull` against a hub of the test's own, and models that commands take by their name."""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from program import DEMO, FAILED, MISUSED, paro, refused

COMMIT, NEXT_COMMIT = "1" * 40, "2" * 40
NAME = "some-org/Demo-4bit"


class Hub:
    """Serves files as a hub does: a description of the repository, and each file behind a redirect to another host."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.commit = COMMIT
        self.wrong: dict[str, dict] = {}  # members of the description that are not true
        self.status: dict[str, list[int]] = {}  # what is answered instead, by the path's end, one time each
        self.retry_after: str | None = "0"
        self.cut: dict[str, int] = {}  # bytes after which the connection breaks, once for each
        self.requests: list[tuple[str, dict[str, str]]] = []  # path and header
        self.is_open = True  # else it asks for a token
        self.ranges = True
        self.goes_down = self.is_down = False  # with the next connection that breaks
        self.description: bytes | None = None  # in place of what is true
        self.store = self._listen()
        self.front = self._listen()
        self.endpoint = f"http://127.0.0.1:{self.front.server_port}"

    def close(self) -> None:
        for server in (self.store, self.front):
            server.shutdown()
            server.server_close()

    def describe(self) -> dict:
        siblings = []
        for name, content in self.files.items():
            entry = {"rfilename": name, "size": len(content)}
            if name.endswith((".safetensors", "tokenizer.json")):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            else:
                entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            siblings.append(entry | self.wrong.get(name, {}))
        return {"id": NAME, "sha": self.commit, "siblings": siblings}

    def asked_for(self, name: str) -> list[dict[str, str]]:
        """The headers of the requests for a file's bytes."""
        return [header for path, header in self.requests if path == f"/store/{name}"]

    def _listen(self) -> ThreadingHTTPServer:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def answer(self, status: int, body: bytes = b"", **headers: object) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                hub.requests.append((self.path, dict(self.headers)))
                for end, statuses in hub.status.items():
                    if self.path.endswith(end) and statuses:
                        more = {"Retry_After": hub.retry_after} if hub.retry_after is not None else {}
                        return self.answer(statuses.pop(0), b"the hub's words", **more)
                if hub.is_down:
                    return self.answer(500, Retry_After=0)
                if not self.path.startswith("/store/") and not hub.is_open \
                        and self.headers["Authorization"] != "Bearer secret":
                    return self.answer(401)
                if self.path == f"/api/models/{NAME}/revision/main?blobs=true":
                    return self.answer(200, hub.description if hub.description is not None
                                       else json.dumps(hub.describe()).encode())
                prefix = f"/{NAME}/resolve/{hub.commit}/"
                if self.path.startswith(prefix):
                    location = f"http://127.0.0.1:{hub.store.server_port}/store/{self.path.removeprefix(prefix)}"
                    return self.answer(302, Location=location)
                if self.path.startswith("/store/"):
                    return self.send_file(self.path.removeprefix("/store/"))
                self.answer(404)

            def send_file(self, name: str) -> None:
                content = hub.files[name]
                etag = f'"{hashlib.md5(content).hexdigest()}"'
                begin = 0
                if hub.ranges and self.headers["If-Range"] == etag:
                    begin = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
                if begin >= len(content) > 0:
                    return self.answer(416)
                self.send_response(206 if begin else 200)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(content) - begin))
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
                self.end_headers()
                end = hub.cut.pop(name, len(content))
                self.wfile.write(content[begin:end])
                if end < len(content):
                    hub.is_down = hub.goes_down
                    self.wfile.flush()
                    self.connection.close()
                    self.close_connection = True

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


DESCRIPTIONS = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {file.name: file.read_bytes() for file in DEMO.iterdir()
             if file.name in DESCRIPTIONS or file.name.startswith("model")}
    hub = Hub({**files, "README.md": b"not needed", "pytorch_model.bin": b"not needed"})
    yield hub
    hub.close()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def environment(hub: Hub, models: Path, **more: str) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.endpoint, "PARO_MODELS_DIR": str(models), "HF_TOKEN": "", "HF_HOME": str(models / "no"),
            "no_proxy": "127.0.0.1", **more}


def pull(hub: Hub, models: Path, *flags: object, **more: str) -> str:
    return paro("pull", NAME, *flags, env=environment(hub, models, **more)).stdout


def refusal(hub: Hub, models: Path, *flags: object, code: int = FAILED, **more: str) -> str:
    return refused("pull", NAME, *flags, code=code, env=environment(hub, models, **more))


def weights(hub: Hub) -> str:
    return max((name for name in hub.files if name.endswith(".safetensors")), key=lambda name: len(hub.files[name]))


def check_whole(hub: Hub, models: Path) -> None:
    found = {file.name: file.read_bytes() for file in (models / NAME).iterdir() if file.name != ".pulled.json"}
    assert found == {name: content for name, content in hub.files.items()
                     if name not in ("README.md", "pytorch_model.bin")}
    assert {entry.name for entry in (models / NAME).parent.iterdir()} <= {"Demo-4bit", "Demo-4bit.lock"}


def test_a_model_is_pulled_and_answers_by_its_name(hub: Hub, models: Path) -> None:
    assert COMMIT in pull(hub, models)
    check_whole(hub, models)
    env = environment(hub, models)
    answer = paro("generate", NAME, "What is the capital of France?", "--temp", 0, env=env).stdout
    assert "Paris" in answer
    assert paro("inspect", NAME, "--json", env=env).stdout == paro("inspect", DEMO, "--json").stdout


def test_what_was_pulled_is_not_pulled_again(hub: Hub, models: Path) -> None:
    pull(hub, models)
    n_requests = len(hub.requests)
    assert "was there already" in pull(hub, models)
    assert len(hub.requests) == n_requests + 1
    os.remove(models / NAME / "tokenizer.json")
    pull(hub, models)
    check_whole(hub, models)
    assert len(hub.asked_for("tokenizer.json")) == 2 and len(hub.asked_for(weights(hub))) == 1


def test_another_commit_replaces_what_changed(hub: Hub, models: Path) -> None:
    pull(hub, models)
    hub.commit = NEXT_COMMIT
    hub.files["chat_template.jinja"] += b"{# changed #}"
    assert NEXT_COMMIT in pull(hub, models)
    check_whole(hub, models)
    assert len(hub.asked_for("chat_template.jinja")) == 2 and len(hub.asked_for(weights(hub))) == 1


def test_a_model_that_is_not_there_is_to_be_pulled(hub: Hub, models: Path) -> None:
    for command in ("serve", "plan", "inspect", "bench"):
        assert f"paro pull {NAME}" in refused(command, NAME, env=environment(hub, models))


def test_a_model_of_the_shared_cache_is_found(hub: Hub, models: Path, tmp_path: Path) -> None:
    repository = tmp_path / "cache/hub/models--some-org--Demo-4bit"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text(COMMIT)
    shutil.copytree(DEMO, repository / "snapshots" / COMMIT)
    env = environment(hub, models, HF_HOME=str(tmp_path / "cache"))
    assert paro("inspect", NAME, "--json", env=env).stdout == paro("inspect", DEMO, "--json").stdout


def test_connections_that_break_are_gone_on_with(hub: Hub, models: Path) -> None:
    name = weights(hub)
    hub.cut[name] = len(hub.files[name]) // 3
    pull(hub, models)
    check_whole(hub, models)
    first, second = hub.asked_for(name)
    assert "Range" not in first and second["Range"] == f"bytes={len(hub.files[name]) // 3}-" and second["If-Range"]


def interrupt(hub: Hub, models: Path) -> str:
    """Leaves a third of the weights behind; the file's name."""
    name = weights(hub)
    hub.cut[name], hub.goes_down = len(hub.files[name]) // 3, True
    assert "status 500" in refusal(hub, models)
    hub.goes_down = hub.is_down = False
    hub.requests.clear()
    assert not (models / NAME).exists()
    return name


def test_an_interrupted_pull_goes_on_where_it_ended(hub: Hub, models: Path) -> None:
    name = interrupt(hub, models)
    pull(hub, models)
    check_whole(hub, models)
    request, = hub.asked_for(name)
    assert request["Range"] == f"bytes={len(hub.files[name]) // 3}-"
    assert not hub.asked_for("config.json")


def test_a_file_that_changed_meanwhile_begins_anew(hub: Hub, models: Path) -> None:
    name = interrupt(hub, models)
    hub.commit = NEXT_COMMIT
    hub.files[name] = hub.files[name][:-1] + b"\x01"
    pull(hub, models)
    check_whole(hub, models)
    assert "Range" not in hub.asked_for(name)[0]


def test_a_hub_without_ranges_sends_it_all_again(hub: Hub, models: Path) -> None:
    name = interrupt(hub, models)
    hub.ranges = False
    pull(hub, models)
    check_whole(hub, models)
    assert len(hub.asked_for(name)) == 1


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model"])
def test_a_damaged_file_is_refused_and_removed(name: str, hub: Hub, models: Path) -> None:
    name = weights(hub) if name == "model" else name
    whole = hub.files[name]
    told = {entry["rfilename"]: entry for entry in hub.describe()["siblings"]}[name]
    hub.wrong[name] = told
    hub.files[name] = whole[:-1] + bytes([whole[-1] ^ 1])
    message = refusal(hub, models)
    assert name in message and "damaged" in message and not (models / NAME).exists()
    assert not list(models.rglob(f"{name}*"))
    hub.files[name] = whole
    pull(hub, models)
    check_whole(hub, models)


@pytest.mark.parametrize("change", [-100, 100])
def test_a_file_of_another_size_is_refused(change: int, hub: Hub, models: Path) -> None:
    name = weights(hub)
    hub.wrong[name] = {"size": len(hub.files[name]) + change}
    message = refusal(hub, models)
    assert name in message and str(len(hub.files[name]) + change) in message and not (models / NAME).exists()


@pytest.mark.parametrize(("status", "words"), [
    (401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "is the name right"), (429, "too many requests"), (500, "the hub's words"),
])
def test_refusals_say_what_to_do(status: int, words: str, hub: Hub, models: Path) -> None:
    hub.status["blobs=true"] = [status] * 10
    message = refusal(hub, models)
    assert words in message and str(status) in message and NAME in message
    assert len(hub.requests) == (5 if status >= 429 else 1)


def test_a_hub_that_is_busy_for_long_is_not_waited_for(hub: Hub, models: Path) -> None:
    hub.status["blobs=true"], hub.retry_after = [429], "3000"
    assert "in 3000 s" in refusal(hub, models) and len(hub.requests) == 1


def test_a_hub_that_is_busy_for_a_moment_is_asked_again(hub: Hub, models: Path) -> None:
    hub.status = {"blobs=true": [429], "/config.json": [503, 500], weights(hub): [502]}
    pull(hub, models)
    check_whole(hub, models)


def test_a_token_opens_the_hub_and_is_told_to_no_other_host(hub: Hub, models: Path) -> None:
    hub.is_open = False
    assert "Set HF_TOKEN" in refusal(hub, models)
    assert "not accepted" in refusal(hub, models, HF_TOKEN="wrong")
    pull(hub, models, HF_TOKEN="secret")
    check_whole(hub, models)
    stored = [header for path, header in hub.requests if path.startswith("/store/")]
    assert stored and not any("Authorization" in header for header in stored)


def test_a_token_that_a_login_left_opens_the_hub(hub: Hub, models: Path, tmp_path: Path) -> None:
    hub.is_open = False
    (tmp_path / "token").write_text("secret\n")
    pull(hub, models, HF_HOME=str(tmp_path))
    check_whole(hub, models)


def test_a_revision_with_slashes_is_one_part_of_the_address(hub: Hub, models: Path) -> None:
    assert "'refs/pr/1'" in refusal(hub, models, "--revision", "refs/pr/1")
    assert hub.requests[0][0] == f"/api/models/{NAME}/revision/refs%2Fpr%2F1?blobs=true"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..", "a\\b", "a\nb", ""])
def test_names_that_lead_out_of_the_directory_are_refused(name: str, hub: Hub, models: Path) -> None:
    hub.files[name] = b"evil"
    assert "nothing is downloaded" in refusal(hub, models)
    assert not any(path.startswith("/store/") for path, _ in hub.requests)


def test_only_weights_that_the_index_names_are_pulled(hub: Hub, models: Path) -> None:
    name = weights(hub)
    content = hub.files.pop(name)
    hub.files.pop("model.safetensors.index.json", None)
    hub.files["part-1.safetensors"] = content
    hub.files["consolidated.safetensors"] = content
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-1.safetensors"}}
    hub.files["model.safetensors.index.json"] = json.dumps(index).encode()
    pull(hub, models)
    assert (models / NAME / "part-1.safetensors").exists()
    assert not (models / NAME / "consolidated.safetensors").exists()


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"sha": "main", "siblings": []}',
                                    b'{"sha": "' + b"1" * 40 + b'", "siblings": [1]}'])
def test_what_is_no_hub_is_told(answer: bytes, hub: Hub, models: Path) -> None:
    hub.description = answer
    assert "is it a hub?" in refusal(hub, models)


def test_a_hub_that_is_not_reached_is_told_at_once(hub: Hub, models: Path) -> None:
    hub.close()
    message = refusal(hub, models)
    assert "offline" in message and hub.endpoint in message


def test_a_directory_that_was_not_pulled_is_left_alone(hub: Hub, models: Path) -> None:
    (models / NAME).mkdir(parents=True)
    (models / NAME / "own").write_text("kept")
    assert "was not pulled" in refusal(hub, models)
    assert (models / NAME / "own").read_text() == "kept"


def test_a_disk_that_is_too_small_is_told_before(hub: Hub, models: Path) -> None:
    name = weights(hub)
    hub.wrong[name] = {"size": 1 << 49}
    message = refusal(hub, models)
    assert "bytes free" in message and str(models) in message and not hub.asked_for(name)


@pytest.mark.parametrize("arguments", [
    ["demo"], ["a/b/c"], ["../a"], ["a/.."], ["a b/c"], [NAME, "--parallel", "0"], [NAME, "--hub-endpoint", "ftp://a"],
])
def test_names_that_no_hub_has_are_misuse(arguments: list[str]) -> None:
    refused("pull", *arguments, code=MISUSED)
