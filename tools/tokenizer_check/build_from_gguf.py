"""Write a tokenizer.json for the vocabulary of a GGUF file, in the form that the model's own tokenizer.json has.

usage: build_from_gguf.py VOCAB.gguf TOKENIZER.json     needs the `gguf` package

The family (Gemma 4, Qwen, Llama 3) is told by tokenizer.ggml.model and tokenizer.ggml.pre. What a GGUF file does not
hold - normalizer, split expression, post-processor, decoder - is written here as those families have it.
"""
import json
import sys
from pathlib import Path
from typing import Any

from gguf import GGUFReader

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

QWEN_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(use_regex: bool, trim_offsets: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": trim_offsets, "use_regex": use_regex}


def split(pattern: dict[str, str], behavior: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


def bos_template(token: str, token_id: int) -> dict[str, Any]:
    special = {"SpecialToken": {"id": token, "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    pair = [special, text, {"SpecialToken": {"id": token, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": [special, text], "pair": pair,
            "special_tokens": {token: {"id": token, "ids": [token_id], "tokens": [token]}}}


def gemma4(tokens: list[str], bos: int) -> dict[str, Any]:
    return {
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": split({"String": " "}, "MergedWithPrevious"),
        "post_processor": bos_template(tokens[bos], bos),
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "ignore_merges": False},
    }


def qwen(tokens: list[str], bos: int) -> dict[str, Any]:
    del tokens, bos
    return {
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence",
                          "pretokenizers": [split({"Regex": QWEN_SPLIT}, "Isolated"), byte_level(False, False)]},
        "post_processor": byte_level(False, False),
        "decoder": byte_level(False, False),
        "model": {"unk_token": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False},
    }


def llama3(tokens: list[str], bos: int) -> dict[str, Any]:
    return {
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence",
                          "pretokenizers": [split({"Regex": LLAMA3_SPLIT}, "Isolated"), byte_level(False, True)]},
        "post_processor": {"type": "Sequence", "processors": [byte_level(True, True), bos_template(tokens[bos], bos)]},
        "decoder": byte_level(True, True),
        "model": {"unk_token": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True},
    }


FAMILIES = {"gemma4": gemma4, "qwen35": qwen, "llama-bpe": llama3}


def main(source: Path, target: Path) -> None:
    fields = GGUFReader(source).fields

    def value(key: str) -> Any:
        return fields[f"tokenizer.ggml.{key}"].contents()

    tokens: list[str] = value("tokens")
    types: list[int] = value("token_type")
    model = value("model")
    family = "gemma4" if model == "gemma4" else value("pre")
    if family not in FAMILIES:
        sys.exit(f"{source}: tokenizer model '{model}', pre '{family}', expected one of {', '.join(FAMILIES)}")
    rest = FAMILIES[family](tokens, value("bos_token_id"))

    # A merge is two tokens and the space between them; tokens themselves hold no space, or they would be ambiguous.
    merges = [line.split(" ") for line in value("merges")]
    bad = [merge for merge in merges if len(merge) != 2]
    if bad:
        sys.exit(f"{source}: {len(bad)} merges are not two tokens, first {bad[0]}")

    added = [i for i, kind in enumerate(types) if kind in (CONTROL, USER_DEFINED)]
    # Gemma keeps its added tokens in the vocabulary as well; byte-level models do not.
    vocab = {token: i for i, token in enumerate(tokens) if family == "gemma4" or types[i] == NORMAL}
    root = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": types[i] == CONTROL} for i in added],
        "normalizer": rest["normalizer"], "pre_tokenizer": rest["pre_tokenizer"],
        "post_processor": rest["post_processor"], "decoder": rest["decoder"],
        "model": {"type": "BPE", "dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  **rest["model"], "vocab": vocab, "merges": merges},
    }
    target.write_text(json.dumps(root, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{target}: {family}, {len(vocab)} tokens, {len(merges)} merges, {len(added)} added tokens")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
