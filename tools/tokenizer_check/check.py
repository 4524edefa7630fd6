"""Compare the tokenizer with Hugging Face tokenizers: ids of encode, text of decode, and streaming against the whole.

usage: check.py DRIVER TOKENIZER.json [--texts FILE.inp ...] [--random N] [--seed S]     needs the `tokenizers` package

DRIVER is paro_tokenize_lines. Texts are llama.cpp's .inp files (cut at __ggml_vocab_test__); random strings mix
scripts, emoji, white space, the tokenizer's own added tokens and invalid bytes.
"""
import argparse
import random
import struct
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tokenizers import Tokenizer

RANGES = [(0x21, 0x7E), (0xA1, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x5D0, 0x5EA), (0x600, 0x6FF),
          (0x900, 0x97F), (0xE01, 0xE5B), (0x1100, 0x11FF), (0x1780, 0x17F9), (0x1E00, 0x1EFF), (0x2010, 0x205E),
          (0x2070, 0x209C), (0x2100, 0x218B), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2580, 0x25FF), (0x2600, 0x27BF),
          (0x3001, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAD9), (0xFF01, 0xFFEE), (0x10330, 0x1034A),
          (0x1D400, 0x1D4FF), (0x1F300, 0x1F64F), (0x1F680, 0x1F6D7), (0x1F900, 0x1F9FF), (0x20000, 0x20100)]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\x85", "\xa0", "\u1680", "\u180e", "\u2003",
          "\u2028", "\u2029", "\u202f", "\u3000", "\u200b", "\u200d", "\ufeff", "▁", "▁▁"]
BITS = ["'s", "'T", "'re", "'LL", "'ſ", "don't", "I'Ve", "0", "7", "12345", "3.14", "//", "!!!", "...", "==", "{}", "<", ">",
        "<0x41>", "<0xE2>", "<|", "|>", "\x00", "\x7f", "👨‍👩‍👧‍👦", "🇩🇪", "🏳️‍🌈", "e\u0301", "A\u030a", "ﬁ", "Å", "가", "ᄀ\u1161",
        "\u0915\u093c", "\u1100\u1161\u11a8", "\ufffd", "the", " the", "The", "http://", "def f(x):\n    return x\n", "and"]
BROKEN = [b"\xff", b"\xc0\x80", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe4\xbd", b"\xc3",
          b"\xf0\x80\x80\x80", b"\xe0\x80\xaf"]


def random_string(rng: random.Random, added: list[str]) -> bytes:
    parts: list[bytes] = []
    scripts = rng.sample(RANGES, rng.randint(1, 3))
    for _ in range(rng.choice((1, 2, 3, 5, 8, 13, 30))):
        kind = rng.random()
        if kind < 0.45:
            low, high = rng.choice(scripts)
            letters = (chr(rng.randint(low, high)) for _ in range(rng.randint(1, 8)))
            # Characters of newer Unicode versions are letters in one library and unassigned in another.
            parts.append("".join(c for c in letters if unicodedata.category(c) != "Cn").encode())
        elif kind < 0.60:
            parts.append("".join(chr(rng.randint(97, 122)) for _ in range(rng.randint(1, 9))).encode())
        elif kind < 0.78:
            parts.append(rng.choice(SPACES).encode() * rng.choice((1, 1, 1, 2, 5)))
        elif kind < 0.92:
            parts.append(rng.choice(BITS).encode())
        elif kind < 0.97:
            parts.append(rng.choice(added).encode() if added else b"")
        else:
            parts.append(rng.choice(BROKEN))
    return b"".join(parts)


class Driver:
    """Answers of the C++ program; requests are written from a thread so that neither side waits for the other."""

    def __init__(self, path: Path, tokenizer: Path, requests: list[bytes]) -> None:
        self.process = subprocess.Popen([path, tokenizer], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.out: BinaryIO = self.process.stdout
        threading.Thread(target=self._write, args=(self.process.stdin, requests), daemon=True).start()

    @staticmethod
    def _write(pipe: BinaryIO, requests: list[bytes]) -> None:
        try:
            for text in requests:
                pipe.write(struct.pack("<I", len(text)) + text)
            pipe.close()
        except BrokenPipeError:
            pass

    def _read(self, size: int) -> bytes:
        data = self.out.read(size)
        if len(data) != size:
            sys.exit(f"the driver stopped with status {self.process.wait()}")
        return data

    def answers(self, count: int) -> Iterator[tuple[list[int], str, str]]:
        for _ in range(count):
            (n,) = struct.unpack("<I", self._read(4))
            ids = list(struct.unpack(f"<{n}I", self._read(4 * n)))
            texts = []
            for _ in range(2):
                (size,) = struct.unpack("<I", self._read(4))
                texts.append(self._read(size).decode("utf-8"))
            yield ids, texts[0], texts[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("driver", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--texts", type=Path, nargs="*", default=[])
    parser.add_argument("--random", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    reference = Tokenizer.from_file(str(args.tokenizer))
    added = [token.content for token in reference.get_added_tokens_decoder().values()]
    rng = random.Random(args.seed)
    requests: list[bytes] = []
    for path in args.texts:
        texts = path.read_bytes().split(b"\n__ggml_vocab_test__\n")
        requests += texts + [path.read_bytes()]
    n_given = len(requests)
    requests += [random_string(rng, added) for _ in range(args.random)]

    wrong = 0
    n_ids = 0
    for raw, (ids, text, plain) in zip(requests, Driver(args.driver, args.tokenizer, requests).answers(len(requests))):
        expected = reference.encode(raw.decode("utf-8", errors="replace")).ids
        n_ids += len(expected)
        problems = []
        if ids != expected:
            problems.append(f"ids {ids}\n  expected {expected}")
        if text != reference.decode(expected, skip_special_tokens=False):
            problems.append(f"text {text!r}\n  expected {reference.decode(expected, skip_special_tokens=False)!r}")
        if plain != reference.decode(expected, skip_special_tokens=True):
            problems.append(f"text without specials {plain!r}")
        if problems:
            wrong += 1
            if wrong <= 5:
                print(f"{raw!r}:\n  " + "\n  ".join(problems))
    print(f"{args.tokenizer}: {n_given} texts and {args.random} random strings, {n_ids} ids, {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
