#!/usr/bin/env python3
"""Writes the measured section of docs/memory.md, and memory-curve.svg, from what bench_memory.py kept.

usage: memory_report.py RESULTS DOCS

RESULTS is build/memory/results/memory-curve.json. What stands outside the two marks of memory.md is written by hand.
"""
from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).resolve().parents[1] / "peers"))

from line_chart import Line, Point, line_chart
from performance_report import percent, spread, table

BEGIN, END = "<!-- measured: begin, by make bench-memory -->", "<!-- measured: end -->"
MOST_OVER_BOUND, LEAST_OF_DISK, LEAST_OVER_PEER = 1.25, 0.85, 3.0
TARGET_SHARE = 0.25
GIB = 2**30


def pooled(samples: Iterable[dict]) -> dict:
    """Median, least and most of the samples of several runs."""
    values = sorted(value for each in samples for value in each["samples"])
    return {"median": median(values), "min": values[0], "max": values[-1]}


def disk_of(run: dict) -> float:
    return pooled([run["figures"]["disk"]["bytes_per_s"]])["median"]


def entry_of(run: dict, work: str) -> dict:
    return run["figures"]["prefill"] if work == "prefill" else run["figures"]["decode"][0]


def of_experts(run: dict, work: str, figure: str) -> float:
    """Nothing is read, and nothing missed, where all are in memory."""
    return entry_of(run, work).get("experts", {}).get(figure, 1.0 if figure == "hit_share" else 0.0)


@dataclass(frozen=True)
class Budget:
    """All runs with as many experts in memory. Steps are of one token."""
    runs: list[dict]

    @property
    def slots(self) -> int:
        return self.runs[0]["slots"]

    @property
    def share(self) -> float:
        return self.slots / self.runs[0]["experts"]

    @property
    def plan_bytes(self) -> int:
        return self.runs[0]["plan_bytes"]

    @cached_property
    def decode(self) -> dict:
        return pooled(run["figures"]["decode"][0]["tokens_per_s"] for run in self.runs)

    @cached_property
    def prefill(self) -> dict:
        return pooled(run["figures"]["prefill"]["tokens_per_s"] for run in self.runs)

    def of_experts(self, work: str, figure: str) -> float:
        return median(of_experts(run, work, figure) for run in self.runs)

    @property
    def label(self) -> str:
        return percent(self.share) if self.share >= 0.01 else f"{self.slots} of {self.runs[0]['experts']}"

    def step_s(self, work: str) -> float:
        """A prefill is one step."""
        if work == "decode":
            return 1 / self.decode["median"]
        return self.runs[0]["figures"]["prefill"]["tokens"] / self.prefill["median"]


@dataclass(frozen=True)
class Curve:
    """Each run is held against what the disk gave meanwhile: what a shared one gives changes by the minute."""
    budgets: list[Budget]  # most memory first, which holds all experts
    disk_bytes_per_s: dict

    def bound_s(self, budget: Budget, work: str = "decode") -> float:
        return median(self.run_bound_s(run, work) for run in budget.runs)

    def run_bound_s(self, run: dict, work: str) -> float:
        """No step can be shorter: it computes as with all experts in memory, or waits for those that are not there."""
        return max(self.budgets[0].step_s(work), of_experts(run, work, "missed_bytes_per_step") / disk_of(run))

    def over_bound(self, budget: Budget, work: str = "decode") -> float:
        return budget.step_s(work) / self.bound_s(budget, work)

    def of_disk(self, budget: Budget, work: str = "decode") -> float:
        """What steps read a second, of what the disk gives."""
        return median(of_experts(run, work, "read_bytes_per_step") / disk_of(run)
                      for run in budget.runs) / budget.step_s(work)

    def nearest(self, share: float) -> Budget:
        return min(self.budgets, key=lambda budget: abs(budget.share - share))


