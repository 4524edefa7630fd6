#!/usr/bin/env python3
"""Measures tokens per second over the experts that are in memory, and llama.cpp beside it; keeps the figures as JSON.

usage: bench_memory.py PARO FOLDER [--threads N] [--quick] [--peer LLAMA_BENCH] [--peer-args FLAGS]

FOLDER (build/memory) gets a checkpoint of twelve layers of Gemma 4 26B-A4B geometry (5 GB), a GGUF file of the same
geometry, and results/. Every run is a program of its own, in a control group, with its files out of the page cache; all
budgets take turns. memory_report.py writes docs/memory.md from what is kept.
"""
from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "peers"))

from cgroup import MemoryGroup, memory_group
from measure import HERE as PEERS
from measure import machine, run, set_cached
from moe_models import n_experts, slot_flags, slots_for, synthetic
from served import own_environment, plan_of

N_LAYERS, VOCAB_SIZE = 12, 32768
SHARES = (1.0, 0.75, 0.5, 0.25, 0.1)
PEER_SHARE = 0.25  # whose plan bounds the peer
PROMPT_TOKENS, DECODE_TOKENS = 512, 32
SLACK_BYTES = 32 << 20
PROBE_BYTES = (1 << 30) + (32 << 20)  # what paro bench takes for probes of memory, disk and processor
PEER_WORK_BYTES = 1 << 30  # of llama.cpp beside its file
RUN_TIMEOUT_S = 3600
PEER_ARGUMENTS = "-lm mmap --repack 0"  # weights that are repacked are copies, which a system cannot drop and map again
RESULTS = "memory-curve.json"


class MemoryBench:
    def __init__(self, paro: Path, folder: Path, threads: int, quick: bool) -> None:
        self.paro, self.folder, self.threads = paro, folder, threads
        self.n_runs, self.repetitions = (1, 1) if quick else (3, 3)
        self.model = synthetic(paro, folder / f"moe{N_LAYERS}", N_LAYERS, VOCAB_SIZE)
        self.files = sorted(self.model.glob("*.safetensors"))

    def slots(self) -> list[int]:
        """Most first; the last are as few as there can be, one."""
        return [*(slots_for(self.model, share) for share in SHARES), 1]

    def size_flags(self, slots: int) -> list[str]:
        return ["--threads", str(self.threads), "--max-context", str(PROMPT_TOKENS + DECODE_TOKENS), "--max-batch", "1",
                "--prefill-chunk", str(PROMPT_TOKENS), *slot_flags(self.model, slots)]

    def plan_bytes(self, slots: int) -> int:
        return plan_of(self.paro, self.model, *self.size_flags(slots), "--memory-budget", "1TiB")["plan_bytes"]

    def bench(self, slots: int) -> dict:
        plan_bytes = self.plan_bytes(slots)
        budget = plan_bytes + PROBE_BYTES
        command = [str(self.paro), "bench", str(self.model), *self.size_flags(slots), "--memory-budget", str(budget),
                   "--prompt-tokens", str(PROMPT_TOKENS), "--decode-tokens", str(DECODE_TOKENS), "--repetitions",
                   str(self.repetitions), "--disk", "--json"]
        figures, confined = bounded(command, self.files, budget + SLACK_BYTES)
        had = figures.get("experts", {}).get("slots", slots)
        return {"slots": had, "experts": n_experts(self.model), "plan_bytes": plan_bytes, "confined": confined,
                "command": shlex.join(command), "figures": figures}

    def gguf(self) -> Path:
        out = self.folder / f"moe{N_LAYERS}.gguf"
        if not out.exists():
            new = self.folder / f"moe{N_LAYERS}.gguf.new"
            run([sys.executable, PEERS / "gen_gemma4_moe.py", new, "--layers", str(N_LAYERS), "--vocab",
                 str(VOCAB_SIZE)])
            new.rename(out)
        return out

    def peer_limits(self) -> list[int]:
        """The memory of paro's plan, and enough for all of the file."""
        return [self.plan_bytes(slots_for(self.model, PEER_SHARE)) + SLACK_BYTES,
                self.gguf().stat().st_size + PEER_WORK_BYTES]

    def peer(self, program: Path, arguments: str, limit: int) -> dict:
        """llama-bench with its file mapped."""
        gguf = self.gguf()
        command = [str(program), "-m", str(gguf), *shlex.split(arguments), "-p", str(PROMPT_TOKENS), "-n",
                   str(DECODE_TOKENS), "-t", str(self.threads), "-r", "1", "-o", "json"]
        figures, confined = bounded(command, [gguf], limit)
        return {"limit_bytes": limit, "gguf_bytes": gguf.stat().st_size, "confined": confined,
                "command": shlex.join(command), "figures": figures}


def bounded(command: list[str], files: list[Path], limit_bytes: int) -> tuple[dict | list, bool]:
    """The JSON that a program prints which has to get its files from the disk and may hold so much memory."""
    set_cached(files, cached=False)
    print(f"+ ({limit_bytes >> 20} MiB) {shlex.join(command)}", flush=True)
    with memory_group("paro-bench", limit_bytes) as group:
        confined = isinstance(group, MemoryGroup)
        if not confined:
            print(f"!!! NO CONTROL GROUP, the program may use any memory: {group}", flush=True)
        done = subprocess.run(group.command(command) if confined else command, stdout=subprocess.PIPE, text=True,
                              env=own_environment(), timeout=RUN_TIMEOUT_S)
        if done.returncode != 0:
            kills = group.usage().n_oom_kills if confined else 0
            raise SystemExit(f"{command[0]} ended with {done.returncode}, {kills} processes were ended for memory")
    return json.loads(done.stdout), confined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paro", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="of all programs")
    parser.add_argument("--quick", action="store_true", help="every budget once instead of three times three")
    parser.add_argument("--peer", type=Path, help="llama-bench",
                        default=Path("build/peers/llama.cpp/bin/llama-bench"))
    parser.add_argument("--peer-args", default=PEER_ARGUMENTS, help="flags with which it maps its file")
    arguments = parser.parse_args()
    if not arguments.peer.exists():
        parser.error(f"{arguments.peer} is missing: tools/peers/build_llama_cpp.sh build/peers/llama.cpp")
    bench = MemoryBench(arguments.paro, arguments.folder, arguments.threads, arguments.quick)
    kept: dict = {"machine": machine(), "geometry": f"Gemma 4 26B-A4B, {N_LAYERS} of 30 layers, {VOCAB_SIZE} tokens",
                  "checkpoint_bytes": sum(file.stat().st_size for file in bench.files), "runs": [], "peer_runs": []}
    for _ in range(bench.n_runs):
        kept["runs"] += [bench.bench(slots) for slots in bench.slots()]
        kept["peer_runs"] += [bench.peer(arguments.peer, arguments.peer_args, limit) for limit in bench.peer_limits()]
    file = arguments.folder / "results" / RESULTS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"kept {file}")


if __name__ == "__main__":
    main()
