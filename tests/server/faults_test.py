"""Clients that do harm, by intent or not: the server stays within its memory plan, and another client is served meanwhile.

Runs the program named by PARO_BINARY on the demo model.
"""
from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

from moe_models import DEMO
from served import Served, get, post, serving, wait_until_it_listens

BINARY = os.environ["PARO_BINARY"]
PATIENCE_S = 60  # for a machine that others load
N_SLOW = 500
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
QUESTION = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}
ANSWER = "The capital of France is Paris."


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(BINARY, DEMO, "--max-context", "1024") as server:
        yield server
        memory = server.memory()
        assert server.peak_bytes() <= memory["plan_bytes"]


def connect(served: Served) -> socket.socket:
    address = urlsplit(served.base)
    return socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)


def head_of(path: str, n_bytes: int | None, *more: str) -> bytes:
    length = f"Content-Length: {n_bytes}" if n_bytes is not None else "Transfer-Encoding: chunked"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", length, *more, "", ""]).encode()


def request_of(path: str, body: dict) -> bytes:
    text = json.dumps(body).encode()
    return head_of(path, len(text)) + text


def ask(served: Served) -> None:
    answer = post(f"{served.base}{CHAT}", QUESTION)
    assert answer["choices"][0]["message"]["content"] == ANSWER


