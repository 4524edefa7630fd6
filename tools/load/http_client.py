"""A client of generating routes that takes little time of the processors, so that the server has them.

Bytes are kept with the time at which they came, and are read only once the answer is complete.
"""
from __future__ import annotations

import asyncio
import bisect
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
DONE = "[DONE]"
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Wrong(Exception):
    """An answer that breaks a promise."""


@dataclass
class Answer:
    text: str = ""
    finish_reason: str = ""
    n_tokens: int = 0  # of whole answers, which tell
    times_s: list[float] = field(default_factory=list)  # when each piece of a stream came


class Client(asyncio.Protocol):
    """One connection, kept open from request to request until leave()."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.transport: asyncio.Transport | None = None
        self.received = bytearray()
        self.ends: list[int] = []  # of what came at once
        self.times_s: list[float] = []
        self.complete: asyncio.Future[None] | None = None
        self.head_bytes = 0
        self.body_bytes: int | None = None  # None: chunked
        self.most_reads: int | None = None

    def leave(self) -> None:
        """At once, whatever is under way."""
        if self.complete:
            self.complete.cancel()
        if self.transport:
            self.transport.abort()
        self.transport = None

    async def send(self, path: str, body: dict) -> None:
        text = json.dumps(body).encode()
        if self.transport is None or self.transport.is_closing():
            self.transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, self.host, self.port)
        self.received.clear()
        self.ends, self.times_s, self.head_bytes = [], [], 0
        self.complete = asyncio.get_running_loop().create_future()
        self.transport.write(f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(text)}\r\n\r\n".encode() + text)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.ends.append(len(self.received))
        self.times_s.append(time.perf_counter())
        if not self.head_bytes and (end := self.received.find(b"\r\n\r\n")) >= 0:
            self.head_bytes = end + 4
            head = bytes(self.received[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.body_bytes = int(length) if length else None
        if self.head_bytes and self.is_whole():
            self.end()
        elif self.most_reads is not None and len(self.ends) > self.most_reads:
            self.end()
            self.leave()

    def is_whole(self) -> bool:
        if self.body_bytes is None:
            return self.received.endswith(LAST_CHUNK)  # JSON holds no line's end as it is
        return len(self.received) == self.head_bytes + self.body_bytes

    def connection_lost(self, _: Exception | None) -> None:
        self.transport = None
        self.end(Wrong("the server has closed the connection"))

    def end(self, failure: Exception | None = None) -> None:
        if self.complete and not self.complete.done():
            self.complete.set_exception(failure) if failure else self.complete.set_result(None)

    async def whole(self, path: str, body: dict) -> Answer:
        await self.send(path, body)
        await self.complete
        self.check_status()
        document = json.loads(self.received[self.head_bytes:])
        choice = document["choices"][0]
        return Answer(text_of(choice.get("message") or choice), choice["finish_reason"],
                      document["usage"]["completion_tokens"])

    async def streamed(self, path: str, body: dict, most_reads: int | None = None) -> Answer:
        """Leaves after `most_reads` times that anything came."""
        await self.send(path, {**body, "stream": True})
        self.most_reads = most_reads
        await self.complete
        self.most_reads = None
        self.check_status()
        answer, last = Answer(), ""
        for at_s, event in self.events():
            last = event
            if event == DONE:
                continue
            chunk = json.loads(event)
            if "error" in chunk:
                raise Wrong(f"an error in the stream: {chunk['error']['message']}")
            for choice in chunk["choices"]:
                text = text_of(choice.get("delta") or choice)
                answer.text += text
                answer.finish_reason = choice["finish_reason"] or answer.finish_reason
                if text:
                    answer.times_s.append(at_s)
        if last != DONE and most_reads is None:
            raise Wrong("the stream ends without [DONE]")
        return answer

    def check_status(self) -> None:
        status = int(self.received[9:12])
        if status != 200:
            raise Wrong(f"status {status}: {bytes(self.received[self.head_bytes:]).decode(errors='replace')}")

    def events(self) -> Iterator[tuple[float, str]]:
        """Data of each event that came, with its time. The server writes whole events to each chunk."""
        at = self.head_bytes
        while (end := self.received.find(b"\r\n", at)) >= 0:
            n_bytes = int(self.received[at:end], 16)
            chunk = self.received[end + 2:end + 2 + n_bytes]
            if n_bytes == 0 or len(chunk) < n_bytes:
                return
            at = end + 2 + n_bytes + 2
            at_s = self.times_s[min(bisect.bisect_left(self.ends, at), len(self.times_s) - 1)]
            for frame in chunk.split(b"\n\n"):
                if frame.startswith(b"data: "):
                    yield at_s, frame[6:].decode()


def text_of(piece: dict) -> str:
    """What a message, a delta or a choice of /completions says."""
    return (piece.get("reasoning_content") or "") + (piece.get("content") or "") + (piece.get("text") or "")
