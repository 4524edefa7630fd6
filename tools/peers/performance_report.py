#!/usr/bin/env python3
"""Writes performance.md and performance.svg from the results that measure.py kept.

usage: performance_report.py RESULTS OUT

The text under "Reading the figures" is performance_analysis.md, written by hand.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bar_chart import Bar, Group, bar_chart

ANALYSIS = Path(__file__).with_name("performance_analysis.md")
NONE = "–"


@dataclass(frozen=True)
class Target:
    """What a work is to reach with all threads; 0: nothing is asked."""
    ratio: float = 0  # to the fastest peer
    share: float = 0  # of the limit
    limit: str = "memory"
    either: bool = False  # one of the two is enough


TARGETS = {
    ("moe", "decode x1"): Target(ratio=1.15, share=0.88),
    ("dense", "decode x1"): Target(ratio=1.15, share=0.90),
    ("dense", "decode x8"): Target(ratio=1.8),
    ("moe", "prefill 512"): Target(ratio=1.3, share=0.55, limit="integer peak", either=True),
    ("dense", "prefill 512"): Target(ratio=2, share=0.70, limit="integer peak", either=True),
}
DEPTH_TARGET = Target(share=0.60)


@dataclass(frozen=True)
class Row:
    """One work of one geometry: paro's figure and each peer's, in tokens/s."""
    geometry: str
    work: str
    paro: dict
    share: float | None
    limit: str
    peers: dict[str, dict]

    def ratio(self, peer: str) -> float:
        return self.paro["median"] / self.peers[peer]["median"]

    @property
    def least_ratio(self) -> float | None:
        return min((self.ratio(peer) for peer in self.peers), default=None)


def load_results(folder: Path) -> list[dict]:
    results = [json.loads(file.read_text()) for file in sorted(folder.glob("*-*-*.json"))]
    order = {"moe": 0, "dense": 1}
    return sorted(results, key=lambda r: (-r["threads"], order.get(r["geometry"], 9), r["work"]))


def spread(samples: dict, divisor: float = 1) -> str:
    low, middle, high = (samples[key] / divisor for key in ("min", "median", "max"))
    digits = 0 if middle >= 100 else 1
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def percent(part: float | None) -> str:
    return NONE if part is None else f"{100 * part:.0f} %"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def peer_samples(figures: dict, pick) -> dict[str, dict]:
    """peer -> the samples that pick() finds in one of its programs, llama-bench before the other"""
    found: dict[str, dict] = {}
    for peer in figures.get("peers", []):
        samples = pick(peer)
        if samples:
            found.setdefault(peer["name"].removesuffix("-batched"), samples)
    return found


def decode_of(peer: dict, batch: int) -> dict | None:
    return next((d["tokens_per_s"] for d in peer["decode"] if d["batch"] == batch), None)


def speed_rows(result: dict) -> Iterator[Row]:
    f = result["figures"]
    for decode in f["decode"]:
        batch = decode["batch"]
        yield Row(result["geometry"], f"decode x{batch}", decode["tokens_per_s"], decode["part_of_memory"], "memory",
                  peer_samples(f, lambda peer: decode_of(peer, batch)))
    prefill = f["prefill"]
    yield Row(result["geometry"], f"prefill {prefill['tokens']}", prefill["tokens_per_s"],
              prefill.get("part_of_integer_peak"), "integer peak",
              peer_samples(f, lambda peer: peer.get("prefill", {}).get("tokens_per_s")))


def speed_section(results: list[dict]) -> str:
    rows = [row for result in results for row in speed_rows(result)]
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    head = ["model", "work", "paro, tokens/s", "of the limit"]
    for peer in peers:
        head += [f"{peer}, tokens/s", "paro is"]
    cells = []
    for row in rows:
        line = [row.geometry, row.work, spread(row.paro), f"{percent(row.share)} of {row.limit}"]
        for peer in peers:
            known = peer in row.peers
            line += [spread(row.peers[peer]) if known else NONE, f"{row.ratio(peer):.2f} ×" if known else NONE]
        cells.append(line)
    text = table(head, cells)
    mixed = [[r["geometry"], f"{m['prefill_chunk']} + {m['batch']}", spread(m["prefill_tokens_per_s"]),
              spread(m["decode_tokens_per_s"])] for r in results for m in r["figures"].get("mixed", [])]
    if mixed:
        text += "\nSteps of a prompt's chunk and a token of each of some sequences, paro alone:\n\n"
        text += table(["model", "chunk + sequences", "prompt tokens/s", "answer tokens/s"], mixed)
    limits = [[r["geometry"], spread(r["figures"]["memory_bytes_per_s"], 1e9),
               spread(r["figures"]["integer_ops_per_s"], 1e9)] for r in results]
    text += "\nThe machine's limits in the same runs:\n\n"
    return text + table(["run", "memory, GB/s", "integer products, Gop/s"], limits)


def depth_section(results: list[dict]) -> str:
    rows = []
    for result in results:
        for d in result["figures"]["decode_at_depth"]:
            extra = d["extra_seconds_per_step"]
            is_noise = extra["median"] <= 0
            rows.append([result["geometry"], f"{d['depth']:,}", result["work"].removeprefix("depth-"),
                         spread(extra, 1e-3), f"{d['extra_cache_bytes_per_step'] / 1e6:.0f}",
                         NONE if is_noise else f"{d['bytes_per_s'] / 1e9:.1f}",
                         NONE if is_noise else percent(d["part_of_memory"])])
    return table(["model", "tokens before", "keys and values", "ms a step more", "MB a step more", "GB/s", "of memory"],
                 rows)


def load_section(results: list[dict]) -> str:
    rows = []
    for result in results:
        rates = [load["bytes_per_s"] for load in result["figures"]]
        samples = {"median": median(rates), "min": min(rates), "max": max(rates)}
        state = "in the page cache" if result["work"] == "load-warm" else "on disk"
        seconds = median(load["seconds"] for load in result["figures"])
        rows.append([result["geometry"], state, spread(samples, 1e9), f"{seconds:.2f}"])
    return table(["model", "files", "GB/s", "seconds"], rows)


def models_section(results: list[dict]) -> str:
    rows = []
    for result in {r["geometry"]: r for r in results}.values():
        ours, theirs = result["checkpoint_bytes"], result["gguf_bytes"]
        step = next((r["figures"]["decode"][0]["bytes_per_token"] for r in results
                     if r["geometry"] == result["geometry"] and r["work"] == "speed"), None)
        rows.append([result["geometry"], result["title"], f"{ours / 1e9:.2f}", f"{theirs / 1e9:.2f}",
                     f"{100 * (theirs / ours - 1):+.1f} %", NONE if step is None else f"{step / 1e6:.0f}"])
    return table(["model", "geometry", "checkpoint, GB", "GGUF, GB", "GGUF is", "paro reads, MB a token"], rows)


def reached(results: list[dict]) -> Iterator[tuple[str, str, float | None, float | None]]:
    """geometry, work, least ratio to a peer, share of the limit"""
    for result in results:
        if result["work"] == "speed":
            for row in speed_rows(result):
                yield row.geometry, row.work, row.least_ratio, row.share
        elif result["work"].startswith("depth-"):
            kv_type = result["work"].removeprefix("depth-")
            for d in result["figures"]["decode_at_depth"]:
                yield result["geometry"], f"context, {kv_type}", None, d["part_of_memory"]


def targets_section(results: list[dict]) -> str:
    def verdict(value: float | None, wanted: float) -> str:
        return NONE if value is None else "yes" if value >= wanted else "no"

    rows = []
    for geometry, work, ratio, share in reached(results):
        target = DEPTH_TARGET if work.startswith("context") else TARGETS.get((geometry, work), Target())
        asked = []
        if target.ratio:
            asked.append((f"{target.ratio:.2f} × the fastest peer", NONE if ratio is None else f"{ratio:.2f} ×",
                          verdict(ratio, target.ratio)))
        if target.share:
            asked.append((f"{percent(target.share)} of {target.limit}", percent(share), verdict(share, target.share)))
        if target.either:
            verdicts = [v for _, _, v in asked]
            met = "yes" if "yes" in verdicts else "no" if "no" in verdicts else NONE
            asked = [(" or ".join(t for t, _, _ in asked), ", ".join(m for _, m, _ in asked), met)]
        rows += [[geometry, work, *cells] for cells in asked]
    return table(["model", "work", "target", "measured", "met"], rows)


def chart(results: list[dict]) -> str:
    groups = []
    for row in (row for result in results for row in speed_rows(result)):
        if not row.peers:
            continue
        base = next(iter(row.peers.values()))["median"]
        engines = {"paro": row.paro, **row.peers}
        groups.append(Group(f"{row.geometry}, {row.work}",
                            [Bar(name, samples["median"] / base, f"{samples['median']:.1f} tokens/s")
                             for name, samples in engines.items()]))
    return bar_chart("Tokens per second", "length: relative to the first peer, the dashed line", groups)


def machine_section(folder: Path, results: list[dict]) -> str:
    machine = json.loads((folder / "machine.json").read_text())
    figures = next(r["figures"] for r in results if r["work"] == "speed")
    processor = figures["processor"]
    return table(["", ""], [
        ["processor", f"{processor['name']} (family {processor['family']}, model {processor['model']}), "
                      f"{machine['processors']} processors"],
        ["memory", f"{machine['memory_bytes'] / 2**30:.0f} GiB"],
        ["kernel", machine["kernel"]],
        ["paro", f"{machine['commit']}, {figures['backend']}"],
    ])


def report(folder: Path, results: list[dict]) -> str:
    most = max(r["threads"] for r in results)
    parts = ["# Performance\n\nWritten by `make bench-peers`, which measures all of it again.\n",
             "## Machine\n", machine_section(folder, results), "## Models\n",
             "Random weights of the same geometry in both formats.\n", models_section(results)]
    for threads in sorted({r["threads"] for r in results}, reverse=True):
        here = [r for r in results if r["threads"] == threads]
        parts.append(f"## {threads} thread{'' if threads == 1 else 's'}\n")
        repetitions = [f"{r['figures']['repetitions']} ({r['geometry']})" for r in here if r["work"] == "speed"]
        if repetitions:
            parts.append(f"Medians (least to most); repetitions: {', '.join(repetitions)}.\n")
        if threads == most:
            parts.append("![tokens per second of each program](performance.svg)\n")
        for title, prefix, section in (
                ("", "speed", speed_section),
                ("### A long context\n", "depth", depth_section),
                ("### Loading\n", "load", load_section)):
            chosen = [r for r in here if r["work"].startswith(prefix)]
            if chosen:
                parts += [part for part in (title, section(chosen)) if part]
    parts += ["## Targets\n", f"Of {most} thread{'' if most == 1 else 's'}.\n",
              targets_section([r for r in results if r["threads"] == most]),
              "## Reading the figures\n", ANALYSIS.read_text(), "## Commands\n",
              "```sh\n" + "\n".join(dict.fromkeys(r["command"] for r in results)) + "\n```\n"]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    results = load_results(arguments.results)
    if not any(r["work"] == "speed" for r in results):
        parser.error(f"{arguments.results} holds no measurement of speed: run tools/peers/measure.py")
    most = max(r["threads"] for r in results)
    (arguments.out / "performance.md").write_text(report(arguments.results, results))
    (arguments.out / "performance.svg").write_text(
        chart([r for r in results if r["threads"] == most and r["work"] == "speed"]))


if __name__ == "__main__":
    main()
