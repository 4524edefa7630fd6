"""A control group that bounds the memory of a program, of version 1 or 2.

The group lies below this process's own where that can be, else beside it. At its limit the system first takes back page
cache of the group, then ends the program; swap counts as memory. What happened is told by `usage`.
"""
from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REMOVAL_TIMEOUT_S = 10
WATCH_INTERVAL_S = 0.02


class NoGroup(Exception):
    """Says why no group can be made here."""


@dataclass(frozen=True)
class Usage:
    peak_bytes: int | None  # pages, page cache and what the kernel holds for them; None: the system does not tell
    n_limit_hits: int  # times that something had to be given back
    n_oom_kills: int


@dataclass
class Watch:
    held_bytes: int = 0


def numbers_of(text: str) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def parents(root: Path = Path("/")) -> list[tuple[Path, int]]:
    """Where a group with a limit of memory may be made, and of which version: nearest to this process first."""
    mounts = root / "sys/fs/cgroup"
    found: list[tuple[Path, int]] = []
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own = Path(path)
        for group in (own, *own.parents):
            inner = str(group).lstrip("/")
            if controllers == "":
                found += [(mount / inner, 2) for mount in (mounts, mounts / "unified") if hands_down(mount / inner)]
            elif "memory" in controllers.split(","):
                found += [(mount / inner, 1) for mount in dict.fromkeys((mounts / "memory", mounts / controllers))
                          if (mount / inner / "memory.limit_in_bytes").exists()]
    return found


def hands_down(group: Path) -> bool:
    """Whether groups below one of version 2 have limits of memory."""
    try:
        return "memory" in (group / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


class MemoryGroup:
    def __init__(self, path: Path, version: int) -> None:
        self.path, self.version = path, version

    def limit(self, n_bytes: int) -> None:
        """Of memory and swap together."""
        if self.version == 2:
            (self.path / "memory.max").write_text(str(n_bytes))
            self._write_if_there("memory.swap.max", 0)
            self._write_if_there("memory.oom.group", 1)
        else:
            (self.path / "memory.limit_in_bytes").write_text(str(n_bytes))
            self._write_if_there("memory.memsw.limit_in_bytes", n_bytes)
            self._write_if_there("memory.swappiness", 0)

    def command(self, command: list[str]) -> list[str]:
        """The command, in the group from its first page on and under the same process id as without."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.path / "cgroup.procs"), *command]

    def usage(self) -> Usage:
        if self.version == 2:
            events = numbers_of((self.path / "memory.events").read_text())
            return Usage(self._number("memory.peak"), events["max"], events["oom_kill"])
        control = numbers_of((self.path / "memory.oom_control").read_text())
        hits = sum(self._number(name) or 0 for name in ("memory.failcnt", "memory.memsw.failcnt"))
        return Usage(self._number("memory.max_usage_in_bytes"), hits, control.get("oom_kill", 0))

    def held_bytes(self) -> int:
        """Now, without page cache: what the group's programs and the kernel hold for good."""
        stat = numbers_of((self.path / "memory.stat").read_text())
        if self.version == 2:
            return stat["anon"] + stat["shmem"] + stat.get("kernel", 0)
        return stat["rss"] + stat.get("shmem", 0) + (self._number("memory.kmem.usage_in_bytes") or 0)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Watch]:
        """The most that is held while this lasts, looked at all the time."""
        watch, ended = Watch(), threading.Event()

        def look() -> None:
            while not ended.wait(WATCH_INTERVAL_S):
                watch.held_bytes = max(watch.held_bytes, self.held_bytes())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield watch
        finally:
            ended.set()
            thread.join()

    def remove(self) -> None:
        """Once its processes have ended, which the system may see a little late."""
        deadline = time.monotonic() + REMOVAL_TIMEOUT_S
        while True:
            try:
                self.path.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _number(self, name: str) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            return int((self.path / name).read_text())
        return None

    def _write_if_there(self, name: str, value: int) -> None:
        if (self.path / name).exists():
            (self.path / name).write_text(str(value))


def make_group(name: str, limit_bytes: int, root: Path = Path("/")) -> MemoryGroup:
    """A group that programs of this user can be started in. Throws NoGroup."""
    reasons = []
    for parent, version in parents(root):
        group = MemoryGroup(parent / f"{name}-{os.getpid()}", version)
        try:
            group.path.mkdir()
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror}")
            continue
        try:
            group.limit(limit_bytes)
            entered = subprocess.run(group.command(["true"]), capture_output=True, text=True)
            if entered.returncode == 0:
                return group
            reasons.append(f"{group.path}: {entered.stderr.strip()}")
        except OSError as error:
            reasons.append(f"{group.path}: {error.strerror}")
        group.remove()
    raise NoGroup("; ".join(reasons) or "no control group of this process has a limit of memory")


@contextlib.contextmanager
def memory_group(name: str, limit_bytes: int) -> Iterator[MemoryGroup | str]:
    """A group that is removed in the end, or the reason why there is none."""
    try:
        group = make_group(name, limit_bytes)
    except NoGroup as reason:
        yield str(reason)
        return
    try:
        yield group
    finally:
        group.remove()
