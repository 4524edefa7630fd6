"""What the run came to, as Markdown: counts, what does not pass and why, and what was adapted."""

from __future__ import annotations

import ast
import json
import sys
from collections import defaultdict
from pathlib import Path

from adaptations import ADAPTATIONS, NOT_RUN, REASONS
from paro_facts import FACTS, MODEL_WORDS

INTRODUCTION = """# llama.cpp's server tests

llama.cpp tests its server from outside, over HTTP. `make compat` runs these tests against `paro serve` with the demo model and
writes this page. They are taken from a source distribution of llama-cpp-python, unpacked under `build/` and run from a copy
there; nothing of them is part of this repository. `tools/compat/` starts `paro serve` where they start their server, translates
its flags, and adapts what is a matter of another model or another program: the end of this page lists every such place.

A function passes when all of its cases do. What does not pass has a reason here, or `make compat` fails.
"""


def functions_in(unit: Path) -> dict[str, list[str]]:
    """The names of each file's test functions."""
    return {
        file.name: [f.name for f in ast.parse(file.read_text()).body
                    if isinstance(f, ast.FunctionDef) and f.name.startswith("test_")]
        for file in sorted(unit.glob("test_*.py"))
    }  # fmt: skip


def outcomes_in(results: Path) -> dict[tuple[str, str], list[str]]:
    """Of each function's cases: passed, failed or skipped. A case that fails on its way out fails."""
    cases: dict[str, str] = {}
    for line in results.read_text().splitlines():
        row = json.loads(line)
        if cases.get(row["test"]) != "failed":
            cases[row["test"]] = row["outcome"]
    outcomes = defaultdict(list)
    for test, outcome in cases.items():
        file, function = test.removeprefix("unit/").split("[")[0].split("::")
        outcomes[file, function].append(outcome)
    return outcomes


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def reason_for(file: str, function: str) -> str | None:
    return REASONS.get(f"{file}::{function}") or REASONS.get(file) or NOT_RUN.get(file)


def write_report(unit: Path, results: Path, report: Path) -> None:
    functions, outcomes = functions_in(unit), outcomes_in(results)
    rows, missing, problems = [], [], []
    total = [0, 0, 0, 0]
    for file, names in functions.items():
        counts = [0, len(names), 0, 0]
        for name in names:
            cases = outcomes.get((file, name), [])
            n_passed = cases.count("passed")
            counts[2] += n_passed
            counts[3] += len(cases)
            reason = reason_for(file, name)
            if cases and n_passed == len(cases):
                counts[0] += 1
                if f"{file}::{name}" in REASONS:
                    problems.append(f"{file}::{name} passes, but adaptations.py says: {reason}")
                continue
            if reason is None:
                problems.append(f"{file}::{name} does not pass, and adaptations.py does not say why")
            of_cases = f" ({n_passed} of {len(cases)} cases pass)" if n_passed else ""
            missing.append((file, name, (reason or "?") + of_cases))
        rows.append(f"| `{file}` | {counts[0]} of {counts[1]} | {counts[2]} of {counts[3]} |")
        total = [a + b for a, b in zip(total, counts)]
    lines = [INTRODUCTION, f"**{total[0]} of {total[1]} functions pass; {total[2]} of the {total[3]} cases that were run.**\n",
             "| File | Functions | Cases that were run |", "|---|---|---|", *rows, "", "## What does not pass", "",
             "| Test | Why |", "|---|---|"]  # fmt: skip
    for file, names in functions.items():
        mine = [(name, why) for f, name, why in missing if f == file]
        if file in NOT_RUN:
            lines.append(f"| `{file}`, all {len(names)} | not run: {NOT_RUN[file]} |")
        else:
            lines += [f"| `{file}` {name} | {why} |" for name, why in mine]
    lines += ["", "## What was adapted", "", "Servers start with the demo model's end tokens turned off, but for those of test_compat_anthropic.py: the other tests "
              "count on a model that writes until it is stopped. The first delta of a stream has empty content, as OpenAI sends it, "
              "and is read as null, as llama.cpp sends it.", "", "| File | What stands there | Instead | Why |", "|---|---|---|---|"]
    lines += [f"| `{a.file}`, {a.n_times}x | `{cell(a.old)}` | `{cell(a.new)}` | {a.reason} |" for a in ADAPTATIONS]
    lines += ["", "Parameters of tests that count what another tokenizer makes of a prompt are counted with the demo model's, by the "
              "`tokenizers` and `jinja2` packages: " + ", ".join(f"`{n}` of {t}" for t, ps in FACTS.items() for n in ps) + ".",
              "", "Patterns that expect words of another model's stories are met by any text: "
              + ", ".join(f"`{w}`" for w in MODEL_WORDS) + "."]
    report.write_text("\n".join(lines) + "\n")
    print("\n".join(problems), file=sys.stderr)
    print(f"{total[0]} of {total[1]} functions pass, {total[2]} of {total[3]} cases", file=sys.stderr)
    if problems:
        sys.exit(1)
