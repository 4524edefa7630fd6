"""What `make install` puts under DESTDIR and PREFIX, of the build that PARO_BINARY lies in."""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARO = Path(os.environ.get("PARO_BINARY", ROOT / "build/release/paro"))


@pytest.mark.parametrize("prefix", ["/usr/local", "/opt/paro"])
def test_make_install_puts_everything_in_its_place(prefix: str, tmp_path: Path) -> None:
    subprocess.run(["make", "-C", ROOT, "install", f"DESTDIR={tmp_path}", f"PREFIX={prefix}",
                    f"PRESET={PARO.parent.name}"], check=True, capture_output=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [Path(prefix).parts[1]]
    installed = tmp_path / prefix.removeprefix("/")
    docs = {f"share/doc/paro/docs/{file.name}" for file in (ROOT / "docs").iterdir()}
    files = {str(file.relative_to(installed)) for file in installed.rglob("*") if file.is_file()}
    others = {"README.md", "LICENSE", "NOTICE", "examples/paro.env", "examples/paro.toml"}
    assert files == {"bin/paro", "lib/systemd/system/paro.service"} | docs | {f"share/doc/paro/{n}" for n in others}

    def version(program: Path) -> str:
        return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout

    assert version(installed / "bin/paro") == version(PARO) != ""
    unit = (installed / "lib/systemd/system/paro.service").read_text()
    assert f"\nExecStart={prefix}/bin/paro serve --config /etc/paro/paro.toml " in unit
    assert not re.search("@[a-z]+@", unit) and str(tmp_path) not in unit
    assert f"file://{prefix}/share/doc/paro/docs/cli.md" in unit


def test_the_unit_waits_longer_than_the_grace() -> None:
    unit = (ROOT / "packaging/paro.service.in").read_text()
    usage = subprocess.run([PARO, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    grace = re.search(r"--grace .*=(\d+) ", usage)
    timeout = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert grace and timeout and int(timeout[1]) > int(grace[1]) + 10
    assert "\nKillSignal=SIGTERM\n" in unit


def test_the_example_configuration_holds(tmp_path: Path) -> None:
    example = (ROOT / "packaging/paro.toml").read_text()
    file = tmp_path / "paro.toml"
    for text in (example, re.sub(r"^# (?=[a-z-]+ = )", "", example, flags=re.MULTILINE)):
        file.write_text(text)
        done = subprocess.run([PARO, "serve", "--config", file, tmp_path / "nowhere"], capture_output=True, text=True)
        assert done.returncode == 1 and "nowhere" in done.stderr  # all flags were taken, and the model looked for
