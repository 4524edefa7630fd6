"""`paro serve` as those see it who run it: its limits, origins, and how it ends."""
from __future__ import annotations

import http.client
import json
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from program import DEMO, MISUSED, PARO, paro, refused, serving


def request(connection: http.client.HTTPConnection, method: str, path: str, body: object = None,
            **headers: str) -> http.client.HTTPResponse:
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {"Content-Type": "application/json", **headers} if text else headers)
    return connection.getresponse()


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


# --- limits ---------------------------------------------------------------------------------------------------------


def server_bytes(*flags: object) -> int:
    plan = json.loads(paro("plan", DEMO, "--json", *flags).stdout)
    return next(c["plan_bytes"] for c in plan["classes"] if c["name"] == "server buffers")


def test_the_plan_counts_what_the_limits_allow() -> None:
    usual = server_bytes()
    assert server_bytes("--max-request-memory", "128MiB") == usual + (64 << 20)
    assert server_bytes("--max-connections", 256) == usual + 128 * (224 << 10)
    assert server_bytes("--max-header", "128KiB") == usual + 128 * (64 << 10)
    assert server_bytes("--http-threads", 4) > usual
    assert server_bytes("--grammar-memory", 0) == usual - (32 << 20)
    queues = [json.loads(paro("plan", DEMO, "--json", "--max-queue", n).stdout)["plan_bytes"] for n in (1, 1001)]
    assert queues[1] - queues[0] >= 1000 * 4 * 4096


def test_the_server_plans_as_the_plan_says() -> None:
    flags = ["--max-connections", 40, "--max-request-memory", "8MiB", "--max-body", "4MiB", "--max-queue", 9]
    planned = json.loads(paro("plan", DEMO, "--json", *flags).stdout)
    with serving(*flags) as server:
        memory = json.load(request(connect(server.port), "GET", "/v1/memory"))
    assert memory["plan_bytes"] == planned["plan_bytes"]


@pytest.mark.parametrize("flags", [
    ["--max-connections", "0"], ["--max-connections", "1000000"], ["--max-queue", "0"], ["--http-threads", "0"],
    ["--max-header", "1"], ["--max-header", "1GiB"], ["--max-body", "50%"], ["--max-body", "many"], ["--grammar-memory", "27MiB"],
    ["--temp", "nan"], ["--top-p", "nan"],
    ["--max-body", "65MiB"], ["--max-request-memory", "1MiB"], ["--idle-timeout", "0"], ["--read-timeout", "-1"],
    ["--write-timeout", "inf"], ["--ping-interval", "nan"], ["--cors-origin", "chat.example.org"],
])
def test_limits_that_mean_nothing_are_misuse(flags: list[str]) -> None:
    assert flags[0].removeprefix("--max-request-memory") in refused("serve", DEMO, "--port", 0, *flags, code=MISUSED)


def test_limits_hold() -> None:
    with serving("--max-body", "10KiB", "--max-header", "2KiB", "--read-timeout", 0.5, "--idle-timeout", 0.5) as server:
        answer = request(connect(server.port), "POST", "/v1/completions", {"prompt": "a" * 11000})
        assert answer.status == 413 and "10240" in answer.read().decode()
        assert request(connect(server.port), "GET", "/health", Long="a" * 3000).status == 431
        for sent in (b"", b"POST /v1/comp"):  # an idle client, and a slow one
            client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            client.sendall(sent)
            assert client.recv(100) == b""


def test_a_connection_too_many_is_told_so() -> None:
    with serving("--max-connections", 1) as server:
        first, second = connect(server.port), connect(server.port)
        assert request(first, "GET", "/health").read() == b'{"status":"ok"}'
        assert request(second, "GET", "/health").status == 503


def test_more_connections_than_files_may_be_open_are_refused() -> None:
    def lower(hard: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

    command = [PARO, "serve", str(DEMO), "--port", "0", "--max-connections", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: lower(500))
    assert done.returncode == MISUSED and "--max-connections 1000" in done.stderr and "500" in done.stderr
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: lower(2000)) as server:
        assert "listening" in server.stderr.readline()
        assert re.search(r"Max open files +1256 ", Path(f"/proc/{server.pid}/limits").read_text())
        server.kill()


# --- origins --------------------------------------------------------------------------------------------------------


def test_origins_that_are_not_listed_are_refused() -> None:
    with serving("--cors-origin", "https://chat.example.org", "--cors-origin", "http://localhost:3000") as server:
        client = connect(server.port)
        listed = request(client, "GET", "/health", Origin="http://localhost:3000")
        assert listed.read() and listed.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert listed.headers["Vary"] == "Origin"
        other = request(client, "GET", "/health", Origin="http://localhost:3001")
        assert other.status == 403 and other.headers["Access-Control-Allow-Origin"] is None


# --- the end --------------------------------------------------------------------------------------------------------


def test_a_stream_under_way_is_finished_within_the_grace() -> None:
    n_tokens = 200
    with serving("--grace", 60) as server:
        stream = request(connect(server.port), "POST", "/v1/completions",
                         {"prompt": "a", "max_tokens": n_tokens, "ignore_eos": True, "stream": True, "temperature": 0,
                          "stream_options": {"include_usage": True}})
        first = stream.readline()
        server.process.send_signal(signal.SIGTERM)
        text = (first + stream.read()).decode()
        assert text.rstrip().endswith("data: [DONE]") and '"error"' not in text
        events = [json.loads(line.removeprefix("data: ")) for line in text.splitlines()
                  if line.startswith("data: {")]
        assert events[-1]["usage"]["completion_tokens"] == n_tokens
        assert server.process.wait(timeout=60) == 0


def test_a_server_that_stops_takes_no_more_clients() -> None:
    with serving("--grace", 60) as server:
        stream = request(connect(server.port), "POST", "/v1/completions",
                         {"prompt": "a", "max_tokens": 1500, "ignore_eos": True, "stream": True})
        stream.readline()
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 60
        while server.process.poll() is None and time.monotonic() < deadline:
            try:
                request(connect(server.port), "GET", "/health").read()
                time.sleep(0.02)
            except OSError:
                break
        else:
            pytest.fail("new clients are served as long as a stream goes on")
