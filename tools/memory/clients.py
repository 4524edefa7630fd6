"""The load of many clients at once: what they ask, how they leave, and what they have to be told.

A request that was admitted has to end as promised, one that can never fit gets 400, and a full queue 503. Probes are
greedy requests whose answers have to be the same whoever else is served.
"""
from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

from served import get

REQUEST_TIMEOUT_S = 300
MOST_REQUESTS = 20_000
MOST_PROBLEMS = 20  # of which a run tells; clients give up after as many
MOST_BODY_BYTES = 30 << 20
LAST_TOKENS = 8  # of an answer that ends where the context does
OVERFLOW_REQUESTS, OVERFLOW_CHOICES = 3, 100  # together far more than the queue of 128 holds
FINISHED = {"stop", "length", "tool_calls"}
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


class Wrong(Exception):
    """An answer that breaks a promise."""


class Refused(Exception):
    """The queue is full, and the client was told when to come back."""


@dataclass(frozen=True)
class Facts:
    vocab_size: int
    max_context: int


@dataclass(frozen=True)
class Probe:
    name: str
    path: str
    body: dict


@dataclass
class Tally:
    outcomes: Counter[str] = field(default_factory=Counter)  # answered, left, too large, refused
    kinds: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, kind: str, outcome: str) -> None:
        with self.lock:
            self.kinds[kind] += 1
            self.outcomes[outcome] += 1

    def complain(self, problem: str) -> None:
        with self.lock:
            self.problems.append(problem)

    @property
    def is_over(self) -> bool:
        with self.lock:
            return self.outcomes.total() >= MOST_REQUESTS or len(self.problems) >= MOST_PROBLEMS


def facts_of(base: str) -> Facts:
    meta = get(f"{base}/v1/models")["data"][0]["meta"]
    return Facts(meta["n_vocab"], meta["n_ctx"])


def token_ids(random: Random, facts: Facts, n: int) -> list[int]:
    return random.choices(range(facts.vocab_size), k=n)


def probes(facts: Facts) -> list[Probe]:
    """The same for every budget of a model, and short enough for any context."""
    random = Random(7)
    greedy = {"temperature": 0, "ignore_eos": True}
    return [
        Probe("chat", CHAT, {"messages": [{"role": "user", "content": "What is the capital of France?"}],
                             "max_tokens": 16, **greedy}),
        Probe("text", COMPLETIONS, {"prompt": "The river ran", "max_tokens": 16, "logprobs": 5, **greedy}),
        Probe("ids", COMPLETIONS, {"prompt": token_ids(random, facts, 9), "max_tokens": 24, "logprobs": 1, **greedy}),
        Probe("plain", COMPLETIONS, {"prompt": token_ids(random, facts, 40), "max_tokens": 16, **greedy}),
        Probe("long", COMPLETIONS, {"prompt": token_ids(random, facts, 200), "max_tokens": 8, "logprobs": 1, **greedy}),
    ]


@contextlib.contextmanager
def posted(base: str, path: str, body: dict) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            if response.status == 503:
                code = json.load(response)["error"]["code"]
                if code != "unavailable" or not response.getheader("Retry-After"):
                    raise Wrong(f"503 {code} with Retry-After {response.getheader('Retry-After')}")
                raise Refused
            yield response
    finally:
        connection.close()


def whole_answer(base: str, path: str, body: dict) -> dict:
    with posted(base, path, body) as response:
        answer = json.load(response)
        if response.status != 200:
            raise Wrong(f"{response.status}: {answer['error']['message']}")
    reasons = [choice["finish_reason"] for choice in answer["choices"]]
    if len(reasons) != body.get("n", 1) or not FINISHED.issuperset(reasons):
        raise Wrong(f"the choices end with {reasons}")
    return answer


def events_of(response: Iterator[bytes]) -> Iterator[dict]:
    """The chunks of a stream that ends as it should."""
    for line in response:
        if not line.startswith(b"data: "):
            continue
        payload = line.removeprefix(b"data: ").strip()
        if payload == b"[DONE]":
            return
        event = json.loads(payload)
        if "error" in event:
            raise Wrong(f"an error in the stream: {event['error']['message']}")
        yield event
    raise Wrong("the stream ends without [DONE]")