def ask_until_served(served: Served) -> None:
    """A full house may turn a client away for a moment; it comes again, as it is told to."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask(served)
        except urllib.error.HTTPError as refusal:
            assert refusal.code == 503 and refusal.headers["Retry-After"], refusal.code
        except OSError:  # no word is left for the many
            pass
        assert time.monotonic() < deadline, "another client is not served"
        time.sleep(0.2)


def status_of(connection: socket.socket) -> int:
    """Of the next answer; 0 where the server has closed."""
    with contextlib.suppress(ConnectionError):
        head = connection.recv(65536)
        return int(head.split(b" ", 2)[1]) if head else 0
    return 0


def read_to_the_end(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


# --- slow clients -----------------------------------------------------------------------------------------------------

SLOW = {
    "nothing": (b"", b""),
    "header": (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
    "body": (head_of(CHAT, 100_000), b"  "),
    "chunked body": (head_of(CHAT, None), b"1\r\n \r\n"),
}


@pytest.fixture
def many_files() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 2 * N_SLOW:
        pytest.skip(f"at most {limits[1]} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2 * N_SLOW), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@contextlib.contextmanager
def slow_clients(served: Served, begin: bytes, drop: bytes) -> Iterator[None]:
    """Each sends its drop again and again, and comes back when it is thrown out."""
    over = threading.Event()

    def trickle() -> None:
        connections: list[socket.socket | None] = [None] * N_SLOW
        while not over.is_set():
            for i, connection in enumerate(connections):
                try:
                    if connection is None:
                        connections[i] = connect(served)
                        connections[i].sendall(begin)
                    else:
                        connection.sendall(drop)
                except OSError:
                    if connections[i]:
                        connections[i].close()
                    connections[i] = None
            over.wait(0.3)
        for connection in filter(None, connections):
            connection.close()

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("kind", SLOW)
def test_others_are_served_while_500_clients_trickle(served: Served, many_files: None, kind: str) -> None:
    with slow_clients(served, *SLOW[kind]):
        time.sleep(1)  # they take every place
        for _ in range(5):
            ask_until_served(served)


def test_others_are_served_while_clients_do_not_read(served: Served, many_files: None) -> None:
    body = {"prompt": "The river ran", "max_tokens": 600, "ignore_eos": True, "stream": True, "logprobs": 20, "n": 2}
    request = request_of(COMPLETIONS, body)
    connections = []
    try:
        for _ in range(30):
            connections.append(connect(served))
            connections[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connections[-1].sendall(request)
        for _ in range(3):
            ask_until_served(served)
    finally:
        for connection in connections:
            connection.close()
    ask_until_served(served)


# --- large and odd requests -------------------------------------------------------------------------------------------


def send_all(connection: socket.socket, pieces: Iterator[bytes]) -> None:
    """Until the server has had enough."""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            connection.sendall(piece)


def test_a_body_of_a_gigabyte_is_refused_by_its_length(served: Served) -> None:
    with connect(served) as connection:
        connection.sendall(head_of(CHAT, 1 << 30))
        assert status_of(connection) == 413
    ask(served)


def test_a_body_of_a_gigabyte_in_chunks_is_refused_as_it_grows(served: Served) -> None:
    piece = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    with connect(served) as connection:
        connection.sendall(head_of(CHAT, None))
        send_all(connection, (piece for _ in range(1024)))
        assert status_of(connection) in (413, 0)  # what is unread at the end resets the connection
    ask(served)


def test_a_hundred_thousand_headers_are_refused(served: Served) -> None:
    with connect(served) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        send_all(connection, (f"X-Header-{i}: value\r\n".encode() for i in range(100_000)))
        assert status_of(connection) in (431, 0)
    ask(served)


@pytest.mark.parametrize("body", [
    b"[" * 200_000,
    b'{"messages":' + b'[{"a":' * 50_000,
    b'{"messages": ' + b"[" * 63 + b"]" * 63 + b"}",
    b'{"prompt": "x", "max_tokens": 1' + b"0" * 1_000_000 + b"}",
    b'{"prompt": "x", "temperature": 1e99999999}',
    b'{"prompt": "x", "seed": -1e400, "max_tokens": 1}',
    b'{"prompt": [1' + b"0" * 400 + b"]}",
    b'{"prompt": "' + b"\\u0000" * 100_000 + b'"}',
    b'{"prompt": "\xff\xfe"}',
    b'{"prompt": "\\ud800", "max_tokens": 1}',
], ids=["deep", "deeper", "nested", "long number", "huge", "tiny", "huge id", "zeros", "no UTF-8", "half a character"])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, "/v1/messages", "/tokenize"])
def test_odd_bodies_are_refused(served_once: Served, path: str, body: bytes) -> None:
    with connect(served_once) as connection:
        connection.sendall(head_of(path, len(body), "Connection: close") + body)
        answer = read_to_the_end(connection)
    status = int(answer.split(b" ", 2)[1])
    assert status == 400 or (path == "/tokenize" and status == 200), answer[-500:]


@pytest.fixture(scope="module")
def served_once() -> Iterator[Served]:
    with serving(BINARY, DEMO, "--max-context", "1024") as server:
        yield server
        ask(server)
        assert server.peak_bytes() <= server.memory()["plan_bytes"]


def test_requests_that_were_sent_ahead_are_answered_in_order(served: Served) -> None:
    asked = [request_of(COMPLETIONS, {"prompt": "One", "max_tokens": n, "ignore_eos": True}) for n in range(1, 21)]
    with connect(served) as connection:
        connection.sendall(b"".join(asked[:-1]) + asked[-1].replace(b"Host: x", b"Host: x\r\nConnection: close"))
        received = read_to_the_end(connection)
    counts = [json.loads(part.split(b"\r\n\r\n")[1].split(b"HTTP/1.1")[0])["usage"]["completion_tokens"]
              for part in received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert counts == list(range(1, 21))


def test_a_client_that_only_closes_its_sending_side_leaves_no_trace(served: Served) -> None:
    for body in (QUESTION, {**QUESTION, "stream": True}):
        with connect(served) as connection:
            connection.sendall(request_of(CHAT, body))
            connection.shutdown(socket.SHUT_WR)
            received = read_to_the_end(connection)
            assert not received or received.startswith(b"HTTP/1.1 200")
    ask(served)
    assert wait_for(lambda: b"paro_sequences_active 0" in metrics(served))


def metrics(served: Served) -> bytes:
    with urllib.request.urlopen(f"{served.base}/metrics", timeout=PATIENCE_S) as answer:
        return answer.read()


def wait_for(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


def test_large_answers_stay_within_the_plan(served: Served) -> None:
    """Each token with its twenty best is some kilobytes of JSON."""
    body = {"prompt": "The river ran", "max_tokens": 900, "ignore_eos": True, "logprobs": 20, "n": 32}
    with connect(served) as connection:
        connection.settimeout(300)
        connection.sendall(request_of(COMPLETIONS, body).replace(b"Host: x", b"Host: x\r\nConnection: close"))
        answer = read_to_the_end(connection)
    head, _, text = answer.partition(b"\r\n\r\n")
    document = json.loads(text)
    if head.startswith(b"HTTP/1.1 200"):
        assert len(document["choices"]) == 32
    else:
        assert head.startswith(b"HTTP/1.1 400") and document["error"]["code"] == "memory_plan_exceeded", answer[:1000]
    ask(served)


# --- the server's end -------------------------------------------------------------------------------------------------


def test_a_server_that_was_killed_starts_again_at_once(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [BINARY, "serve", str(DEMO), "--port", str(port), "--max-context", "1024"]
    for round_ in range(2):
        log = tmp_path / f"{round_}.log"
        with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                served = Served(wait_until_it_listens(process, log.read_text), process)
                ask(served)
                with connect(served) as connection:  # killed while it answers
                    connection.sendall(request_of(COMPLETIONS, {"prompt": "One", "ignore_eos": True, "stream": True}))
                    assert status_of(connection) == 200
                    process.kill()
                    assert not read_to_the_end(connection).endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
            finally:
                process.kill()


def test_answers_under_way_are_finished_when_the_server_is_stopped() -> None:
    with serving(BINARY, DEMO, "--max-context", "1024", "--grace", str(PATIENCE_S)) as served:
        body = {"prompt": "One", "max_tokens": 900, "ignore_eos": True, "stream": True, "n": 8}
        with connect(served) as connection:
            connection.sendall(request_of(COMPLETIONS, body))
            assert status_of(connection) == 200
            served.process.send_signal(signal.SIGTERM)
            received = read_to_the_end(connection)
        assert received.count(b'"finish_reason":"length"') == 8
        assert b"data: [DONE]" in received
        assert served.process.wait(PATIENCE_S) == 0
