#!/usr/bin/env python3
"""Many clients at once on the demo model: chat and completions, streamed and whole, some of whom leave.

usage: load.py PARO [--minutes 5] [--clients 64] [--flags "--max-batch 16"]

Fails unless every answer is the one that was given while nobody else was served, none is lost, the resident memory
neither grows once the server is warm nor exceeds the plan, and the 99th percentile of the time from token to token is
within 5 times its median.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

sys.path.append(str(Path(__file__).resolve().parents[1] / "memory"))

from http_client import Answer, Client, Wrong
from questions import Question, questions
from served import Served, ServerFailed, get, plan_of, serving

DEMO = Path(__file__).resolve().parents[2] / "models/demo"
MIB = 1 << 20
LEAVES = 0.15  # of the requests
WARM_UP = 0.25  # of the time
MOST_PROBLEMS = 20
MOST_GROWTH_BYTES = MIB  # from warm to the end, by the slope
MOST_P99_OVER_MEDIAN = 5.0
REQUEST_TIMEOUT_S = 120.0


@dataclass
class Seen:
    outcomes: Counter[str] = field(default_factory=Counter)
    gaps_s: list[float] = field(default_factory=list)  # from token to token
    resident: list[tuple[float, int]] = field(default_factory=list)  # seconds, bytes
    problems: list[str] = field(default_factory=list)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def record(client: Client, asked: list[Question]) -> list[Answer]:
    return [await client.whole(q.path, q.body) for q in asked]


async def ask(client: Client, question: Question, expected: Answer, random: Random, seen: Seen) -> None:
    streams, leaves = random.random() < 0.5, random.random() < LEAVES
    if leaves and not streams:  # while it waits, in prefill or in the answer
        await client.send(question.path, question.body)
        await asyncio.sleep(random.random() * 0.3)
        client.leave()
        seen.outcomes["left"] += 1
        return
    if not streams:
        answer = await client.whole(question.path, question.body)
    else:
        most = random.randrange(1, 8) if leaves else None
        answer = await client.streamed(question.path, question.body, most)
        seen.gaps_s += [b - a for a, b in zip(answer.times_s, answer.times_s[1:])]
    if leaves:
        if not expected.text.startswith(answer.text):
            raise Wrong(f"{question.body} begins with {answer.text!r}, alone with {expected.text!r}")
        seen.outcomes["left"] += 1
    elif (answer.text, answer.finish_reason) != (expected.text, expected.finish_reason):
        raise Wrong(f"{question.body} is answered with {answer.text!r}, alone with {expected.text!r}")
    else:
        seen.outcomes["streamed" if streams else "whole"] += 1


async def keep_asking(number: int, client: Client, asked: list[Question], alone: list[Answer], deadline: float,
                      seen: Seen) -> None:
    random = Random(number)
    while time.monotonic() < deadline and len(seen.problems) < MOST_PROBLEMS:
        i = random.randrange(len(asked))
        try:
            await asyncio.wait_for(ask(client, asked[i], alone[i], random, seen), REQUEST_TIMEOUT_S)
        except (Wrong, OSError, EOFError, ValueError, TimeoutError, asyncio.TimeoutError) as problem:
            seen.problems.append(repr(problem))
            client.leave()


async def watch(pid: int, began: float, deadline: float, seen: Seen) -> None:
    while time.monotonic() < deadline:
        seen.resident.append((time.monotonic() - began, resident_bytes(pid)))
        await asyncio.sleep(0.5)


async def load(served: Served, n_clients: int, seconds: float) -> Seen:
    address = urlsplit(served.base)
    asked = questions(get(f"{served.base}/v1/models")["data"][0]["meta"]["n_vocab"])
    clients = [Client(address.hostname, address.port) for _ in range(n_clients)]
    alone = await record(clients[0], asked)
    seen = Seen()
    began = time.monotonic()
    deadline = began + seconds
    await asyncio.gather(watch(served.process.pid, began, deadline, seen),
                         *(keep_asking(i, client, asked, alone, deadline, seen) for i, client in enumerate(clients)))
    for client in clients:
        client.leave()
    return seen


def slope(points: list[tuple[float, int]]) -> float:
    """Bytes a second, by least squares."""
    return statistics.linear_regression(*zip(*points)).slope if len(points) > 1 else 0.0


def judge(seen: Seen, seconds: float, peak_bytes: int, plan_bytes: int) -> list[str]:
    problems = list(seen.problems)
    warm = [(at, n_bytes) for at, n_bytes in seen.resident if at >= WARM_UP * seconds]
    growth = slope(warm) * (1 - WARM_UP) * seconds
    gaps = sorted(seen.gaps_s)
    median, p99 = statistics.median(gaps), gaps[int(0.99 * len(gaps))]
    n_answered = seen.outcomes["streamed"] + seen.outcomes["whole"]
    print(f"{n_answered} answered ({n_answered / seconds:.1f} a second), {seen.outcomes['left']} left, "
          f"{len(seen.problems)} wrong or lost")
    print(f"resident: {warm[0][1] / MIB:.1f} MiB warm, {warm[-1][1] / MIB:.1f} at the end, {peak_bytes / MIB:.1f} at most "
          f"(plan {plan_bytes / MIB:.1f}); grows by {growth / 1024:.0f} KiB in {(1 - WARM_UP) * seconds:.0f} s")
    print(f"from token to token: median {1e3 * median:.2f} ms, p99 {1e3 * p99:.2f} ms ({p99 / median:.1f} times), "
          f"{len(gaps)} seen")
    if growth > MOST_GROWTH_BYTES:
        problems.append(f"the resident memory grows by {growth / MIB:.2f} MiB")
    if peak_bytes > plan_bytes:
        problems.append("the resident memory exceeds the plan")
    if p99 > MOST_P99_OVER_MEDIAN * median:
        problems.append(f"p99 from token to token is {p99 / median:.1f} times the median")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paro", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--flags", default="", help="of paro serve")
    parser.add_argument("--json", type=Path, help="keeps what was seen")
    arguments = parser.parse_args()
    flags, seconds = shlex.split(arguments.flags), 60 * arguments.minutes
    if "--threads" not in flags:  # the clients take a processor
        flags += ["--threads", str(max(1, len(os.sched_getaffinity(0)) - 1))]
    plan_bytes = plan_of(arguments.paro, DEMO, *flags)["plan_bytes"]
    try:
        with serving(arguments.paro, DEMO, *flags) as served:
            seen = asyncio.run(load(served, arguments.clients, seconds))
            if not served.is_alive:
                raise ServerFailed("the server ended under load")
            peak_bytes = served.peak_bytes()
    except ServerFailed as failure:
        print(failure)
        return 1
    if arguments.json:
        arguments.json.write_text(json.dumps({"gaps_s": seen.gaps_s, "resident": seen.resident}))
    problems = judge(seen, seconds, peak_bytes, plan_bytes)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
