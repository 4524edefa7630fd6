#!/usr/bin/env python3
"""Measures paro and its peers on random models of two geometries, and keeps the figures as JSON.

usage: measure.py PARO FOLDER [--threads N] [--quick] [--peer LLAMA_BENCH] [--only WORD]

FOLDER (build/peers) gets models/ (about 6 GB of GGUF files and 7 GB of checkpoints) and results/. llama.cpp is expected in
FOLDER/llama.cpp/bin, as build_llama_cpp.sh leaves it.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PROMPT_TOKENS, DECODE_TOKENS, DEPTH = 512, 32, 16384


@dataclass(frozen=True)
class Geometry:
    name: str
    title: str
    config: str  # of tests/configs
    synth_flags: tuple[str, ...]
    generator: str
    generator_flags: tuple[str, ...]


GEOMETRIES = (
    Geometry("moe", "Gemma 4 26B-A4B, 6 of 30 layers, groups of 64", "gemma-4-26b-a4b.json",
             ("--layers", "6"), "gen_gemma4_moe.py", ("--layers", "6")),
    Geometry("dense", "dense 4B, groups of 128; peers: Qwen3-4B", "gemma-4-dense-4b.json", (), "gen_qwen3.py", ()),
)


@dataclass(frozen=True)
class PeerPrograms:
    name: str
    llama_bench: Path
    arguments: str = ""
    batched_arguments: str = ""

    def flags(self, gguf: Path) -> list[str]:
        """--compare for each program of the peer that is there"""
        programs = [(self.name, "llama-bench", self.llama_bench, self.arguments),
                    (f"{self.name}-batched", "batched-bench", self.llama_bench.with_name("llama-batched-bench"),
                     self.batched_arguments)]
        flags: list[str] = []
        for name, kind, program, arguments in programs:
            if program.exists():
                flags += ["--compare", f"{name}={kind}:{program}:{gguf}"]
                if arguments:
                    flags += ["--compare-args", f"{name}={arguments}"]
        return flags


def peer_name(program: Path) -> str:
    """The nearest folder that is not named as every project's."""
    return next((p.name for p in program.absolute().parents if p.name not in {"bin", "build", "src", "Release", ""}),
                "peer")


def run(command: list[str | Path], **options) -> subprocess.CompletedProcess[str]:
    print("+ " + shlex.join(map(str, command)), flush=True)
    return subprocess.run([str(part) for part in command], check=True, text=True, **options)


class Measurement:
    def __init__(self, paro: Path, folder: Path, peers: list[PeerPrograms], repetitions: int) -> None:
        self.paro, self.peers, self.repetitions = paro, peers, repetitions
        self.models, self.results = folder / "models", folder / "results"
        for needed in (self.models, self.results):
            needed.mkdir(parents=True, exist_ok=True)

    def checkpoint(self, g: Geometry) -> Path:
        """Made once; a name without .new is whole."""
        out = self.models / g.name
        if not out.exists():
            new = self.models / f"{g.name}.new"
            shutil.rmtree(new, ignore_errors=True)
            run([self.paro, "synth", ROOT / "tests/configs" / g.config, new, *g.synth_flags])
            new.rename(out)
        return out

    def gguf(self, g: Geometry) -> Path:
        out = self.models / f"{g.name}.gguf"
        if not out.exists():
            new = self.models / f"{g.name}.gguf.new"
            run([sys.executable, HERE / g.generator, new, *g.generator_flags])
            new.rename(out)
        return out

    def bench(self, g: Geometry, threads: int, *flags: str) -> tuple[list[str], dict]:
        command = [str(self.paro), "bench", str(self.checkpoint(g)), "--threads", str(threads), *flags, "--json"]
        figures = json.loads(run(command, stdout=subprocess.PIPE).stdout)
        return command, figures

    def keep(self, g: Geometry, work: str, threads: int, command: list[str], figures: dict | list) -> None:
        kept = {"geometry": g.name, "title": g.title, "work": work, "threads": threads,
                "checkpoint_bytes": sum(f.stat().st_size for f in self.checkpoint(g).glob("*.safetensors")),
                "gguf_bytes": self.gguf(g).stat().st_size, "command": shlex.join(command), "figures": figures}
        file = self.results / f"{g.name}-{work}-{threads}.json"
        file.write_text(json.dumps(kept, indent=1) + "\n")
        print(f"kept {file}", flush=True)

    def speed(self, g: Geometry, threads: int) -> None:
        peers = [flag for peer in self.peers for flag in peer.flags(self.gguf(g))]
        command, figures = self.bench(g, threads, "--prompt-tokens", str(PROMPT_TOKENS), "--decode-tokens",
                                      str(DECODE_TOKENS), "--batch", "1,8", "--mixed", "--repetitions",
                                      str(self.repetitions), "--compare-timeout", "3600", *peers)
        self.keep(g, "speed", threads, command, figures)

    def depth(self, g: Geometry, threads: int, kv_type: str) -> None:
        command, figures = self.bench(g, threads, "--prompt-tokens", "32", "--decode-tokens", "32", "--depth",
                                      str(DEPTH), "--kv-type", kv_type, "--repetitions", str(self.repetitions))
        self.keep(g, f"depth-{kv_type}", threads, command, figures)

    def load(self, g: Geometry, threads: int, cached: bool) -> None:
        """Each load is a program of its own; what follows it is as short as can be."""
        loads = []
        command: list[str] = []
        for _ in range(self.repetitions):
            set_cached(self.checkpoint(g).glob("*.safetensors"), cached)
            command, figures = self.bench(g, threads, "--prompt-tokens", "1", "--decode-tokens", "1",
                                          "--repetitions", "1")
            loads.append(figures["load"])
        self.keep(g, "load-warm" if cached else "load-cold", threads, command, loads)


