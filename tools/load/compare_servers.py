#!/usr/bin/env python3
"""Makes a model of 6 layers of Gemma 4 26B-A4B for paro and for llama-server, and asks both in turns (throughput.py).

usage: compare_servers.py PARO FOLDER [arguments of throughput.py]      FOLDER is build/peers, with llama.cpp/bin
"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "memory"))

from moe_models import DEMO_VOCAB_SIZE, synthetic

LAYERS = 6


def gguf_of(folder: Path) -> Path:
    """Made once; a name without .new is whole."""
    out = folder / "models/serving.gguf"
    if not out.exists():
        new = out.with_name(f"{out.name}.new")
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(HERE.parent / "peers/gen_gemma4_moe.py"), str(new), "--layers", str(LAYERS),
                        "--vocab", str(DEMO_VOCAB_SIZE), "--tokenizer"], check=True)
        new.rename(out)
    return out


def main() -> int:
    paro, folder = Path(sys.argv[1]), Path(sys.argv[2])
    model = synthetic(paro, (folder / f"models/serving-moe{LAYERS}").absolute(), LAYERS, DEMO_VOCAB_SIZE)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    command = [str(HERE / "throughput.py"), str(paro), "--model", str(model), "--peer",
               str(folder / "llama.cpp/bin/llama-server"), "--gguf", str(gguf_of(folder)), "--json",
               str(folder / "results/serving-moe.json"), *sys.argv[3:]]
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
