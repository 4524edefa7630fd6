"""Schemas of tools: what tokens chosen at random end in is JSON that Python's jsonschema finds valid, and of documents
near to those both find the same ones valid."""
from __future__ import annotations

import copy
import json
import os
import random
import re
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/schema_suite"))
from driver import Driver  # noqa: E402

SCHEMAS: dict[str, Any] = json.loads((ROOT / "tests/text/tool_schemas.json").read_text(encoding="utf-8"))
# What jsonschema checks without further packages, and checks as strictly.
CHECKED_FORMATS = Draft202012Validator.FORMAT_CHECKER


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver(Path(os.environ["PARO_MATCH_SCHEMA"])) as opened:
        yield opened


def validator(schema: Any) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=CHECKED_FORMATS)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, path + (key,))


def changed(document: Any, rng: random.Random) -> Any:
    """The document with one value replaced, left out or added."""
    document = copy.deepcopy(document)
    path = rng.choice(list(places(document)))
    if not path:
        return rng.choice([[document], {}, None, {**document, "surplus": 1}])
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    kind = rng.randrange(5)
    if kind == 0:
        del holder[path[-1]]
    elif kind == 1 and isinstance(old, str):
        holder[path[-1]] = rng.choice([old + "x", old[:-1], old + old, "", old.upper()])
    elif kind == 2 and isinstance(old, (int, float)) and not isinstance(old, bool):
        holder[path[-1]] = rng.choice([old + 1, -old - 1, old * 1000, 0])
    elif kind == 3 and isinstance(old, list):
        holder[path[-1]] = rng.choice([old + old, old[:1], []])
    else:
        holder[path[-1]] = rng.choice(["text", 3, 0.5, None, True, [], {}])
    return document


@pytest.mark.parametrize("name", SCHEMAS)
def test_random_tokens_end_in_valid_documents(driver: Driver, name: str) -> None:
    answer = driver.ask(schema=SCHEMAS[name], strict=True, walks=25, seed=len(name))
    assert "error" not in answer, answer
    assert len(answer["walks"]) == 25
    for text in answer["walks"]:
        document = json.loads(text)
        errors = [error.message for error in validator(SCHEMAS[name]).iter_errors(document)]
        assert not errors, (text, errors)


@pytest.mark.parametrize("name", SCHEMAS)
def test_documents_near_valid_ones_are_judged_alike(driver: Driver, name: str) -> None:
    # Walks write properties in the schema's order, and changes keep it.
    rng = random.Random(name)
    walks = driver.ask(schema=SCHEMAS[name], strict=True, walks=25, seed=1)["walks"]
    documents = [changed(json.loads(text), rng) for text in walks for _ in range(20)]
    texts = [json.dumps(document, ensure_ascii=False) for document in documents]
    # Objects that say nothing of further properties have none here, and jsonschema checks formats less strictly.
    is_exact = "additionalProperties" in SCHEMAS[name] and '"format"' not in json.dumps(SCHEMAS[name])
    matches = driver.ask(schema=SCHEMAS[name], strict=True, texts=texts)["matches"]
    n_valid = n_invalid = 0
    for document, text, is_matched in zip(documents, texts, matches):
        is_valid = validator(SCHEMAS[name]).is_valid(document)
        if is_valid and not is_matched:
            # Numbers have up to 20 digits, and those with bounds no exponent.
            assert not is_exact or re.search(r"\d{21}|\de[-+]|Infinity", text), text
            continue
        assert is_matched == is_valid, text
        n_valid += is_valid
        n_invalid += not is_valid
    assert n_valid > 0 and n_invalid > 100