def set_cached(files: Iterable[Path], cached: bool) -> None:
    """Puts files into the page cache, or out of it."""
    for file in files:
        with file.open("rb", buffering=0) as opened:
            if cached:
                while opened.read(1 << 24):
                    pass
            else:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def machine() -> dict[str, object]:
    memory_kb = int(next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines()
                         if line.startswith("MemTotal")))
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=ROOT)
    return {"processors": os.cpu_count(), "memory_bytes": memory_kb * 1024, "kernel": platform.release().split("-")[0],
            "commit": commit.stdout.strip()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paro", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="of all programs; measured again with one")
    parser.add_argument("--quick", action="store_true", help="2 repetitions instead of 7")
    parser.add_argument("--peer", type=Path, help="llama-bench of another program")
    parser.add_argument("--peer-name", help="else the folder that it lies in")
    parser.add_argument("--peer-args", default="", help="flags of its llama-bench: '-rtr 1'")
    parser.add_argument("--peer-batched-args", default="", help="flags of its llama-batched-bench: '-rtr'")
    parser.add_argument("--only", default="", help="works whose names hold this: speed, depth-q8, moe-load, ...")
    arguments = parser.parse_args()

    own = PeerPrograms("llama.cpp", arguments.folder / "llama.cpp/bin/llama-bench")
    if not own.llama_bench.exists():
        parser.error(f"{own.llama_bench} is missing: tools/peers/build_llama_cpp.sh {arguments.folder}/llama.cpp")
    peers = [own]
    if arguments.peer:
        if not arguments.peer.exists():
            parser.error(f"--peer {arguments.peer} is missing")
        peers.append(PeerPrograms(arguments.peer_name or peer_name(arguments.peer), arguments.peer,
                                  arguments.peer_args, arguments.peer_batched_args))

    m = Measurement(arguments.paro, arguments.folder, peers, 2 if arguments.quick else 7)
    works = {
        "speed": m.speed,
        "depth-f16": lambda g, threads: m.depth(g, threads, "f16"),
        "depth-q8": lambda g, threads: m.depth(g, threads, "q8"),
        "load-warm": lambda g, threads: m.load(g, threads, cached=True),
        "load-cold": lambda g, threads: m.load(g, threads, cached=False),
    }
    (m.results / "machine.json").write_text(json.dumps(machine(), indent=1) + "\n")
    for threads in sorted({arguments.threads, 1}, reverse=True):
        for g in GEOMETRIES:
            for work, measure in works.items():
                if arguments.only in f"{g.name}-{work}":
                    measure(g, threads)


if __name__ == "__main__":
    main()
