"""Every include under src/ follows the folder table of docs/architecture.md.

usage: layering_test.py SOURCE_DIR
"""
from __future__ import annotations

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
ENGINE_DOOR = {"engine/engine.h", "engine/memory_report.h", "engine/sampling.h", "engine/token_constraint.h"}


def read_table(document: str) -> dict[str, set[str]]:
    """folder below src/ -> folders that it may include"""
    rows = re.findall(r"^\| src/(\S+) \|[^|]*\|([^|]*)\|$", document, re.M)
    return {folder: set(arrows.split()) for folder, arrows in rows}


def owner(path: str, folders: dict[str, set[str]]) -> str | None:
    """The folder of the table that a path below src/ lies in, the longest name first."""
    return next((f for f in sorted(folders, key=len, reverse=True) if path.startswith(f + "/")), None)


def violations(source: Path, folders: dict[str, set[str]]) -> list[str]:
    found = []
    for file in sorted(p for p in source.rglob("*") if p.suffix in {".h", ".cpp", ".cu", ".mm"}):
        name = file.relative_to(source).as_posix()
        folder = owner(name, folders)
        if folder is None:
            found.append(f"src/{name} lies in no folder of the table")
            continue
        for include in INCLUDE.findall(file.read_text()):
            target = owner(include, folders)
            if target is None:
                found.append(f"src/{name} includes \"{include}\", which lies in no folder of the table")
            elif target != folder and target.split("/")[0] not in folders[folder]:
                found.append(f"src/{name} includes \"{include}\": {folder} may not include {target}")
            elif folder == "server" and target == "engine" and include not in ENGINE_DOOR:
                found.append(f"src/{name} includes \"{include}\": the server sees engine/engine.h alone")
    return found


def main() -> int:
    root = Path(sys.argv[1])
    folders = read_table((root / "docs/architecture.md").read_text())
    # A table that is not read, or a rule that never bites, would pass anything.
    assert len(folders) >= 12 and folders["tensor"] == {"base"}, folders
    assert owner("backends/cpu/x.h", folders) == "backends/cpu" and "server" not in folders["engine"]
    found = violations(root / "src", folders)
    print("\n".join(found) or f"every include follows the table of {len(folders)} folders")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
