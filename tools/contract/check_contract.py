#!/usr/bin/env python3
"""Holds the server to its OpenAPI document: schemathesis asks what the document allows, and what it does not.

usage: check_contract.py PARO [--examples 20000] [--seed N]      needs the packages of requirements.txt

Serves the demo model with a short context, so that no answer takes long. Fails when an answer is not as documented or a
fault of the server, when the server ends, or takes more memory than its plan.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "memory"))

from served import Served, ServerFailed, get, plan_of, serving

DEMO = HERE.parents[1] / "models/demo"
KEY = "contract"
CONTEXT = ("--max-context", "256")
MIB = 1 << 20


def ask(served: Served, n_examples: int, seed: int | None) -> int:
    n_operations = sum(map(len, get(f"{served.base}/openapi.json")["paths"].values()))
    command = [str(Path(sys.executable).absolute().with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
               "run", f"{served.base}/openapi.json", "--header", f"Authorization: Bearer {KEY}",
               "--max-examples", str(max(1, n_examples // n_operations))]
    if seed is not None:
        command += ["--seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:  # where it leaves its cache
        return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(HERE)}).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paro", type=Path)
    parser.add_argument("--examples", type=int, default=20_000, help="of all operations together, about")
    parser.add_argument("--seed", type=int, help="repeats a run")
    arguments = parser.parse_args()
    plan_bytes = plan_of(arguments.paro, DEMO, *CONTEXT)["plan_bytes"]
    try:
        with serving(arguments.paro, DEMO, *CONTEXT, "--api-key", KEY) as served:
            code = ask(served, arguments.examples, arguments.seed)
            peak_bytes = served.peak_bytes()
    except ServerFailed as failure:
        print(failure)
        return 1
    print(f"resident at most {peak_bytes / MIB:.1f} MiB, plan {plan_bytes / MIB:.1f} MiB")
    return 1 if code != 0 or peak_bytes > plan_bytes else 0


if __name__ == "__main__":
    sys.exit(main())
