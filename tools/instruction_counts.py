#!/usr/bin/env python3
"""Counts the instructions of a prefill and of decode steps, and holds them against tests/instruction_counts.json.

usage: instruction_counts.py BUILD [--record] [--top N]

Runs BUILD/bench/count_steps, which is the same on every run, under callgrind. Counts do not move with the machine's
load, so that a slower kernel shows in a change's own checks; what they leave out is memory and the order of execution.
AVX2, since the valgrind of Debian 12 knows no AVX-512.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "tests/instruction_counts.json"
MODEL = "models/demo"
ISA = "avx2"
PHASES = {"prefill": "paro_count_prefill", "decode": "paro_count_decode"}
MOST, LEAST = 1.10, 0.90  # of what is recorded
TIMEOUT_S = 300


def functions_of(profile: str) -> dict[str, int]:
    """function -> its own instructions, from a callgrind profile with plain names and positions"""
    counts: dict[str, int] = {}
    function = ""
    is_call = False
    for line in profile.splitlines():
        if line.startswith("fn="):
            function = line[3:]
        elif line.startswith("calls="):
            is_call = True  # the next line is what the called function took
        elif line[:1].isdigit() and function:
            if not is_call:
                counts[function] = counts.get(function, 0) + int(line.split()[1])
            is_call = False
    return counts


def short_name(function: str) -> str:
    """Without namespaces, parameters and what stands in angle brackets."""
    name = re.sub(r"\(anonymous namespace\)::|paro::cpu::|paro::", "", function)
    while (flat := re.sub(r"<[^<>]*>", "", name)) != name:
        name = flat
    return name.split("(")[0].removeprefix("void ").strip() or function


def count(program: Path, function: str) -> tuple[dict[str, int], dict[str, object]]:
    """Instructions by function inside `function`, and what the program says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", f"--toggle-collect={function}",
                   "--compress-strings=no", "--compress-pos=no", str(program), MODEL, ISA]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=ROOT,
                                  env={k: v for k, v in os.environ.items() if not k.startswith("PARO_")})
        except FileNotFoundError:
            sys.exit("valgrind is missing: tools/install_packages.sh counting")
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")
        return functions_of(profile.read_text()), json.loads(done.stdout)


def measure(program: Path, top: int) -> dict[str, object]:
    instructions: dict[str, int] = {}
    facts: dict[str, object] = {}
    for phase, function in PHASES.items():
        functions, facts = count(program, function)
        total = instructions[phase] = sum(functions.values())
        by_name = Counter[str]()
        for name, own in functions.items():
            by_name[short_name(name)] += own
        if total == 0:
            sys.exit(f"callgrind counted nothing in {function} of {program}")
        print(f"{phase}: {total:,} instructions")
        for name, own in by_name.most_common(top):
            print(f"  {own:>13,}  {100 * own / total:5.1f} %  {name}")
    return {"model": MODEL, "isa": ISA, **facts, "libc": " ".join(platform.libc_ver()), "instructions": instructions}


def complaints(recorded: dict, now: dict) -> list[str]:
    """What is out of bounds, one sentence each."""
    found = []
    for phase, before in recorded["instructions"].items():
        part = now["instructions"][phase] / before
        if part > MOST:
            found.append(f"{phase} takes {part:.2f} times the {before:,} instructions that are recorded, at most "
                         f"{MOST:.2f} is allowed")
    if not found:
        return []
    for what in ("compiler", "libc"):
        if recorded[what] != now[what]:
            found.append(f"the record was made with {what} '{recorded[what]}', this is '{now[what]}': see whether the "
                         "parent commit counts the same here, and record with these if it does")
    found.append("make it cheaper, or say in the commit why it is worth it and record anew: "
                 "make count-instructions RECORD=1")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="a build directory")
    parser.add_argument("--record", action="store_true", help="write the record instead of comparing with it")
    parser.add_argument("--top", type=int, default=12, metavar="N", help="functions to show of each phase")
    arguments = parser.parse_args()
    now = measure((ROOT / arguments.build / "bench/count_steps").resolve(), arguments.top)
    if arguments.record:
        RECORD.write_text(json.dumps(now, indent=2) + "\n")
        print(f"recorded in {RECORD.relative_to(ROOT)}")
        return 0
    recorded = json.loads(RECORD.read_text())
    for phase, before in recorded["instructions"].items():
        part = now["instructions"][phase] / before
        hint = "; record the gain: make count-instructions RECORD=1" if part < LEAST else ""
        print(f"{phase}: {part:.3f} of the record{hint}")
    found = complaints(recorded, now)
    if found:
        print("instruction counts: " + ";\n  ".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
