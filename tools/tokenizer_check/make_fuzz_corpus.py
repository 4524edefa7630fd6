"""Write fuzz/corpus/tokenizer: small tokenizers of several kinds, each with a text after a zero byte.

usage: make_fuzz_corpus.py REPOSITORY
"""
import json
import sys
from pathlib import Path

import make_goldens as goldens

KEPT = ["model_some_bytes", "model_lines", "normalizer_NFKD", "normalizer_prepend", "split_regex_MergedWithNext_True", "regex_llama",
        "metaspace_first_True", "template_in_sequence", "decoder_llama", "decoder_metaspace_before_bytes", "added_flags",
        "added_lowercase", "pre_Whitespace", "digits_True"]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    models = goldens.models()
    parts_by_name = goldens.tokenizers_by_name()
    for i, name in enumerate(KEPT):
        file = goldens.assemble(parts_by_name[name], models)
        model = file["model"]
        kept = list(model["vocab"])[:12] + [token for token in model["vocab"] if len(token) > 1][-24:]
        if "Ġ" in model["vocab"]:
            kept = list(model["vocab"])
        model = {**model, "vocab": {token: model["vocab"][token] for token in kept}}
        merges = [m.split(" ") if isinstance(m, str) and not m.startswith("#") else m for m in model["merges"]]
        model["merges"] = [m for m in merges if not isinstance(m, str) and set([*m, "".join(m)]) <= set(kept)]
        text = json.dumps({**file, "model": model}, ensure_ascii=False, separators=(",", ":"))
        (folder / f"{name}.bin").write_bytes(text.encode() + b"\0" + goldens.TEXTS[i % len(goldens.TEXTS)].encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "fuzz/corpus/tokenizer")
