"""Write tests/text/goldens: what Hugging Face tokenizers gives on small tokenizers, one for each feature, and on the
demo model's.

usage: make_goldens.py REPOSITORY     writes REPOSITORY/tests/text/goldens/*.json
"""
import json
import random
import sys
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Tokenizer

import check

Json = dict[str, Any]

TEXTS = ["Hello world", "  two  spaces ", "a1b22 c333.5", "don't DON'T x'ſ", "é e\u0301 ﬁ Å \u212b", "▁un▁der_score▁", "x\n\ny \n\r\n z\t",
         " ", "日本 語テスト한글 가\u11a7\u11a8", "İSTANBUL Straße", "<s> <s>hi</s> </s>", "word<w> <w>word <w> .<w>.", "the-final--countdown-",
         "a ab abc\u00a0abcd \u180eabc", "😀👍🏽 \x00\x7f", "<l>  <l>  <r>  <r><both>  <N> <n>", "!?... (x) «y»", "ⅷ ²½a ৩ ٣4"]

CHARS = sorted(set("".join(TEXTS[:8] + TEXTS[10:14])) - set("zUİß ")) + ["▁", " "]
WORDS = ["He", "ll", "Hell", "Hello", "wo", "rl", "worl", "world", "▁wo", "▁world", "th", "the", "ab", "abc", "in", "al", "▁▁",
         "▁▁▁", "--", "fi", "nal", "final", "un", "sp", "ac", "spac", "es", "tw", "two", "▁two", " w", " wo", " world", "aa", "33", "333"]
MERGES = [("H", "e"), ("l", "l"), ("He", "ll"), ("Hell", "o"), ("w", "o"), ("r", "l"), ("wo", "rl"), ("worl", "d"), ("▁", "wo"),
          ("▁", "world"), ("t", "h"), ("th", "e"), ("a", "b"), ("ab", "c"), ("i", "n"), ("a", "l"), ("▁", "▁"), ("▁▁", "▁"), ("-", "-"),
          ("f", "i"), ("n", "al"), ("fi", "nal"), ("u", "n"), ("s", "p"), ("a", "c"), ("sp", "ac"), ("e", "s"), ("t", "w"), ("tw", "o"),
          ("▁", "two"), (" ", "w"), (" w", "o"), (" ", "world"), ("a", "a"), ("3", "3"), ("33", "3")]


def model(tokens: list[str], merges: list[tuple[str, str]], **options: Any) -> Json:
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **options,
            "vocab": {token: i for i, token in enumerate(dict.fromkeys(tokens))}, "merges": merges}


def byte_alphabet() -> list[str]:
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    return [chr(b) for b in visible] + [chr(0x100 + i) for i in range(len(hidden))]


def models() -> dict[str, Json]:
    specials = ["<unk>", "<s>", "</s>"]
    all_bytes = [f"<0x{b:02X}>" for b in range(256)]
    some_bytes = [token for token in all_bytes if token not in ("<0x80>", "<0xE6>")]
    plain = specials + CHARS + WORDS
    space = byte_alphabet()[188 + 32]
    level = byte_alphabet() + [word.replace(" ", space) for word in WORDS if "▁" not in word]
    level_merges = [(a.replace(" ", space), b.replace(" ", space)) for a, b in MERGES if "▁" not in a + b]
    return {
        "dropping": model(plain, MERGES),
        "unk": model(plain, MERGES, unk_token="<unk>"),
        "fused_unk": model(plain, MERGES, unk_token="<unk>", fuse_unk=True),
        "bytes": model(specials + all_bytes + CHARS + WORDS, MERGES, unk_token="<unk>", fuse_unk=True, byte_fallback=True),
        "some_bytes": model(specials + some_bytes + CHARS + WORDS, MERGES, unk_token="<unk>", fuse_unk=True, byte_fallback=True),
        "merged_bytes": model(specials + all_bytes + CHARS + WORDS + ["<0xF0><0x9F>", "<0x00>H", "l<0x00>"],
                              [("<0xF0>", "<0x9F>"), ("<0x00>", "H")] + MERGES, unk_token="<unk>", byte_fallback=True),
        "merged_unk": model(plain + ["<unk><unk>", " <unk>"], [("<unk>", "<unk>"), (" ", "<unk>")] + MERGES, unk_token="<unk>"),
        "ignoring_merges": model(plain + ["Hello world", "jkl", "countdown"], MERGES, unk_token="<unk>", ignore_merges=True),
        "lines": {**model(plain, [], unk_token="<unk>"),
                  "merges": ["#version: 0.2"] + [f"{a} {b}" for a, b in MERGES if " " not in a + b]},
        "repeated_merge": model(plain, MERGES + [("He", "ll"), ("▁", "▁")], unk_token="<unk>"),
        "level": model(level, level_merges),
    }