def text_of(events: Iterator[dict], n_choices: int = 1) -> str:
    """All that a stream says; each of its choices has to finish once."""
    text, finished = "", []
    for event in events:
        for choice in event["choices"]:
            text += choice.get("text") or choice.get("delta", {}).get("content") or ""
            if choice["finish_reason"] is not None:
                finished.append((choice["index"], choice["finish_reason"] in FINISHED))
    if sorted(finished) != [(i, True) for i in range(n_choices)]:
        raise Wrong(f"{n_choices} choices were asked for, these finished: {finished}")
    return text


def streamed_text(base: str, path: str, body: dict) -> str:
    with posted(base, path, {**body, "stream": True}) as response:
        if response.status != 200:
            raise Wrong(f"{response.status}: {json.load(response)['error']['message']}")
        return text_of(events_of(response), body.get("n", 1))


def choices_of(base: str, probe: Probe) -> list[dict]:
    """Text, tokens and their log-probabilities."""
    return whole_answer(base, probe.path, probe.body)["choices"]


def text_of_choice(choice: dict) -> str:
    return choice["text"] if "text" in choice else choice["message"]["content"]


class Load:
    """Clients that ask at random until the time is over; what they have begun then still ends."""

    def __init__(self, base: str, expected: dict[str, list[dict]], n_clients: int, seconds: float) -> None:
        self.base, self.expected, self.n_clients, self.seconds = base, expected, n_clients, seconds
        self.facts = facts_of(base)
        self.probes = probes(self.facts)
        self.tally = Tally()

    def run(self) -> Tally:
        for make_body in LARGE_BODIES:  # each by itself, which takes the most memory
            self.ask("large_body", lambda: self.send_large(*make_body(MOST_BODY_BYTES)))
        deadline = time.monotonic() + self.seconds
        with ThreadPoolExecutor(self.n_clients + OVERFLOW_REQUESTS) as threads:
            clients = [threads.submit(self.client, number, deadline) for number in range(self.n_clients)]
            time.sleep(self.seconds / 2)
            clients += [threads.submit(self.ask, "overflow", lambda: self.overflow(Random(0)))
                        for _ in range(OVERFLOW_REQUESTS)]
            for client in clients:
                client.result()
        if not self.tally.kinds["overflow, refused"]:
            self.tally.complain(f"{OVERFLOW_REQUESTS} times {OVERFLOW_CHOICES} sequences did not fill the queue")
        return self.tally

    def client(self, number: int, deadline: float) -> None:
        """Clients begin with different kinds, so that a short run has seen all."""
        random = Random(number)
        kinds = list(KINDS)
        kind = kinds[number % len(kinds)]
        while time.monotonic() < deadline and not self.tally.is_over:
            self.ask(kind.__name__, lambda: kind(self, random))
            kind = random.choices(kinds, list(KINDS.values()))[0]

    def ask(self, kind: str, request: Callable[[], str]) -> None:
        try:
            self.tally.count(kind, request())
        except Refused:
            self.tally.count(f"{kind}, refused", "refused")
            time.sleep(1)
        except (Wrong, OSError, http.client.HTTPException, ValueError, KeyError) as problem:
            self.tally.complain(f"{kind}: {problem!r}")

    # --- kinds of requests ---------------------------------------------------------------------------------------

    def short(self, random: Random) -> str:
        question = f"Count from {random.randrange(50)} to {random.randrange(50, 99)}."
        streamed_text(self.base, CHAT, {"messages": [{"role": "user", "content": question}], "temperature": 1,
                                        "max_tokens": random.randrange(4, 24)})
        return "answered"

    def long(self, random: Random) -> str:
        n_prompt = random.randrange(self.facts.max_context // 4, self.facts.max_context - LAST_TOKENS)
        whole_answer(self.base, COMPLETIONS, {"prompt": token_ids(random, self.facts, n_prompt), "temperature": 1,
                                              "max_tokens": LAST_TOKENS, "ignore_eos": True})
        return "answered"

    def whole_context(self, random: Random) -> str:
        prompt = token_ids(random, self.facts, self.facts.max_context - LAST_TOKENS)
        usage = whole_answer(self.base, COMPLETIONS, {"prompt": prompt, "max_tokens": LAST_TOKENS,
                                                      "ignore_eos": True})["usage"]
        if usage["total_tokens"] != self.facts.max_context:
            raise Wrong(f"a context of {self.facts.max_context} tokens held {usage['total_tokens']}")
        return "answered"

    def several_choices(self, random: Random) -> str:
        streamed_text(self.base, COMPLETIONS, {"prompt": token_ids(random, self.facts, 12), "n": 3, "max_tokens": 6,
                                               "temperature": 1})
        return "answered"

    def leave_in_answer(self, random: Random) -> str:
        """An answer for which the whole context is set aside."""
        body = {"prompt": token_ids(random, self.facts, 20), "max_tokens": self.facts.max_context - 20,
                "ignore_eos": True, "stream": True}
        with posted(self.base, COMPLETIONS, body) as response:
            events = events_of(response)
            for _ in range(random.randrange(1, 8)):
                next(events, None)
        return "left"

    def leave_in_prefill(self, random: Random) -> str:
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=REQUEST_TIMEOUT_S)
        body = {"prompt": token_ids(random, self.facts, self.facts.max_context - LAST_TOKENS),
                "stream": random.random() < 0.5}
        with contextlib.closing(connection):
            connection.request("POST", COMPLETIONS, json.dumps(body), {"Content-Type": "application/json"})
            time.sleep(random.random() / 2)
        return "left"

    def too_large(self, random: Random) -> str:
        n_prompt, max_tokens = random.choice([(self.facts.max_context, 1), (5, self.facts.max_context),
                                              (3 * self.facts.max_context, 1)])
        body = {"prompt": token_ids(random, self.facts, n_prompt), "max_tokens": max_tokens,
                "stream": random.random() < 0.5}
        with posted(self.base, COMPLETIONS, body) as response:
            error = json.load(response).get("error", {})
            if response.status != 400 or error.get("code") != "context_length_exceeded":
                raise Wrong(f"{n_prompt} + {max_tokens} tokens: {response.status} {error}")
        return "too large"

    def large_body(self, random: Random) -> str:
        """Several at once are more than the server reads of all requests."""
        return self.send_large(*random.choice(LARGE_BODIES)(random.randrange(1 << 20, MOST_BODY_BYTES)))

    def send_large(self, path: str, body: dict) -> str:
        try:
            with posted(self.base, path, body) as response:
                code = json.load(response).get("error", {}).get("code")
                if (response.status, code) not in {(400, "context_length_exceeded"), (413, "request_too_large")}:
                    raise Wrong(f"a large body: {response.status} {code}")
        except (BrokenPipeError, ConnectionResetError) as error:  # refused before it was sent
            raise Refused from error
        return "too large"

    def probe(self, random: Random) -> str:
        probe = random.choice(self.probes)
        expected = self.expected[probe.name]
        if random.random() < 0.5:
            if streamed_text(self.base, probe.path, probe.body) != text_of_choice(expected[0]):
                raise Wrong(f"'{probe.name}' streams another text than alone")
        elif choices_of(self.base, probe) != expected:
            raise Wrong(f"'{probe.name}' is answered otherwise than alone")
        return "answered"

    def memory(self, _: Random) -> str:
        memory = get(f"{self.base}/v1/memory")
        if not memory["peak_resident_bytes"] <= memory["plan_bytes"] <= memory["budget_bytes"]:
            raise Wrong(f"peak, plan and budget are {memory['peak_resident_bytes']}, {memory['plan_bytes']} and "
                        f"{memory['budget_bytes']} bytes")
        return "answered"

    def overflow(self, random: Random) -> str:
        whole_answer(self.base, COMPLETIONS, {"prompt": token_ids(random, self.facts, 3), "n": OVERFLOW_CHOICES,
                                              "max_tokens": 2, "ignore_eos": True, "temperature": 1})
        return "answered"


# Bodies of about as many bytes, far beyond any context.
LARGE_BODIES: list[Callable[[int], tuple[str, dict]]] = [
    lambda n_bytes: (COMPLETIONS, {"prompt": "word " * (n_bytes // 5)}),
    lambda n_bytes: (COMPLETIONS, {"prompt": [7] * (n_bytes // 3)}),
    lambda n_bytes: (CHAT, {"messages": [{"role": "user", "content": "word " * (n_bytes // 5)}]}),
]

# How often each kind is asked for.
KINDS: dict[Callable[[Load, Random], str], int] = {
    Load.short: 6, Load.probe: 6, Load.long: 3, Load.whole_context: 1, Load.several_choices: 2,
    Load.leave_in_answer: 2, Load.leave_in_prefill: 2, Load.too_large: 2, Load.large_body: 1, Load.memory: 1,
}
