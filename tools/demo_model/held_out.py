"""Token ids that the demo model is measured on: conversations that no other seed of the tools makes, and its transcripts.

usage: held_out.py REPOSITORY     writes REPOSITORY/tests/goldens/demo_held_out.txt, one sequence a line

Prompts of transcripts are rendered by `corpus.segments`; that they have as many tokens as the transcript says holds it to the
chat template. Needs tokenizers.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer

import corpus

# Training takes seeds from 1000 on, the tokenizer 12345, calibration 987654 and the 31 after it.
SEED = 31_415_926
N_CONVERSATIONS = 12
MAX_TOKENS = 300  # longer sequences are left out: the reference backend takes 10 ms a token


def encode(tokenizer: Tokenizer, segments: list[tuple[str, bool]]) -> list[int]:
    """Piece by piece, as in training."""
    return [i for text, _ in segments for i in tokenizer.encode(text, add_special_tokens=False).ids]


def transcript_ids(tokenizer: Tokenizer, transcript: dict) -> list[int]:
    conversation = {key: transcript[key] for key in ("messages", "tools", "thinking")}
    segments = corpus.segments(conversation)
    if transcript["messages"][-1]["role"] == "user":
        segments.append(("<|turn>model\n", False))
        if not transcript["thinking"]:
            segments.append(("<|channel>thought\n<channel|>", False))
    ids = encode(tokenizer, segments)
    assert len(ids) == transcript["prompt_tokens"], (len(ids), transcript["prompt_tokens"], transcript["messages"])
    return ids + transcript["completion_ids"]


def main() -> None:
    root = Path(sys.argv[1])
    goldens = root / "tests/goldens"
    tokenizer = Tokenizer.from_file(str(root / "models/demo/tokenizer.json"))
    sequences = [encode(tokenizer, segments) for segments in corpus.documents(SEED, N_CONVERSATIONS)]
    sequences += [transcript_ids(tokenizer, t) for t in json.loads((goldens / "demo_transcripts.json").read_text())]
    sequences = [ids for ids in sequences if len(ids) <= MAX_TOKENS]
    lines = [" ".join(map(str, ids)) + "\n" for ids in sequences]
    (goldens / "demo_held_out.txt").write_text("".join(lines))
    print(f"{len(sequences)} sequences, {sum(map(len, sequences))} tokens, the longest {max(map(len, sequences))}")


if __name__ == "__main__":
    main()