def added(content: str, **options: bool) -> Json:
    return {"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": False, **options}


def split(pattern: Json, behavior: str = "Isolated", invert: bool = False) -> Json:
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(prefix: bool = False, use_regex: bool = False) -> Json:
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": use_regex}


def sequence(member: str, *items: Json) -> Json:
    return {"type": "Sequence", member: list(items)}


def replace(pattern: Json, content: str) -> Json:
    return {"type": "Replace", "pattern": pattern, "content": content}


def metaspace(scheme: str, cut: bool = True) -> Json:
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}


def strip(start: int, stop: int, content: str = " ") -> Json:
    return {"type": "Strip", "content": content, "start": start, "stop": stop}


TO_UNDERLINE = replace({"String": " "}, "▁")
TO_SPACE = replace({"String": "▁"}, " ")
BYTES, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
GEMMA = sequence("decoders", TO_SPACE, BYTES, FUSE)
SPECIALS = [added("<unk>", special=True), added("<s>", special=True), added("</s>", special=True)]
TEMPLATE = {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "end", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                               "end": {"id": "end", "ids": [2, 2], "tokens": ["</s>", "</s>"]}}}
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
EXPRESSIONS = {
    "llama": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS +
             r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "word": r"\w+|\W", "boundary": r"\b", "no_boundary": r"\B", "hex": r"\h+", "no_hex": r"\H", "space": r"\s", "spaces": r"[\s\-]+",
    "han": r"\p{Han}+", "no_han": r"\P{Han}", "katakana": r"[\p{Katakana}\p{Hangul}]", "dot": r".", "any": r"(?m:.)+", "starts": r"^.",
    "ends": r".$", "empty": r"x*", "code_points": r"[\u0061-\u0063]+", "posix": r"[[:alpha:]]+|[[:digit:][:space:]]+", "posix_words": r"[[:word:]]+|[[:upper:]-]", "lazy": r"l+?", "digits": r"[^\d]+",
    "caseless": r"(?i)stra|hello|К|'s", "behind": r"(?<=a)b|(?<!a)c", "word_class": r"[\w ]+", "back": r"(.)\1",
}


def tokenizers_by_name() -> dict[str, Json]:
    all_of: dict[str, Json] = {}

    def put(name: str, model_name: str = "unk", **parts: Any) -> None:
        all_of[name] = {"model": model_name, "added_tokens": SPECIALS if model_name != "level" else [], **parts}

    for name in models():
        put(f"model_{name}", name, decoder=GEMMA if "bytes" in name else FUSE)
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        put(f"normalizer_{form}", "bytes", normalizer={"type": form}, decoder=GEMMA)
    put("normalizer_replace_string", normalizer=replace({"String": "ab"}, ""))
    put("normalizer_replace_regex", normalizer=replace({"Regex": r"\s+"}, " "))
    put("normalizer_replace_empty", normalizer=replace({"Regex": r"x*"}, "-"))
    put("normalizer_prepend", normalizer=sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, TO_UNDERLINE))
    for left, right in ((True, False), (False, True), (True, True)):
        put(f"normalizer_strip_{left}_{right}", normalizer={"type": "Strip", "strip_left": left, "strip_right": right})
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            put(f"split_string_{behavior}_{invert}", pre_tokenizer=split({"String": "-"}, behavior, invert), decoder=FUSE)
            put(f"split_regex_{behavior}_{invert}", pre_tokenizer=split({"Regex": r"[ \-]"}, behavior, invert), decoder=FUSE)
    for name, expression in EXPRESSIONS.items():
        cut = split({"Regex": expression})
        put(f"regex_{name}", "level", pre_tokenizer=sequence("pretokenizers", cut, byte_level()), decoder=byte_level())
        # Shows every cut: words that are single characters in bytes do not merge, so mark them by removal too.
        put(f"regex_{name}_removed", pre_tokenizer=split({"Regex": expression}, "Removed"), decoder=FUSE)
    for prefix in (False, True):
        for use_regex in (False, True):
            put(f"byte_level_{prefix}_{use_regex}", "level", pre_tokenizer=byte_level(prefix, use_regex), decoder=byte_level())
    for individual in (False, True):
        put(f"digits_{individual}", pre_tokenizer={"type": "Digits", "individual_digits": individual})
    for kind in ("Whitespace", "WhitespaceSplit", "Punctuation"):
        put(f"pre_{kind}", pre_tokenizer={"type": kind})
    put("punctuation_previous", pre_tokenizer={"type": "Punctuation", "behavior": "MergedWithPrevious"})
    for scheme in ("always", "first", "never"):
        for cut in (False, True):
            put(f"metaspace_{scheme}_{cut}", pre_tokenizer=metaspace(scheme, cut), decoder=metaspace(scheme, cut))
    put("template", post_processor=TEMPLATE, decoder=FUSE)
    put("template_in_sequence", post_processor=sequence("processors", byte_level(), TEMPLATE), decoder=FUSE)
    decoders = {"none": None, "fuse": FUSE, "bytes": BYTES, "gemma": GEMMA,
                "llama": sequence("decoders", TO_SPACE, BYTES, FUSE, strip(1, 0)),
                "strip_joined": sequence("decoders", TO_SPACE, BYTES, FUSE, strip(2, 2)),
                "strip_tokens": sequence("decoders", strip(1, 0, "a"), strip(0, 1, "e")),
                "strip_after_bytes": sequence("decoders", BYTES, strip(1, 0, "l"), FUSE),
                "metaspace_after_bytes": sequence("decoders", BYTES, metaspace("always")),
                "metaspace_before_bytes": sequence("decoders", metaspace("first"), BYTES, FUSE),
                "replace_regex": sequence("decoders", replace({"Regex": "l|▁"}, "_"), FUSE),
                "byte_level": byte_level()}
    for name, decoder in decoders.items():
        put(f"decoder_{name}", "bytes", normalizer=TO_UNDERLINE, decoder=decoder)
    flags = [added("<w>", single_word=True), added("<l>", lstrip=True), added("<r>", rstrip=True),
             added("<both>", lstrip=True, rstrip=True, special=True), added("<N>", normalized=True), added("He"), added("Hell"),
             added("日本"), added("world", normalized=True, single_word=True), added(" z"), added("  "), added("it hé", special=True)]
    put("added_flags", added_tokens=SPECIALS + flags, decoder=FUSE)
    put("added_lowercase", normalizer={"type": "Lowercase"}, added_tokens=SPECIALS + flags, decoder=FUSE)
    put("added_replace", "bytes", normalizer=TO_UNDERLINE, added_tokens=[added(" w", normalized=True, special=True), *flags], decoder=GEMMA)
    put("added_level", "level", pre_tokenizer=byte_level(), added_tokens=[*flags, added("é"), added("<s>", special=True)], decoder=byte_level())
    return all_of


