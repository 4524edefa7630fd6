"""Holds paro's JSON schemas to the JSON-Schema-Test-Suite.

usage: check.py SUITE [--driver build/release/tools/schema_suite/paro_match_schema] [--draft draft2020-12] [--verbose]
    SUITE: the folder that holds tests/ and remotes/, as in the source distribution of `jsonschema` (json/)

A schema that compiles must accept every valid instance, written with its members in the schema's order, and reject
every other one. Schemas that are refused are counted by the reason that is given.
"""
from __future__ import annotations

import argparse
import collections
import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any, Iterator

from driver import DEFAULT_DRIVER, Driver


def names_in_order(schema: Any, found: dict[str, int]) -> None:
    """Every property's name, numbered by its first appearance in the schema."""
    if isinstance(schema, list):
        for item in schema:
            names_in_order(item, found)
    if isinstance(schema, dict):
        properties = schema.get("properties")
        for name in properties if isinstance(properties, dict) else []:
            found.setdefault(name, len(found))
        for value in schema.values():
            names_in_order(value, found)


def canonical(value: Any, order: dict[str, int]) -> Any:
    """Members in the schema's order, then as they stand; whole numbers without a fraction."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: order.get(name, len(order)))
        return {name: canonical(value[name], order) for name in names}
    if isinstance(value, list):
        return [canonical(item, order) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e18:
        return int(value)
    return value


def writings(value: Any, order: dict[str, int]) -> Iterator[str]:
    """The canonical one first, then other orders of the outermost members."""
    value = canonical(value, order)
    yield json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and 1 < len(value) <= 4:
        for members in itertools.permutations(value.items()):
            yield json.dumps(dict(members), ensure_ascii=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--driver", type=Path, default=DEFAULT_DRIVER)
    parser.add_argument("--draft", default="draft2020-12")
    parser.add_argument("--formats", action="store_true", help="the optional tests of formats instead")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.suite / "tests" / arguments.draft
    if arguments.formats:
        folder = folder / "optional" / "format"
    files = sorted(folder.glob("*.json"))
    if not files:
        parser.error(f"{folder} holds no tests")

    n_schemas = n_compiled = 0
    counts: collections.Counter[str] = collections.Counter()
    refused: collections.Counter[str] = collections.Counter()
    wrong: collections.Counter[str] = collections.Counter()
    with Driver(arguments.driver) as driver:
        for file in files:
            for case in json.loads(file.read_text(encoding="utf-8")):
                n_schemas += 1
                order: dict[str, int] = {}
                names_in_order(case["schema"], order)
                texts = [list(writings(test["data"], order)) for test in case["tests"]]
                answer = driver.ask(schema=case["schema"], strict=True, open=True, texts=[t for ts in texts for t in ts])
                if "error" in answer:
                    reason = re.sub(r"^json schema: #\S*?([^/\s:]*): ", r"\1: ", answer["error"])
                    refused[re.sub(r"'[^']*'|\d+", "…", reason)] += 1
                    continue
                n_compiled += 1
                matches = iter(answer["matches"])
                for test, written in zip(case["tests"], texts):
                    is_matched = any([next(matches) for _ in written])
                    verdict = ("valid" if test["valid"] else "invalid") + (" accepted" if is_matched else " rejected")
                    counts[verdict] += 1
                    if is_matched != test["valid"]:
                        wrong[file.name] += 1
                        if arguments.verbose:
                            print(f"{file.name}: {case['description']}: {test['description']}: {verdict}: {written[0]}")
    print(f"{n_compiled} of {n_schemas} schemas compile")
    for verdict, n in sorted(counts.items()):
        print(f"{n:6} {verdict}")
    print("refused:")
    for reason, n in refused.most_common():
        print(f"{n:6} {reason}")
    print("judged otherwise, by file:")
    for name, n in wrong.most_common():
        print(f"{n:6} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
