"""The examples of README.md and docs/api.md do what they say: each ```sh block with curl is run against the demo model, and
what it prints is held against the block that follows, if that is ```json or ```text.

In expected output … stands for anything: a value, a part of a text, or with "…": "…" further members of an object; alone on
a line of text, for any lines.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/memory"))

from moe_models import DEMO
from served import Served, serving

BINARY = os.environ["PARO_BINARY"]
DOCUMENTS = ("README.md", "docs/api.md")
ANY = "…"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
ADDRESS = re.compile(r"http://(127\.0\.0\.1|localhost):\d+")


@dataclass(frozen=True)
class Example:
    place: str  # file:line
    script: str
    language: str  # of what is expected; empty: nothing is
    expected: str


def examples_of(document: str) -> list[Example]:
    text = (ROOT / document).read_text()
    blocks = list(BLOCK.finditer(text))
    examples = []
    for i, block in enumerate(blocks):
        if block[1] != "sh" or "curl" not in block[2]:
            continue
        following = blocks[i + 1] if i + 1 < len(blocks) else None
        answers = following and following[1] in ("json", "text") and not text[block.end():following.start()].strip()
        place = f"{document}:{text.count(chr(10), 0, block.start()) + 1}"
        examples.append(Example(place, block[2], following[1] if answers else "", following[2] if answers else ""))
    return examples


def is_text(said: str, expected: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, expected.split(ANY))), said) is not None


def is_value(said: object, expected: object) -> bool:
    if expected == ANY:
        return True
    if isinstance(expected, dict):
        return (isinstance(said, dict) and (ANY in expected or said.keys() == expected.keys()) and
                all(name in said and is_value(said[name], value) for name, value in expected.items() if name != ANY))
    if isinstance(expected, list):
        return isinstance(said, list) and len(said) == len(expected) and all(map(is_value, said, expected))
    if isinstance(expected, str):
        return isinstance(said, str) and is_text(said, expected)
    return type(said) is type(expected) and said == expected


def is_output(said: str, expected: str) -> bool:
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        pattern += "(.*\n)*" if line == ANY else "[^\n]*".join(map(re.escape, line.split(ANY))) + "\n"
    return re.fullmatch(pattern, said.rstrip("\n") + "\n") is not None


def test_wildcards_stand_for_what_they_say() -> None:
    assert is_value({"a": "x-1", "b": [1, 2]}, {"a": "x-…", "…": "…"})
    assert not is_value({"a": "y-1"}, {"a": "x-…"}) and not is_value({"a": 1, "b": 2}, {"a": 1})
    assert not is_value([1], [1, 2]) and not is_value(1, True)
    assert is_output("a 1\nb\nc\n", "a …\n…\nc\n") and not is_output("a 1\nb\nd\n", "a …\n…\nc\n")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(BINARY, DEMO) as server:
        yield server


@pytest.mark.parametrize("example", [e for d in DOCUMENTS for e in examples_of(d)], ids=lambda e: e.place)
def test_examples_do_what_they_say(served: Served, example: Example) -> None:
    assert ADDRESS.search(example.script), "an example names the server's address"
    done = subprocess.run(["bash", "-ec", ADDRESS.sub(served.base, example.script)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    if example.language == "json":
        assert is_value(json.loads(done.stdout), json.loads(example.expected)), done.stdout
    elif example.language == "text":
        assert is_output(done.stdout, example.expected), done.stdout
    else:
        assert not re.search(r'"error"\s*:\s*{', done.stdout), done.stdout
