"""Compares paro's chat templates with Python's jinja2.

check.py --driver build/release/tools/template_check/paro_render_template DIRECTORY...
    renders every .jinja file of the directories on the conversations of contexts.py, and the cases of cases.py
check.py --driver ... --write-goldens tests/text/goldens
    writes jinja_cases.json and demo_renderings.json, with jinja2's answers

Text must be the same byte for byte; failures must be failures, and of the same kind (raised by the template or not).
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
from pathlib import Path
from typing import Any

from cases import CASES
from contexts import contexts
from environment import Driver, make_environment, render_python

ROOT = Path(__file__).resolve().parents[2]


def compare(expected: dict[str, str], got: dict[str, str]) -> str:
    """'same', 'same failure', 'different text', ..."""
    if "text" in expected and "text" in got:
        return "same" if expected["text"] == got["text"] else "different text"
    if "text" in expected:
        return "paro fails"
    if "text" in got:
        return "paro does not fail"
    return "same failure" if expected["kind"] == got["kind"] else "other failure"


def show(title: str, expected: dict[str, str], got: dict[str, str]) -> None:
    print(f"--- {title}")
    a, b = expected.get("text"), got.get("text")
    if a is not None and b is not None:
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        print(f"    at {at}: expected {a[max(0, at - 40):at + 40]!r}\n    {' ' * len(str(at))}    got      {b[max(0, at - 40):at + 40]!r}")
    else:
        print(f"    expected {json.dumps(expected, ensure_ascii=False)[:300]}\n    got      {json.dumps(got, ensure_ascii=False)[:300]}")


def check_templates(driver: Driver, paths: list[Path], limit: int) -> bool:
    totals: collections.Counter[str] = collections.Counter()
    for path in paths:
        source = path.read_text(encoding="utf-8")
        counts: collections.Counter[str] = collections.Counter()
        try:
            make_environment().from_string(source)
            compiles = True
        except Exception as error:
            print(f"{path.name}: jinja2 does not compile it: {error}")
            compiles = False
        for title, context in contexts():
            expected, got = render_python(source, context), driver.render(source, context)
            verdict = compare(expected, got)
            counts[verdict] += 1
            if not verdict.startswith("same") and counts["shown"] < limit:
                counts["shown"] += 1
                show(f"{path.name}: {title}: {verdict}", expected, got)
        del counts["shown"]
        good = all(verdict.startswith("same") for verdict in counts)
        totals["identical" if good and compiles else "not supported by jinja2" if good else "different"] += 1
        print(f"{path.name}: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())))
    print("templates: " + ", ".join(f"{n} {what}" for what, n in sorted(totals.items())))
    return totals["different"] == 0


def check_cases(driver: Driver, limit: int) -> bool:
    counts: collections.Counter[str] = collections.Counter()
    for source, context in CASES:
        expected, got = render_python(source, context), driver.render(source, context)
        verdict = compare(expected, got)
        counts[verdict] += 1
        if not verdict.startswith("same") and limit > 0:
            show(f"{source!r}: {verdict}", expected, got)
    print(f"cases: " + ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items())))
    return all(verdict.startswith("same") for verdict in counts)


def write_goldens(folder: Path) -> None:
    def golden(source: str, context: dict[str, Any]) -> dict[str, Any]:
        answer = render_python(source, context)
        return {"text": answer["text"]} if "text" in answer else {"kind": answer["kind"]}

    cases = [{"source": source, "context": context, **golden(source, context)} for source, context in CASES]
    demo = (ROOT / "models/demo/chat_template.jinja").read_text(encoding="utf-8")
    renderings = [{"name": name, "context": context, **golden(demo, context)} for name, context in contexts()[::7]]
    for name, rows in (("jinja_cases.json", cases), ("demo_renderings.json", renderings)):
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(rows)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", type=Path, default=ROOT / "build/release/tools/template_check/paro_render_template")
    parser.add_argument("--show", type=int, default=3, help="differences shown for each template")
    parser.add_argument("--write-goldens", type=Path)
    parser.add_argument("directories", nargs="*", type=Path)
    options = parser.parse_args()
    if options.write_goldens:
        write_goldens(options.write_goldens)
        return 0
    driver = Driver(options.driver)
    paths = [ROOT / "models/demo/chat_template.jinja"]
    for directory in options.directories:
        paths += sorted(directory.glob("*.jinja"))
    good = check_templates(driver, paths, options.show)
    good = check_cases(driver, options.show) and good
    driver.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