def curve_of(kept: dict) -> Curve:
    by_slots: dict[int, list[dict]] = {}
    for run in kept["runs"]:
        by_slots.setdefault(run["slots"], []).append(run)
    return Curve([Budget(by_slots[slots]) for slots in sorted(by_slots, reverse=True)],
                 pooled(run["figures"]["disk"]["bytes_per_s"] for run in kept["runs"]))


@dataclass(frozen=True)
class Peer:
    """All runs under one limit."""
    limit_bytes: int
    decode: dict
    prefill: dict


def peers_of(kept: dict) -> list[Peer]:
    """The tightest limit first."""
    found = []
    for limit in sorted({run["limit_bytes"] for run in kept["peer_runs"]}):
        entries = [entry for run in kept["peer_runs"] if run["limit_bytes"] == limit for entry in run["figures"]]
        found.append(Peer(limit, pooled({"samples": [e["avg_ts"]]} for e in entries if e["n_gen"] > 0),
                          pooled({"samples": [e["avg_ts"]]} for e in entries if e["n_gen"] == 0)))
    return found


def gib(n_bytes: float) -> str:
    return f"{n_bytes / GIB:.1f}"


def curve_table(curve: Curve) -> str:
    rows = []
    for b in curve.budgets:
        missed, read = (b.of_experts("decode", f"{what}_bytes_per_step") / 1e6 for what in ("missed", "read"))
        hits = percent(b.of_experts("decode", "hit_share"))
        rows.append([b.label, gib(b.plan_bytes), spread(b.decode), spread(b.prefill), hits, f"{missed:.0f}",
                     f"{read:.0f}", f"{curve.over_bound(b):.2f} ×"])
    return table(["experts in memory", "memory, GiB", "tokens/s", "prompt tokens/s", "found in memory",
                  "missed, MB a token", "read, MB a token", "time over the least possible"], rows)


def peer_table(kept: dict, curve: Curve) -> str:
    budget, peers = curve.nearest(TARGET_SHARE), peers_of(kept)
    rows = [["paro", gib(peers[0].limit_bytes), spread(budget.decode), spread(budget.prefill)]]
    rows += [["llama.cpp, mmap", gib(peer.limit_bytes), spread(peer.decode), spread(peer.prefill)] for peer in peers]
    return table(["program", "memory, GiB", "tokens/s", "prompt tokens/s"], rows)


def targets_table(kept: dict, curve: Curve) -> str:
    budget = curve.nearest(TARGET_SHARE)
    over_bound, of_disk = curve.over_bound(budget), curve.of_disk(budget)
    over_peer = budget.decode["median"] / peers_of(kept)[0].decode["median"]

    def verdict(met: bool) -> str:
        return "yes" if met else "no"

    where = f"with {budget.label} in memory"
    return table(["target", "measured", "met"], [
        [f"a step takes at most {MOST_OVER_BOUND} × the least possible {where}", f"{over_bound:.2f} ×",
         verdict(over_bound <= MOST_OVER_BOUND)],
        [f"steps that wait for the disk read at {percent(LEAST_OF_DISK)} of it or more {where}",
         f"{percent(of_disk)}; a prefill, which computes as long as it reads, at "
         f"{percent(curve.of_disk(budget, 'prefill'))} and in {curve.over_bound(budget, 'prefill'):.2f} × the least "
         "possible", verdict(of_disk >= LEAST_OF_DISK)],
        [f"{LEAST_OVER_PEER:.0f} × llama.cpp with mmap in the same memory", f"{over_peer:.1f} ×",
         verdict(over_peer >= LEAST_OVER_PEER)]])


