#!/usr/bin/env python3
"""Holds servers to their memory plans: mixed load from many clients under control groups that allow little more.

usage: soak.py PARO [--minutes 30] [--quick] [--folder build/memory] [--clients 16]

Serves a model whose experts (3.4 GB) dwarf the slack with all, half, a quarter and a tenth of them in memory, each in a
control group of its plan and 32 MiB; then the demo model without slack, at every budget down to its smallest. Fails
unless every promise was kept, and keeps what it saw in FOLDER/soak.json.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "peers"))

from cgroup import MemoryGroup, Usage, Watch, memory_group
from clients import Load, Tally, Wrong, choices_of, facts_of, probes
from measure import machine
from moe_models import DEMO, DEMO_VOCAB_SIZE, ROOT, n_experts, slot_flags, slots_for, synthetic
from served import Served, ServerFailed, plan_of, serving

MIB = 1 << 20
SLACK_BYTES = 32 * MIB
SHARES = (1.0, 0.5, 0.25, 0.1)
BUDGET_STEPS = 6
DEMO_PART = 0.1  # of the time, for the budgets of the demo model
UNBOUNDED = "1TiB"  # a budget that no plan is fitted to
LARGE_FLAGS = ("--max-context", "2048", "--max-batch", "8", "--prefill-chunk", "512")
OUTCOMES = ("answered", "left", "too large", "refused")


@dataclass(frozen=True)
class Task:
    """One server: a model, its flags and budget, and how much more than its plan it may take."""
    name: str
    model: Path
    flags: tuple[str, ...]
    plan_bytes: int
    budget_bytes: int
    slack_bytes: int
    seconds: float


@dataclass
class Result:
    name: str
    model: str
    flags: tuple[str, ...]
    budget_bytes: int
    plan_bytes: int
    slack_bytes: int
    confined: bool
    peak_resident_bytes: int = 0
    group: Usage | None = None
    held_bytes: int = 0  # most in the group without page cache, which the system takes back when it needs to
    outcomes: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    seconds: float = 0
    problems: list[str] = field(default_factory=list)


def share_tasks(paro: Path, model: Path, flags: tuple[str, ...], shares: tuple[float, ...],
                seconds: float) -> Iterator[Task]:
    for share in shares:
        slots = slots_for(model, share)
        all_flags = (*flags, *slot_flags(model, slots))
        plan = plan_of(paro, model, *all_flags, "--memory-budget", UNBOUNDED)["plan_bytes"]
        yield Task(f"{share:.0%} of {n_experts(model)}", model, all_flags, plan, plan, SLACK_BYTES, seconds)


def smallest_budget(paro: Path, model: Path, most_bytes: int, flags: tuple[str, ...] = ()) -> int:
    """Below which no plan fits, to a MiB."""
    low, high = 0, -(-most_bytes // MIB)
    while high - low > 1:
        middle = (low + high) // 2
        fits = plan_of(paro, model, *flags, "--memory-budget", f"{middle}MiB")["fits"]
        low, high = (low, middle) if fits else (middle, high)
    return high * MIB


def in_steps(most: int, least: int, n: int) -> list[int]:
    return [most - (most - least) * i // max(1, n - 1) for i in range(n)]


def budget_tasks(paro: Path, model: Path, n_steps: int, seconds: float) -> Iterator[Task]:
    """Budgets that the plan is fitted to, without slack."""
    most = plan_of(paro, model, "--memory-budget", UNBOUNDED)["plan_bytes"]
    for budget in in_steps(most, smallest_budget(paro, model, most), n_steps):
        plan = plan_of(paro, model, "--memory-budget", str(budget))["plan_bytes"]
        yield Task(f"budget {budget / MIB:.1f} MiB", model, (), plan, budget, 0, seconds)


def answers_alone(served: Served, known: dict[str, list[dict]], problems: list[str]) -> dict[str, list[dict]]:
    """What the probes are answered while nobody else is served; `known` has what other budgets said."""
    answers = {probe.name: choices_of(served.base, probe) for probe in probes(facts_of(served.base))}
    problems += [f"'{name}' is answered otherwise than at another budget" for name, answer in answers.items()
                 if known.setdefault(name, answer) != answer]
    return answers


def serve(paro: Path, task: Task, n_clients: int, known: dict[str, list[dict]]) -> Result:
    result = Result(task.name, task.model.name, task.flags, task.budget_bytes, task.plan_bytes, task.slack_bytes, False)
    flags = (*task.flags, "--memory-budget", str(task.budget_bytes), "--grace", "5")
    began = time.monotonic()
    with memory_group("paro-soak", task.plan_bytes + task.slack_bytes) as group:
        confined = group if isinstance(group, MemoryGroup) else None
        result.confined = confined is not None
        if not result.confined:
            print(f"!!! NO CONTROL GROUP, only the resident memory is watched: {group}", flush=True)
        watching = confined.watched() if confined else contextlib.nullcontext(Watch())
        try:
            with watching as watch, serving(paro, task.model, *flags, group=confined) as served:
                tally = Load(served.base, answers_alone(served, known, result.problems), n_clients, task.seconds).run()
                note(result, tally)
                if served.is_alive:
                    result.peak_resident_bytes = served.peak_bytes()
                    result.plan_bytes = served.memory()["plan_bytes"]
        except (ServerFailed, Wrong, OSError) as failure:
            result.problems.append(str(failure))
        if confined:
            result.group, result.held_bytes = confined.usage(), watch.held_bytes
    result.seconds = time.monotonic() - began
    result.problems += broken_promises(result, task.plan_bytes)
    return result


def note(result: Result, tally: Tally) -> None:
    result.outcomes = {name: tally.outcomes[name] for name in OUTCOMES}
    result.kinds = dict(tally.kinds)
    result.problems += tally.problems


def broken_promises(result: Result, planned_bytes: int) -> list[str]:
    def mib(n_bytes: int) -> str:
        return f"{n_bytes / MIB:.1f} MiB"

    found = []
    if result.plan_bytes != planned_bytes:
        found.append(f"the plan served is {mib(result.plan_bytes)}, `paro plan` says {mib(planned_bytes)}")
    if result.plan_bytes > result.budget_bytes:
        found.append(f"the plan of {mib(result.plan_bytes)} exceeds the budget of {mib(result.budget_bytes)}")
    if result.peak_resident_bytes == 0:
        found.append("the server did not live to the end")
    if result.peak_resident_bytes > result.plan_bytes:
        found.append(f"{mib(result.peak_resident_bytes)} were resident, the plan is {mib(result.plan_bytes)}")
    if result.group and result.group.n_oom_kills:
        found.append(f"the system ended {result.group.n_oom_kills} processes for memory")
    if result.held_bytes > result.plan_bytes:
        found.append(f"the control group held {mib(result.held_bytes)}, the plan is {mib(result.plan_bytes)}")
    found += [f"no request was {outcome}" for outcome in OUTCOMES if not result.outcomes.get(outcome)]
    return found


def table(results: list[Result]) -> str:
    head = ["model", "what", "plan", "resident", "held", "with cache", "limit hits", "OOM kills", *OUTCOMES, "seconds",
            "kept"]
    rows = [head]
    for r in results:
        group = ["–"] * 4
        if r.group:
            peak = "–" if r.group.peak_bytes is None else f"{r.group.peak_bytes / MIB:.1f}"
            group = [f"{r.held_bytes / MIB:.1f}", peak, str(r.group.n_limit_hits), str(r.group.n_oom_kills)]
        rows.append([r.model, r.name, f"{r.plan_bytes / MIB:.1f}", f"{r.peak_resident_bytes / MIB:.1f}", *group,
                     *(str(r.outcomes.get(outcome, 0)) for outcome in OUTCOMES), f"{r.seconds:.0f}",
                     "no" if r.problems else "yes"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows)


def tasks_of(paro: Path, folder: Path, minutes: float, quick: bool) -> Iterator[Task]:
    if quick:
        small = synthetic(paro, folder / "moe2", 2, DEMO_VOCAB_SIZE)
        yield from share_tasks(paro, small, ("--max-context", "1024", "--max-batch", "4"), (1.0, 0.1), 6)
        yield from share_tasks(paro, DEMO, (), SHARES, 3)
        yield from budget_tasks(paro, DEMO, 3, 2)
        return
    large = synthetic(paro, folder / "moe8", 8, DEMO_VOCAB_SIZE)
    yield from share_tasks(paro, large, LARGE_FLAGS, SHARES, (1 - DEMO_PART) * 60 * minutes / len(SHARES))
    yield from budget_tasks(paro, DEMO, BUDGET_STEPS, DEMO_PART * 60 * minutes / BUDGET_STEPS)


def soak(paro: Path, folder: Path, minutes: float = 30, quick: bool = False, n_clients: int = 16) -> list[Result]:
    results = []
    known: dict[Path, dict[str, list[dict]]] = {}  # answers of the probes of each model
    for task in tasks_of(paro, folder, minutes, quick):
        print(f"{task.model.name}, {task.name}: plan {task.plan_bytes / MIB:.1f} MiB, {task.seconds:.0f} s", flush=True)
        results.append(serve(paro, task, n_clients, known.setdefault(task.model, {})))
        for problem in results[-1].problems:
            print(f"  {problem}", flush=True)
    print(table(results), flush=True)
    if not all(result.confined for result in results):
        print("!!! WITHOUT A CONTROL GROUP: nothing stopped a server from taking more than its plan", flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paro", type=Path)
    parser.add_argument("--minutes", type=float, default=30, help="of load in all")
    parser.add_argument("--quick", action="store_true", help="small models, about a minute")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/memory", help="of the models, kept")
    parser.add_argument("--clients", type=int, default=16)
    arguments = parser.parse_args()
    results = soak(arguments.paro, arguments.folder, arguments.minutes, arguments.quick, arguments.clients)
    kept = {"machine": machine(), "clients": arguments.clients, "results": [asdict(result) for result in results]}
    file = arguments.folder / ("soak-quick.json" if arguments.quick else "soak.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"kept {file}")
    return 1 if any(result.problems for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
