#!/usr/bin/env python3
"""Tokens a second of whole answers through the server, for numbers of clients, in turns with llama-server.

usage: throughput.py PARO [--model models/demo] [--clients 1,16] [--repetitions 5]
                     [--peer LLAMA_SERVER --gguf MODEL.gguf]

Each client asks again and again for as many tokens after as many random ones, until its share is done. All servers run at
once, so that each repetition is in the same minute, but one is asked at a time. The file of the peer has to hold the same
geometry and vocabulary.
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "memory"), str(HERE.parent / "peers")]

from http_client import COMPLETIONS, Client
from measure import machine
from served import START_TIMEOUT_S, STOP_TIMEOUT_S, ServerFailed, get, serving

DEMO = HERE.parents[1] / "models/demo"
FIRST_TOKEN = 300  # behind special and byte tokens, whatever the tokenizer


@contextlib.contextmanager
def peer_serving(program: Path, gguf: Path, n_slots: int, n_context: int, n_threads: int, flags: list[str]) -> Iterator[str]:
    """A llama-server with a slot for every client; prompts are not kept, as they never come again."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(program), "--model", str(gguf), "--host", "127.0.0.1", "--port", str(port), "--parallel", str(n_slots),
               "--ctx-size", str(n_slots * n_context), "--threads", str(n_threads), "--cont-batching", "--no-webui",
               "--cache-ram", "0", *flags]
    with tempfile.NamedTemporaryFile(prefix="llama-server-", suffix=".log") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for_health(f"http://127.0.0.1:{port}", process, Path(log.name))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for_health(base: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"{process.args[0]} ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise ServerFailed(f"{process.args[0]} does not answer /health")


async def run(base: str, n_clients: int, n_requests: int, n_prompt: int, n_tokens: int, vocab_size: int,
              random: Random) -> float:
    """Generated tokens a second of all clients together, who ask `n_requests` each."""
    address = urlsplit(base)

    async def ask() -> int:
        client, n = Client(address.hostname, address.port), 0
        for _ in range(n_requests):
            prompt = random.choices(range(FIRST_TOKEN, vocab_size), k=n_prompt)
            answer = await client.whole(COMPLETIONS, {"prompt": prompt, "max_tokens": n_tokens, "temperature": 0,
                                                      "ignore_eos": True})
            n += answer.n_tokens
        client.leave()
        return n

    began = time.perf_counter()
    counts = await asyncio.gather(*(ask() for _ in range(n_clients)))
    if counts != [n_requests * n_tokens] * n_clients:
        raise ServerFailed(f"{base}: {counts} tokens in place of {n_requests * n_tokens} each")
    return sum(counts) / (time.perf_counter() - began)


def summary(samples: list[float]) -> str:
    return f"{statistics.median(samples):.1f} ({min(samples):.1f} to {max(samples):.1f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paro", type=Path)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--clients", default="1,16")
    parser.add_argument("--requests", type=int, default=2, help="of each client in a repetition")
    parser.add_argument("--prompt-tokens", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64, help="of each answer")
    parser.add_argument("--repetitions", type=int, default=5, help="after one that does not count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--flags", default="", help="of paro serve")
    parser.add_argument("--peer", type=Path, help="llama-server")
    parser.add_argument("--peer-flags", default="")
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--json", type=Path, help="keeps every figure")
    a = parser.parse_args()
    clients = [int(n) for n in a.clients.split(",")]
    n_context = 256 * -(-(a.prompt_tokens + a.tokens + 1) // 256)
    figures: dict[str, list[float]] = {}
    with contextlib.ExitStack() as servers:
        served = servers.enter_context(serving(
            a.paro, a.model, "--max-batch", str(max(clients)), "--max-context", str(n_context), "--threads",
            str(a.threads), *shlex.split(a.flags)))
        bases = {"paro": served.base}
        if a.peer:
            bases["llama-server"] = servers.enter_context(
                peer_serving(a.peer, a.gguf, max(clients), n_context, a.threads, shlex.split(a.peer_flags)))
        vocab_size = get(f"{served.base}/v1/models")["data"][0]["meta"]["n_vocab"]
        random = Random(5)
        for repetition in range(a.repetitions + 1):
            for n_clients in clients:
                for name, base in bases.items():
                    rate = asyncio.run(run(base, n_clients, a.requests, a.prompt_tokens, a.tokens, vocab_size, random))
                    if repetition > 0:
                        figures.setdefault(f"{name}, {n_clients}", []).append(rate)
    for name, samples in figures.items():
        print(f"{name} clients: {summary(samples)} tokens/s")
    of = lambda name, n: figures[f"{name}, {n}"]
    ratio = lambda above, below: summary([x / y for x, y in zip(above, below)])
    print(f"paro, {clients[-1]} over {clients[0]} clients: {ratio(of('paro', clients[-1]), of('paro', clients[0]))}")
    if a.peer:
        for n in clients:
            print(f"paro over llama-server, {n} clients: {ratio(of('paro', n), of('llama-server', n))}")
    if a.json:
        a.json.write_text(json.dumps({"machine": machine(), "arguments": sys.argv[1:], "figures": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