def assemble(parts: Json, all_models: dict[str, Json]) -> Json:
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, **parts, "model": all_models[parts["model"]]}


def decodings(reference: Tokenizer, rng: random.Random, count: int, pool: list[int]) -> list[list[Any]]:
    cases = []
    for _ in range(count):
        ids = [rng.choice(pool) for _ in range(rng.randint(1, 12))]
        cases.append([ids, reference.decode(ids, skip_special_tokens=False), reference.decode(ids, skip_special_tokens=True)])
    return cases


def features() -> Json:
    all_models = models()
    rng = random.Random(1)
    cases = {}
    for name, parts in tokenizers_by_name().items():
        reference = Tokenizer.from_str(json.dumps(assemble(parts, all_models)))
        size = reference.get_vocab_size()
        pool = [*range(size + 2), *range(max(0, size - 12), size)]
        if "bytes" in parts["model"] or "decoder" in name:
            pool = [*range(0, size, 7), *range(3, 259), *(3 + b for b in (0xE2, 0x82, 0xAC, 0xC3, 0xA9) for _ in range(30))]
        cases[name] = {**parts, "ids": [reference.encode(text).ids for text in TEXTS],
                       "decodings": decodings(reference, rng, 6, pool)}
    return {"source": f"tokenizers {tokenizers.__version__}", "texts": TEXTS, "models": all_models, "tokenizers": cases}


def demo(path: Path) -> Json:
    reference = Tokenizer.from_file(str(path))
    added_tokens = [token.content for token in reference.get_added_tokens_decoder().values()]
    rng = random.Random(2)
    texts = [text.encode() for text in TEXTS] + [check.random_string(rng, added_tokens) for _ in range(150)]
    encodings = []
    for raw in texts:
        ids = reference.encode(raw.decode("utf-8", errors="replace")).ids
        encodings.append([raw.hex(), ids, reference.decode(ids, skip_special_tokens=True)])
    return {"source": f"tokenizers {tokenizers.__version__}", "encodings": encodings,
            "decodings": decodings(reference, rng, 100, [*range(20), *range(100, 380), *range(380, 3072, 40)])}


def write(path: Path, goldens: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(goldens, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    write(root / "tests/text/goldens/tokenizer_features.json", features())
    write(root / "tests/text/goldens/demo_tokenizer.json", demo(root / "models/demo/tokenizer.json"))
