"""Mixture-of-Experts models to measure memory with: random ones of Gemma 4 26B-A4B geometry, and their experts."""
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "models/demo"
CONFIG = ROOT / "tests/configs/gemma-4-26b-a4b.json"
DEMO_VOCAB_SIZE = 3072
TEXT_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja")


def synthetic(paro: Path | str, out: Path, n_layers: int, vocab_size: int) -> Path:
    """Made once; a name without .new is whole. With the demo model's vocabulary it has its tokenizer too."""
    if not out.exists():
        new = out.with_name(f"{out.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(paro), "synth", str(CONFIG), str(new), "--layers", str(n_layers), "--vocab",
                        str(vocab_size)], check=True)
        if vocab_size == DEMO_VOCAB_SIZE:
            for name in TEXT_FILES:
                shutil.copy(DEMO / name, new)
        new.rename(out)
    return out


def n_experts(model: Path) -> int:
    """Of all layers."""
    text = json.loads((model / "config.json").read_text())["text_config"]
    return text["num_hidden_layers"] * text["num_experts"]


def slots_for(model: Path, share: float) -> int:
    return max(1, round(share * n_experts(model)))


def slot_flags(model: Path, slots: int) -> list[str]:
    """None for all experts, which is what a server does that has the memory."""
    return [] if slots >= n_experts(model) else ["--expert-slots", str(slots)]
