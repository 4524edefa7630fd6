#!/usr/bin/env python3
"""Runs llama.cpp's own server tests against `paro serve` and writes down what passes.

usage: tools/compat/run.py PARO FOLDER [--report FILE] [PYTEST ARGUMENTS]

The tests come from the source distribution of llama-cpp-python on PyPI that tools/peers/llama-cpp-python.txt pins. They are
unpacked under FOLDER and run from a copy there, with the changes that adaptations.py lists.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from adaptations import ADAPTATIONS, NOT_RUN
from report import write_report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENT = ROOT / "tools/peers/llama-cpp-python.txt"
LLAMA_CPP = "vendor/llama.cpp"


def unpack(folder: Path) -> Path:
    """The folder of llama.cpp's sources: its tests and the chat templates that they read."""
    version = re.search(r"==(\S+)", REQUIREMENT.read_text()).group(1)
    name = f"llama_cpp_python-{version}"
    source = folder / name / LLAMA_CPP
    if (source / "tools/server/tests").exists():
        return source
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary",
         "llama-cpp-python", "--require-hashes", "--requirement", REQUIREMENT, "--dest", folder],
        check=True,
    )  # fmt: skip
    wanted = tuple(f"{name}/{LLAMA_CPP}/{part}/" for part in ("tools/server/tests", "models/templates"))
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        members = [m for m in archive.getmembers() if m.name.startswith(wanted)]
        archive.extractall(folder, members, filter="data")
    return source


def adapt(source: Path, folder: Path) -> Path:
    """A copy of the tests with the adaptations made."""
    copy = folder / "adapted"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source / "tools/server/tests", copy / "tools/server/tests")
    shutil.copytree(source / "models/templates", copy / "models/templates")
    unit = copy / "tools/server/tests/unit"
    for adaptation in ADAPTATIONS:
        file = unit / adaptation.file
        text = file.read_text()
        if text.count(adaptation.old) != adaptation.n_times:
            sys.exit(f"{adaptation.file} holds {adaptation.old!r} {text.count(adaptation.old)} times, "
                     f"expected {adaptation.n_times}")  # fmt: skip
        file.write_text(text.replace(adaptation.old, adaptation.new))
    return copy / "tools/server/tests"


def prepare_model(folder: Path) -> Path:
    """The demo model without its end tokens: the tests count on a model that writes until it is stopped."""
    model = folder / "demo"
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir()
    for file in (ROOT / "models/demo").iterdir():
        if file.name != "generation_config.json":
            (model / file.name).symlink_to(file)
    config = json.loads((ROOT / "models/demo/generation_config.json").read_text())
    vocabulary = json.loads((ROOT / "models/demo/tokenizer.json").read_text())["model"]["vocab"]
    config["eos_token_id"] = vocabulary["<unused0>"]
    (model / "generation_config.json").write_text(json.dumps(config))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paro", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--report", type=Path, help="write the outcome as Markdown, and fail where it is not what it was")
    options, pytest_arguments = parser.parse_known_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = unpack(folder)
    tests = adapt(source, folder)
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PARO_BINARY": str(options.paro.resolve()),
        "PARO_MODEL": str(prepare_model(folder)),
        "PARO_COMPAT_RESULTS": str(results),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(tests)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    skipped = [f"--deselect=unit/{name}" for name in NOT_RUN if "::" in name]
    skipped += [f"--ignore=unit/{name}" for name in NOT_RUN if "::" not in name]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "paro_server", "-p", "no:cacheprovider", "-m", "not slow", *skipped,
         *(pytest_arguments or ["unit"])],
        cwd=tests, env=environment, check=False,
    )  # fmt: skip
    if options.report:
        write_report(source / "tools/server/tests/unit", results, options.report)


if __name__ == "__main__":
    main()