def machine_table(kept: dict, curve: Curve) -> str:
    machine, figures = kept["machine"], kept["runs"][0]["figures"]
    rows = [["processor", f"{figures['processor']['name']}, {machine['processors']} processors"],
            ["memory", f"{gib(machine['memory_bytes'])} GiB"],
            ["disk, GB/s", spread(curve.disk_bytes_per_s, 1e9)],
            ["kernel", machine["kernel"]],
            ["paro", f"{machine['commit']}, {figures['backend']}"],
            ["model", f"{kept['geometry']}: {kept['checkpoint_bytes'] / 1e9:.1f} GB; GGUF Q4_0: "
                      f"{kept['peer_runs'][0]['gguf_bytes'] / 1e9:.1f} GB"]]
    return table(["", ""], rows)


def warnings(kept: dict) -> list[str]:
    found = []
    if not all(run["confined"] for run in kept["runs"] + kept["peer_runs"]):
        found.append("**No control group could be made: programs may have used more memory than the tables say.**\n")
    if not all(run["figures"]["disk"]["direct"] for run in kept["runs"]):
        found.append("**The disk was read through the page cache: its rate may be too high.**\n")
    return found


def section(kept: dict, curve: Curve) -> str:
    n_samples = sum(len(run["figures"]["decode"][0]["tokens_per_s"]["samples"]) for run in curve.budgets[0].runs)
    commands = dict.fromkeys(run["command"] for run in kept["runs"] + kept["peer_runs"])
    return "\n".join([
        "![tokens per second over memory](memory-curve.svg)\n",
        f"Medians of {n_samples} repetitions (least to most); a run finds nothing of its files in the page cache. "
        "The least possible time of a token is the longer of two: what it takes with all experts in memory, and what "
        "the disk takes for the experts that are missed; guesses that come to nothing are read as well. A router of "
        "random weights asks for all experts alike, so that as many are found as fit; a trained one has favourites.\n",
        *warnings(kept), curve_table(curve),
        "Beside llama.cpp, in a control group of the same size, and in one that holds all of its file:\n",
        peer_table(kept, curve), targets_table(kept, curve), machine_table(kept, curve),
        "```sh\n" + "\n".join(commands) + "\n```\n"])


def chart(kept: dict, curve: Curve) -> str:
    def points(value) -> list[Point]:
        return [Point(b.plan_bytes / GIB, *value(b)) for b in curve.budgets]

    def measured(b: Budget) -> tuple[float, float, float, str]:
        return b.decode["median"], b.decode["min"], b.decode["max"], b.label

    def least(b: Budget) -> tuple[float, float, float]:
        return (1 / curve.bound_s(b),) * 3

    peers = [Point(peer.limit_bytes / GIB, peer.decode["median"], peer.decode["min"], peer.decode["max"])
             for peer in peers_of(kept)]
    return line_chart("Tokens per second over memory", "GiB of memory; at each point: experts in it", "tokens/s",
                      [Line("paro", points(measured)),
                       Line("bound of disk and processor", points(least), "dashes"),
                       Line("llama.cpp, mmap", peers, "points")])


def with_section(page: str, new: str) -> str:
    """The page with what stands between its marks replaced; a page without marks gets them at its end."""
    begin, end = page.find(BEGIN), page.find(END)
    if (begin < 0) != (end < 0) or end < begin:
        raise ValueError(f"the page has one of its two marks, or they are the wrong way round: {BEGIN} and {END}")
    block = f"{BEGIN}\n\n{new.strip()}\n\n{END}"
    if begin < 0:
        return f"{page.rstrip()}\n\n## Measured\n\n{block}\n".lstrip()
    return page[:begin] + block + page[end + len(END):]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("docs", type=Path)
    arguments = parser.parse_args()
    if not arguments.results.exists():
        parser.error(f"{arguments.results} is missing: run tools/memory/bench_memory.py")
    kept = json.loads(arguments.results.read_text())
    curve = curve_of(kept)
    page = arguments.docs / "memory.md"
    page.write_text(with_section(page.read_text() if page.exists() else "# Memory\n", section(kept, curve)))
    (arguments.docs / "memory-curve.svg").write_text(chart(kept, curve))


if __name__ == "__main__":
    main()
