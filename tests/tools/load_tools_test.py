"""The client of tools/load reads streams however they are cut, and its verdict sees what is wrong."""
from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools/load"))

from http_client import Client
from load import Seen, judge, slope

MIB = 1 << 20


def chunk_of(*events: str) -> bytes:
    text = "".join(f"data: {event}\n\n" for event in events).encode()
    return b"%x\r\n%s\r\n" % (len(text), text)


def received(stream: bytes, step: int) -> Client:
    """A client to whom so many bytes come at once."""
    client = Client("127.0.0.1", 1)
    for at in range(0, len(stream), step):
        client.data_received(stream[at:at + step])
    return client


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_events_are_read_however_they_come(step: int) -> None:
    events = [json.dumps({"n": i, "text": "a\\r\\n0"}) for i in range(5)]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    stream = head + chunk_of(*events[:2]) + chunk_of(*events[2:], "[DONE]") + b"0\r\n\r\n"
    client = received(stream, step)
    assert client.is_whole()
    assert [event for _, event in client.events()] == [*events, "[DONE]"]
    times_s = [at_s for at_s, _ in client.events()]
    assert times_s == sorted(times_s) and times_s[-1] <= client.times_s[-1]


def test_growth_is_the_slope_of_all_points() -> None:
    assert slope([(0, 100), (1, 200), (2, 300)]) == pytest.approx(100)
    assert slope([(0, 5)]) == 0


def seen(gaps_s: list[float], bytes_a_second: float) -> Seen:
    run = Seen(gaps_s=gaps_s, resident=[(t, round(50 * MIB + bytes_a_second * t)) for t in range(100)])
    run.outcomes["whole"] = 1
    return run


def test_a_run_is_judged_by_growth_peak_and_latency() -> None:
    even = [0.01] * 99 + [0.02]
    assert judge(seen(even, 0), 100, 60 * MIB, 60 * MIB) == []
    assert "grows" in judge(seen(even, MIB / 10), 100, 60 * MIB, 60 * MIB)[0]
    assert "plan" in judge(seen(even, 0), 100, 61 * MIB, 60 * MIB)[0]
    assert "p99" in judge(seen([0.01] * 90 + [0.06] * 10, 0), 100, 60 * MIB, 60 * MIB)[0]
