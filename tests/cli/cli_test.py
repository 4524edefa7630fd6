"""Every command of `paro` from outside: what it prints, writes and returns, on the demo model and the goldens.

`paro bench` has bench_test.py.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from program import DEMO, FAILED, GOLDENS, MISUSED, PARO, ROOT, paro, refused

REFERENCE = ["--backend", "reference"]


def copy_of(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    for file in target.iterdir():
        file.chmod(file.stat().st_mode | stat.S_IWUSR)
    return target


def edit_config(model: Path, **changes) -> None:
    config = json.loads((model / "config.json").read_text())
    (config["text_config"] if "text_config" in config else config).update(changes)
    (model / "config.json").write_text(json.dumps(config))


# --- logits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gemma4-moe", "gemma4-31b", "gemma4-e2b"])
@pytest.mark.parametrize("chunk", [[], ["--prefill-chunk", 7]])
def test_logits_equal_transformers(name: str, chunk: list, tmp_path: Path) -> None:
    expected_file = GOLDENS / name / "expected.safetensors"
    out = tmp_path / "logits.safetensors"
    paro("logits", GOLDENS / name, *REFERENCE, "--input-ids", expected_file, "--out", out, *chunk)
    expected, got = load_file(expected_file)["logits"], load_file(out)["logits"]
    assert got.dtype == np.float32 and got.shape == expected.shape
    assert np.abs(got - expected).max() <= 5e-5


def test_logits_of_the_cpu_backend_are_near(tmp_path: Path) -> None:
    expected_file = GOLDENS / "gemma4-moe/expected.safetensors"
    out = tmp_path / "logits.safetensors"
    paro("logits", GOLDENS / "gemma4-moe", "--input-ids", expected_file, "--out", out)
    expected, got = load_file(expected_file)["logits"], load_file(out)["logits"]
    assert np.linalg.norm(got - expected) <= 0.2 * np.linalg.norm(expected)


def test_logits_say_what_is_wrong_with_the_ids(tmp_path: Path) -> None:
    ids, out = tmp_path / "ids.safetensors", tmp_path / "out.safetensors"
    command = ["logits", GOLDENS / "gemma4-moe", *REFERENCE, "--input-ids", ids, "--out", out]
    assert "ids.safetensors" in refused(*command)
    save_file({"tokens": np.zeros(3, np.int32)}, ids)
    assert "no tensor 'input_ids'" in refused(*command)
    save_file({"input_ids": np.zeros((1, 3), np.int64)}, ids)
    assert "I64 [1, 3], expected I32 [T]" in refused(*command)
    save_file({"input_ids": np.array([1, 384], np.int32)}, ids)
    assert "holds 384, expected 0 to 383" in refused(*command)
    save_file({"input_ids": np.ones(9, np.int32)}, ids)
    assert "9 tokens, --max-context is 8" in refused(*command, "--max-context", 8)
    assert not out.exists()


# --- plan -----------------------------------------------------------------------------------------------------------


def test_plan_has_the_shape_that_it_is_promised() -> None:
    plan = json.loads(paro("plan", DEMO, "--json", "--memory-budget", "2GiB").stdout)
    assert set(plan) == {"plan_bytes", "budget_bytes", "fits", "max_context", "max_batch", "experts", "classes"}
    assert plan["budget_bytes"] == 2 << 30 and plan["fits"] and plan["plan_bytes"] <= plan["budget_bytes"]
    assert all(set(c) == {"name", "plan_bytes", "actual_bytes"} for c in plan["classes"])
    assert sum(c["plan_bytes"] for c in plan["classes"]) == plan["plan_bytes"]
    names = [c["name"] for c in plan["classes"]]
    assert "weights" in names and "tokenizer" in names


def test_plan_needs_a_config_alone(tmp_path: Path) -> None:
    shutil.copy(GOLDENS / "gemma4-moe/config.json", tmp_path / "config.json")
    of_directory = json.loads(paro("plan", tmp_path, "--json").stdout)
    of_file = json.loads(paro("plan", tmp_path / "config.json", "--json").stdout)
    of_files = json.loads(paro("plan", GOLDENS / "gemma4-moe", "--json").stdout)

    def weights(plan: dict) -> int:
        return next(c["plan_bytes"] for c in plan["classes"] if c["name"] == "weights")

    assert weights(of_directory) == weights(of_file)
    assert abs(weights(of_file) - weights(of_files)) <= 0.05 * weights(of_files)


def following(suggestion: str, flags: dict[str, str]) -> list[str]:
    """The flags of a command whose user does what a refusal proposes: "--kv-type q8 (2.00 GiB)", "... as it stands"."""
    words = suggestion.removesuffix(" as it stands").partition(" (")[0].split()
    assert words and words[0].startswith("--") and len(words) % 2 == 0, suggestion
    return [word for pair in {**flags, **dict(zip(words[::2], words[1::2]))}.items() for word in pair]


@pytest.mark.parametrize("flags", [
    {"--memory-budget": "2GiB", "--max-context": "4096", "--max-batch": "1"},
    {"--memory-budget": "1900MiB", "--max-context": "8192", "--max-batch": "4", "--prefill-chunk": "256"},
    {"--memory-budget": "4GiB", "--expert-slots": "3000"},
    {"--memory-budget": "100MiB"},
    {"--memory-budget": "2GiB", "--head-type": "f16", "--max-context": "512"},
])
def test_what_a_refusal_proposes_fits(flags: dict[str, str]) -> None:
    config = ROOT / "tests/configs/gemma-4-26b-a4b.json"
    given = [word for pair in flags.items() for word in pair]
    plan = json.loads(paro("plan", config, "--json", *given, code=FAILED).stdout)
    assert plan["suggestions"]
    for suggestion in plan["suggestions"]:
        followed = json.loads(paro("plan", config, "--json", *following(suggestion, flags)).stdout)
        assert followed["fits"] and followed["plan_bytes"] <= followed["budget_bytes"], suggestion


def test_what_a_refusal_proposes_answers() -> None:
    flags = {"--memory-budget": "30MiB", "--max-context": "2048"}
    given = [word for pair in flags.items() for word in pair]
    message = refused("generate", DEMO, "Hello", "--max-tokens", 4, *given)
    needed, budget = (int(n) for n in re.findall(r"\((\d+) bytes\)", message))
    assert budget == 30 << 20 and needed > budget
    suggestions = re.findall(r"would fit: (.*)", message)
    assert suggestions
    for suggestion in suggestions:
        paro("generate", DEMO, "Hello", "--max-tokens", 4, "--temp", 0, *following(suggestion, flags))


def test_a_plan_too_large_fails_with_table_and_suggestions() -> None:
    done = paro("plan", DEMO, "--memory-budget", "40MiB", "--max-context", 4096, code=FAILED)
    assert "does not fit" in done.stdout and "weights" in done.stdout and "would fit: --" in done.stdout
    plan = json.loads(paro("plan", DEMO, "--memory-budget", "40MiB", "--max-context", 4096, "--json",
                           code=FAILED).stdout)
    assert not plan["fits"] and plan["plan_bytes"] > plan["budget_bytes"] and plan["suggestions"]


def test_a_plan_is_fitted_to_its_budget() -> None:
    whole = json.loads(paro("plan", DEMO, "--json").stdout)
    kv_bytes = next(c["plan_bytes"] for c in whole["classes"] if c["name"] == "kv cache")
    budget = whole["plan_bytes"] - kv_bytes // 2
    fitted = json.loads(paro("plan", DEMO, "--json", "--memory-budget", budget).stdout)
    assert fitted["fits"] and fitted["plan_bytes"] <= budget == fitted["budget_bytes"]
    assert fitted["max_batch"] < whole["max_batch"] and fitted["fitting"]


def test_embeddings_take_what_is_asked_for(tmp_path: Path) -> None:
    config = json.loads((GOLDENS / "gemma4-e2b/config.json").read_text())
    config["text_config"]["vocab_size_per_layer_input"] = 65536
    (tmp_path / "config.json").write_text(json.dumps(config))
    n_weights = 65536 * 384  # of the table, of 16 bits each

    def classes(*flags: str) -> dict:
        plan = json.loads(paro("plan", tmp_path, "--json", "--memory-budget", "2GiB", *flags).stdout)
        return {c["name"]: c["plan_bytes"] for c in plan["classes"]}

    as_stored = classes()
    assert "embedding staging" not in as_stored
    for flags, bits in ((("--embedding-type", "int8"), 8.5), (("--embedding-type", "int4"), 4.5),
                        (("--embedding-source", "disk"), 0)):
        saved = as_stored["weights"] - classes(*flags)["weights"]
        assert abs(saved - n_weights * (16 - bits) / 8) < 3 << 20, flags  # whole huge pages
    assert 0 < classes("--embedding-source", "disk")["embedding staging"] < 1 << 20


def test_flags_may_stand_in_the_environment_and_the_command_line_wins() -> None:
    env = {"PARO_MAX_CONTEXT": "640", "PARO_MEMORY_BUDGET": "1GiB"}
    plan = json.loads(paro("plan", DEMO, "--json", env=env).stdout)
    assert plan["max_context"] == 640 and plan["budget_bytes"] == 1 << 30
    plan = json.loads(paro("plan", DEMO, "--json", "--max-context", 320, env=env).stdout)
    assert plan["max_context"] == 320
    refused("plan", DEMO, env={"PARO_MAX_CONTEXT": "many"}, code=MISUSED)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def planned(*arguments: object, **options) -> dict:
    return json.loads(paro("plan", DEMO, "--json", *arguments, **options).stdout)


def test_the_environment_wins_over_a_config_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = written(tmp_path / "paro.toml", "max-context = 640\nmax-batch = 3\nmemory-budget = \"1 GiB\"  # enough\n")
    plan = planned("--config", file)
    assert (plan["max_context"], plan["max_batch"], plan["budget_bytes"]) == (640, 3, 1 << 30)
    assert planned(env={"PARO_CONFIG": str(file)}) == plan
    env = {"PARO_MAX_CONTEXT": "320", "PARO_MAX_BATCH": "2"}
    plan = planned("--config", file, "--max-batch", 1, env=env)
    assert (plan["max_context"], plan["max_batch"], plan["budget_bytes"]) == (320, 1, 1 << 30)


def test_a_section_of_a_config_file_is_for_its_command_alone(tmp_path: Path) -> None:
    file = written(tmp_path / "paro.toml", "max-batch = 2\n[serve]\nport = 1\nmax-context = 64\n"
                                           "[plan]\nmax-context = 320\njson = true\n")
    plan = json.loads(paro("plan", DEMO, "--config", file).stdout)
    assert (plan["max_context"], plan["max_batch"]) == (320, 2)


@pytest.mark.parametrize(("text", "key"), [
    ("max-contxt = 640", "max-contxt"), ("port = 1", "port"), ("MODEL = 1", "MODEL"), ("help = true", "help"),
    ("config = 1", "config"), ("--max-context = 640", "--max-context"), ("[serve]\nprt = 1", "serve.prt"),
    ("[server]", "[server]"), ("[plan.serve]\nport = 1", "[plan"), ("max-context = many", "max-context"), ("max-context = 0", "max-context"),
    ("max-context =", "max-context"), ("max-context = []", "max-context"), ("-- = 1", "'--'"),
    ("max-context = 1\nmax-context = 2", "max-context"), ("max-batch = 1\n[plan]\nmax-batch = 1", "plan.max-batch"),
    ("max-context = 1\nmax-batch = 1\nmax-context = 1", "max-context"),
    ("memory-budget = 1 GiB", "memory-budget"), ("memory-budget = \"1#GiB\"", "memory-budget"), ("json = maybe", "json"),
    ("json = [true, true]", "json"), ("kv-type = f8", "kv-type"), ("max-context = [1,\n2]", "line 1"), ("\nx", "line 2"),
])
def test_a_config_file_is_refused_by_file_and_key(text: str, key: str, tmp_path: Path) -> None:
    file = written(tmp_path / "paro.toml", text)
    message = refused("plan", DEMO, "--config", file, code=MISUSED)
    assert f"'{file}'" in message and key in message


def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "nowhere" in refused("plan", DEMO, "--config", tmp_path / "nowhere")
    assert str(tmp_path) in refused("synth", DEMO, tmp_path / "out", "--config", tmp_path)


def test_the_config_file_of_the_docs_holds(tmp_path: Path) -> None:
    example, = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/cli.md").read_text(), re.DOTALL)
    file = written(tmp_path / "paro.toml", example)
    plan = planned("--config", file)
    assert (plan["max_context"], plan["budget_bytes"]) == (4096, 2 << 30)
    bench = json.loads(paro("bench", DEMO, "--config", file, "--prompt-tokens", 8, "--decode-tokens", 2,
                            "--repetitions", 1).stdout)
    assert [decode["batch"] for decode in bench["decode"]] == [1, 4]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        on_it = written(tmp_path / "taken.toml", example.replace("8080", str(port)))
        assert f"127.0.0.1:{port}" in refused("serve", DEMO, "--config", on_it)


@pytest.mark.parametrize(("text", "n_bytes"), [
    ("8GiB", 8 << 30), ("8G", 8 << 30), ("500MiB", 500 << 20), ("1.5gib", 3 << 29), ("900000k", 900000 << 10),
    ("2GB", 2 * 10**9), ("1073741824", 1 << 30), ("700 MiB", 700 << 20), ("1T", 1 << 40),
])
def test_byte_sizes_are_read(text: str, n_bytes: int) -> None:
    assert json.loads(paro("plan", DEMO, "--json", "--memory-budget", text).stdout)["budget_bytes"] == n_bytes


def test_half_the_memory_is_half_of_all() -> None:
    half, all_ = (json.loads(paro("plan", DEMO, "--json", "--memory-budget", p).stdout)["budget_bytes"]
                  for p in ("50%", "100%"))
    assert abs(half / all_ - 0.5) < 0.05


@pytest.mark.parametrize("text", ["", "GiB", "8XB", "-1G", "0", "0%", "101%", "1e9", "8 G B", "99999999T", ".", "nan"])
def test_bad_byte_sizes_are_told_with_what_is_expected(text: str) -> None:
    message = refused("plan", DEMO, f"--memory-budget={text}", code=MISUSED)
    assert "--memory-budget" in message and (text == "" or "8GiB, 500MiB or 50%" in message)


# --- inspect --------------------------------------------------------------------------------------------------------


INT4_SUFFIXES = (".qweight", ".qzeros", ".scales", "theta", "pairs", "channel_scales")


def stored_tensors(model: Path) -> dict[str, tuple[str, int]]:
    """name -> dtype and bytes, from the headers of all files"""
    tensors = {}
    for file in model.glob("model*.safetensors"):
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                tensors[name] = (tensor["dtype"], end - begin)
    return tensors


def part_of(name: str, dtype: str) -> tuple[str, str]:
    if "norm" in name or name.endswith(("layer_scalar", "router.scale", "per_expert_scale")):
        return "norms and scales", dtype
    modules = {"experts": ".experts.", "router": ".router.", "attention": ".self_attn.", "dense layers": ".mlp.",
               "embedding": "embed_tokens."}
    part = next(part for part, module in modules.items() if module in name)
    return part, "INT4" if name.endswith(INT4_SUFFIXES) else dtype


def inspected(model: Path) -> dict:
    return json.loads(paro("inspect", model, "--json").stdout)


@pytest.fixture(scope="module")
def demo_card() -> dict:
    return inspected(DEMO)


def test_inspect_tells_the_facts_of_the_demo(demo_card: dict) -> None:
    assert list(demo_card) == [
        "architecture", "layers", "layers by kind", "keys and values", "hidden size", "dense width", "query heads",
        "experts", "vocabulary", "context", "paroquant", "mtp head", "stored", "parts", "skipped", "budget",
        "read by a token", "sampling", "stop tokens", "special tokens", "tokenizer", "bos token", "eos token",
        "pad token", "answer format", "chat template", "tools", "thinking"]
    config = json.loads((DEMO / "config.json").read_text())
    text, quantization = config["text_config"], config["quantization_config"]
    kinds = text["layer_types"]
    assert demo_card["architecture"] == text["model_type"]
    assert demo_card["layers"] == text["num_hidden_layers"] == len(kinds)
    assert demo_card["layers by kind"] == {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    assert demo_card["keys and values"] == [
        {"layers": kinds.count("full_attention"), "keys": "1 heads of 128, whole context"},
        {"layers": kinds.count("sliding_attention"), "keys": "2 heads of 64, window 256"}]
    assert demo_card["experts"] == {"of a layer": text["num_experts"], "used by a token": text["top_k_experts"]}
    for fact, key in {"hidden size": "hidden_size", "dense width": "intermediate_size", "vocabulary": "vocab_size",
                      "query heads": "num_attention_heads", "context": "max_position_embeddings"}.items():
        assert demo_card[fact] == text[key], fact
    assert demo_card["paroquant"] == {key: quantization[key] for key in ("bits", "group_size", "krot")}
    assert demo_card["mtp head"] == "none" and demo_card["skipped"] == []
    printed = paro("inspect", DEMO).stdout
    for fact in demo_card:
        assert f"\n{fact} " in f"\n{printed}" or f"\n{fact}\n" in printed, fact
    assert "gemma4_text" in printed and "INT4" in printed and "<turn|>" in printed


def test_inspect_sums_the_parts_of_the_files(demo_card: dict) -> None:
    tensors = stored_tensors(DEMO)
    assert demo_card["stored"] == {"tensors": len(tensors), "files": 2, "bytes": sum(n for _, n in tensors.values())}
    expected: dict[tuple[str, str], list[int]] = {}
    for name, (dtype, n_bytes) in tensors.items():
        sums = expected.setdefault(part_of(name, dtype), [0, 0])
        sums[0] += 1
        sums[1] += n_bytes
    parts = {(p["part"], p["format"]): [p["tensors"], p["bytes"]] for p in demo_card["parts"]}
    assert parts == expected
    assert {("experts", "INT4"), ("attention", "INT4"), ("embedding", "F16")} <= set(parts)
    sizes = [p["bytes"] for p in demo_card["parts"]]
    assert sizes == sorted(sizes, reverse=True)


def test_inspect_tells_what_the_text_is_made_of(demo_card: dict) -> None:
    tokens = json.loads((DEMO / "tokenizer.json").read_text())
    names = json.loads((DEMO / "tokenizer_config.json").read_text())
    generation = json.loads((DEMO / "generation_config.json").read_text())
    text_of = {t["id"]: t["content"] for t in tokens["added_tokens"]}
    id_of = {text: i for i, text in text_of.items()}
    uses: dict[int, list[str]] = {}
    for use in ("bos", "eos", "pad"):
        assert demo_card[f"{use} token"] == names[f"{use}_token"]
        uses.setdefault(id_of[names[f"{use}_token"]], []).append(use)
    for i in generation["eos_token_id"]:
        uses.setdefault(i, []).append("stop")
    assert demo_card["special tokens"] == [{"id": i, "text": text_of[i], "use": uses[i]} for i in sorted(uses)]
    assert demo_card["stop tokens"] == generation["eos_token_id"]
    assert demo_card["sampling"] == {key: pytest.approx(generation[key]) for key in ("temperature", "top_k", "top_p")}
    assert demo_card["tokenizer"]["tokens"] == 3072 and demo_card["tokenizer"]["bytes"] > 3072
    assert demo_card["answer format"] == "gemma4"
    assert demo_card["chat template"] is demo_card["tools"] is demo_card["thinking"] is True


def test_template_features_are_those_of_the_template(tmp_path: Path) -> None:
    model = copy_of(DEMO, tmp_path / "model")
    (model / "chat_template.jinja").write_text("{% if tools %}{{ tools }}{% endif %}")
    card = inspected(model)
    assert card["chat template"] is card["tools"] is True and card["thinking"] is False
    (model / "chat_template.jinja").unlink()
    card = inspected(model)
    assert card["chat template"] is card["tools"] is card["thinking"] is False


def test_a_token_that_would_steer_the_terminal_is_quoted(tmp_path: Path) -> None:
    model = copy_of(DEMO, tmp_path / "model")
    names = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**names, "bos_token": "\x1b[2J"}))
    assert inspected(model)["bos token"] == "\x1b[2J"
    printed = paro("inspect", model).stdout
    assert "\x1b" not in printed and "u001b[2J" in printed


def test_the_budgets_of_the_card_are_the_limits_of_a_plan(demo_card: dict) -> None:
    budget = demo_card["budget"]
    assert budget["backend"].startswith("cpu (")
    smallest, resident = budget["smallest bytes"], budget["all resident bytes"]
    whole = json.loads(paro("plan", DEMO, "--json", "--memory-budget", "100GiB").stdout)
    assert whole["plan_bytes"] == resident and "fitting" not in whole
    assert "fitting" in json.loads(paro("plan", DEMO, "--json", "--memory-budget", resident - 1).stdout)
    least = json.loads(paro("plan", DEMO, "--json", "--memory-budget", smallest).stdout)
    assert least["fits"] and least["plan_bytes"] <= smallest < resident
    assert not json.loads(paro("plan", DEMO, "--json", "--memory-budget", smallest - 1, code=FAILED).stdout)["fits"]


def test_a_token_reads_what_bench_counts(demo_card: dict) -> None:
    read = demo_card["read by a token"]
    figures = json.loads(paro("bench", DEMO, "--json", "--prompt-tokens", 1, "--decode-tokens", 1,
                              "--repetitions", 1).stdout)
    assert figures["decode"][0]["bytes_per_token"] == pytest.approx(read["bytes"], abs=2)  # from an empty context
    assert read["bytes"] == pytest.approx(read["dense bytes"] + read["expert bytes"], abs=1)
    # Experts keep their four bits, and a token reads the share of them that it uses.
    stored = sum(n for name, (_, n) in stored_tensors(DEMO).items() if ".experts." in name and name.endswith(".qweight"))
    used = stored * demo_card["experts"]["used by a token"] / demo_card["experts"]["of a layer"]
    assert used < read["expert bytes"] < 1.35 * used
    assert 0 < read["dense bytes"] < demo_card["stored"]["bytes"] - stored


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDENS.glob("*/config.json")))
def test_every_golden_is_inspected_or_refused_by_name(name: str, tmp_path: Path) -> None:
    shutil.copy(GOLDENS / name / "config.json", tmp_path)
    edit_config(tmp_path, model_type="abacus")
    known = refused("inspect", tmp_path).split("this build runs ")[1].strip().split(", ")
    assert "gemma4_text" in known
    config = json.loads((GOLDENS / name / "config.json").read_text())
    text = config.get("text_config", config)
    if text["model_type"] not in known:
        message = refused("inspect", GOLDENS / name)
        assert f"'{text['model_type']}' is not known" in message and "config.json" in message
        return
    card = inspected(GOLDENS / name)
    assert card["architecture"] == text["model_type"] and card["layers"] == text["num_hidden_layers"]
    assert card["tokenizer"] == "none" and card["mtp head"] == "none"
    assert ("experts" in card) == ("num_experts" in text) == (card["read by a token"]["expert bytes"] > 0)
    tensors = stored_tensors(GOLDENS / name)
    assert sum(part["bytes"] for part in card["parts"] + card["skipped"]) == sum(n for _, n in tensors.values())
    assert card["special tokens"] == [{"id": text["pad_token_id"], "use": ["pad"]},
                                      {"id": text["eos_token_id"], "use": ["eos", "stop"]},
                                      {"id": text["bos_token_id"], "use": ["bos"]}]
    assert 0 < card["budget"]["smallest bytes"] < card["budget"]["all resident bytes"]


@pytest.mark.parametrize(("declared", "stored", "fact"), [
    (0, [], "none"),
    (1, [], "declared, not in the files"),
    (1, ["mtp.layers.0.weight"], "declared and in the files, not used"),
    (1, ["model.language_model.mtp.norm.weight"], "declared and in the files, not used"),
    (0, ["mtp.fc.weight"], "in the files, not declared"),
])
def test_inspect_tells_whether_an_mtp_head_is_there(declared: int, stored: list[str], fact: str, tmp_path: Path) -> None:
    model = copy_of(GOLDENS / "gemma4-moe", tmp_path / "model")
    edit_config(model, mtp_num_hidden_layers=declared)
    if stored:
        tensors = load_file(model / "model.safetensors")
        save_file({**tensors, **{name: np.zeros((4, 4), np.float16) for name in stored}}, model / "model.safetensors")
    card = inspected(model)
    assert card["mtp head"] == fact
    assert card["skipped"] == [{"why": "multi-token prediction is not used", "tensors": 1, "bytes": 32, "first": name}
                               for name in stored]


def test_inspect_needs_a_config_alone(tmp_path: Path) -> None:
    shutil.copy(GOLDENS / "gemma4-moe/config.json", tmp_path)
    edit_config(tmp_path, mtp_num_hidden_layers=1)
    card, whole = inspected(tmp_path), inspected(GOLDENS / "gemma4-moe")
    assert card == inspected(tmp_path / "config.json")
    assert card["stored"] == "config.json alone" and card["tokenizer"] == "none" and card["mtp head"] == "declared"
    assert "parts" not in card and "skipped" not in card
    for fact in ("layers by kind", "experts", "context", "read by a token", "special tokens"):
        assert card[fact] == whole[fact], fact


def test_inspect_tells_what_is_skipped_and_why(tmp_path: Path) -> None:
    model = copy_of(GOLDENS / "gemma4-moe", tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    tensors["model.vision_tower.patch.weight"] = np.zeros((4, 4), np.float16)
    save_file(tensors, model / "model.safetensors")
    skipped = json.loads(paro("inspect", model, "--json").stdout)["skipped"]
    assert skipped == [{"why": "images are not read", "tensors": 1, "bytes": 32,
                        "first": "model.vision_tower.patch.weight"}]


# --- generate and chat ----------------------------------------------------------------------------------------------

GREEDY = ["--temp", 0, "--max-tokens", 24]


def test_generate_streams_an_answer() -> None:
    answer = paro("generate", DEMO, "What is the capital of France?", *GREEDY).stdout
    assert "Paris" in answer and "<" not in answer
    assert paro("generate", DEMO, "-", *GREEDY, stdin="What is the capital of France?").stdout == answer


def test_generate_tells_ids_usage_and_timings() -> None:
    answer = json.loads(paro("generate", DEMO, "What is the capital of France?", "--json", *GREEDY).stdout)
    assert "Paris" in answer["text"] and answer["finish_reason"] == "stop"
    # The stop token is counted, not delivered.
    assert answer["usage"]["completion_tokens"] == len(answer["ids"]) + 1
    assert answer["usage"]["prompt_tokens"] > 5
    assert answer["timings"]["prefill_tokens_per_s"] > 0 and answer["timings"]["decode_tokens_per_s"] > 0


def test_generate_thinks_when_told_and_keeps_thoughts_off_a_pipe() -> None:
    arguments = ["generate", DEMO, "What is 4 plus 5?", "--think", "--temp", 0, "--max-tokens", 120]
    answer = json.loads(paro(*arguments, "--json").stdout)
    assert answer["reasoning"] and answer["reasoning"] not in paro(*arguments).stdout


def test_generate_raw_continues_the_text() -> None:
    chat, raw = (json.loads(paro("generate", DEMO, "The capital of France", "--json", *GREEDY, *flags).stdout)
                 for flags in ([], ["--raw"]))
    assert raw["usage"]["prompt_tokens"] < chat["usage"]["prompt_tokens"]


def test_a_seed_repeats_an_answer() -> None:
    def ids(seed: int) -> list[int]:
        return json.loads(paro("generate", DEMO, "Tell me a story", "--json", "--max-tokens", 24, "--temp", 1.5,
                               "--top-k", 0, "--top-p", 1, "--seed", seed).stdout)["ids"]

    assert ids(7) == ids(7) != ids(8)


def test_a_prompt_longer_than_the_context_is_refused_with_the_numbers() -> None:
    message = refused("generate", DEMO, "word " * 400, "--max-context", 64)
    assert "maximum context length is 64 tokens" in message


def test_chat_remembers_and_forgets() -> None:
    lines = "What is the capital of France?\n/clear\n\n/help\n/quit\nnever read\n"
    said = paro("chat", DEMO, *GREEDY, stdin=lines).stdout
    assert "Paris" in said and "/clear" in said and "\x1b" not in said


def test_chat_goes_on_after_a_message_that_is_too_long() -> None:
    done = paro("chat", DEMO, *GREEDY, "--max-context", 96, stdin="word " * 400 + "\nWhat is the capital of France?\n")
    assert "maximum context length" in done.stderr and "Paris" in done.stdout


# --- synth ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gemma4-moe", "gemma4-31b", "gemma4-e2b"])
def test_synth_writes_a_checkpoint_that_runs(name: str, tmp_path: Path) -> None:
    model, ids, out = tmp_path / "model", tmp_path / "ids.safetensors", tmp_path / "logits.safetensors"
    paro("synth", GOLDENS / name, model, "--vocab", 160, "--seed", 3)
    facts = json.loads(paro("inspect", model, "--json").stdout)
    assert facts["vocabulary"] == 160
    save_file({"input_ids": np.arange(50, dtype=np.int32) * 3 % 160}, ids)
    paro("logits", model, *REFERENCE, "--input-ids", ids, "--out", out)
    logits = load_file(out)["logits"]
    assert logits.shape == (50, 160) and np.isfinite(logits).all()
    assert 0.3 < logits.std() < 10 and len(set(logits.argmax(1))) > 10


def test_synth_cuts_layers_and_keeps_the_last_one_full(tmp_path: Path) -> None:
    paro("synth", ROOT / "models/demo/config.json", tmp_path / "model", "--layers", 4)
    text = json.loads((tmp_path / "model/config.json").read_text())["text_config"]
    assert text["num_hidden_layers"] == 4 == len(text["layer_types"])
    assert text["layer_types"][-1] == "full_attention"
    assert json.loads(paro("inspect", tmp_path / "model", "--json").stdout)["layers"] == 4


def test_synth_writes_what_the_format_says(tmp_path: Path) -> None:
    model = tmp_path / "model"
    paro("synth", GOLDENS / "gemma4-moe", model)
    made, golden = load_file(model / "model.safetensors"), load_file(GOLDENS / "gemma4-moe/model.safetensors")
    assert {name: t.shape for name, t in made.items()} == {name: t.shape for name, t in golden.items()}
    base = next(name for name in made if name.endswith("q_proj.qweight")).removesuffix("qweight")
    group = json.loads((model / "config.json").read_text())["quantization_config"]["group_size"]
    pairs = made[base + "pairs"].reshape(made[base + "pairs"].shape[0], -1, group)
    assert (np.sort(pairs, axis=-1) == np.arange(group)).all()
    zeros = made[base + "qzeros"].view(np.uint32)
    assert {int(z) for shift in range(0, 32, 4) for z in np.unique(zeros >> shift & 15)} == {6, 7, 8, 9}
    assert len(np.unique(made[base + "qweight"].view(np.uint8) & 15)) == 16
    assert 0 < np.abs(made[base + "theta"].astype(np.float32)).mean() < 0.5


def test_synth_repeats_itself_for_a_seed(tmp_path: Path) -> None:
    def bytes_of(name: str, seed: int) -> bytes:
        paro("synth", GOLDENS / "gemma4-moe", tmp_path / name, "--seed", seed)
        return (tmp_path / name / "model.safetensors").read_bytes()

    first = bytes_of("a", 1)
    assert first == bytes_of("b", 1) and first != bytes_of("c", 2)


def test_synth_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/file").write_text("kept")
    assert "is not empty" in refused("synth", GOLDENS / "gemma4-moe", tmp_path / "model", code=MISUSED)
    assert "--layers is 99" in refused("synth", GOLDENS / "gemma4-moe", tmp_path / "other", "--layers", 99,
                                       code=MISUSED)


# --- serve ----------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)


def test_serve_refuses_a_card_that_its_plan_does_not_hold(tmp_path: Path) -> None:
    model = copy_of(DEMO, tmp_path / "model")
    generation = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps({**generation, "eos_token_id": list(range(3000))}))
    message = refused("serve", model, "--port", 0)
    assert "expected at most 65536" in message and "stop tokens" in message


def test_serve_refuses_an_empty_key() -> None:
    assert "--api-key" in refused("serve", DEMO, "--port", 0, "--api-key", "", code=MISUSED)


@pytest.mark.parametrize(("content", "complaint"), [
    (b"", "has no key"), (b"\n# one\n \t\r\n", "has no key"),
    (b"# keys\nsecret-\x01key\n", "line 2"), (b"\nsecret-key\nsecret-\xc3\xa9\n", "line 3"), (b"secret\tkey", "line 1"),
    (b"secret\x00key", "line 1"), (b"\xef\xbb\xbfsecret", "line 1"),
])
def test_serve_refuses_a_key_file_and_tells_nothing_of_it(content: bytes, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    message = refused("serve", DEMO, "--port", 0, "--api-key-file", file, code=MISUSED)
    assert str(file) in message and complaint in message and "secret" not in message


def test_serve_names_a_key_file_that_it_cannot_read(tmp_path: Path) -> None:
    assert "nowhere" in refused("serve", DEMO, "--port", 0, "--api-key-file", tmp_path / "nowhere")
    assert str(tmp_path) in refused("serve", DEMO, "--port", 0, "--api-key-file", tmp_path)
    assert "cannot open ''" in refused("serve", DEMO, "--port", 0, "--api-key-file", "")


def test_serve_takes_the_keys_of_a_file_beside_those_of_flags(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the first client\n\n  in file \t\r\n#commented\nlast")
    port = free_port()
    server = subprocess.Popen([PARO, "serve", DEMO, "--port", str(port), "--api-key", "flag", "--api-key-file", file],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def status(key: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/models", headers={"Authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        assert [status(key) for key in ("flag", "in file", "last")] == [200] * 3
        assert [status(key) for key in ("in", "#commented", "commented", "# of the first client", "")] == [401] * 5
        server.send_signal(signal.SIGTERM)
        out, log = server.communicate(timeout=30)
        assert server.returncode == 0 and "in file" not in out + log and "last" not in out + log
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def log_lines(text: str) -> list[dict[str, str]]:
    """The objects of a log in JSON: every line has to be one."""
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.removesuffix("\n").split("\n")]
    for line in lines:
        assert list(line) == ["time", "level", "message"] and line["level"] in ("debug", "info", "warn", "error")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        age = datetime.now(timezone.utc) - datetime.fromisoformat(line["time"])
        assert timedelta(seconds=-1) < age < timedelta(minutes=10)
    return lines


def test_a_log_of_json_is_an_object_a_line_from_start_to_stop() -> None:
    port = free_port()
    server = subprocess.Popen([PARO, "serve", DEMO, "--port", str(port), "--log-format", "json", "--log-level", "debug"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=30)
        assert server.returncode == 0
        messages = [line["message"] for line in log_lines(log)]
        assert f"listening on http://127.0.0.1:{port}" in messages and messages[-1] == "stopped"
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


@pytest.mark.parametrize("name", ['a "model"\\', "two\nlines\t", "caf\xe9", "bell\x07"])
def test_a_log_of_json_escapes_what_it_tells(name: str, tmp_path: Path) -> None:
    failure, = log_lines(paro("plan", tmp_path / name, "--log-format", "json", code=FAILED).stderr)
    assert failure["level"] == "error" and name in failure["message"]


def test_a_log_of_json_is_utf8_whatever_it_tells(tmp_path: Path) -> None:
    done = subprocess.run([PARO, "plan", bytes(tmp_path) + b"/\xff\xfe", "--log-format", "json"], capture_output=True)
    failure, = log_lines(done.stderr.decode())
    assert done.returncode == FAILED and "/\ufffd\ufffd" in failure["message"]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_serve_serves_and_stops_in_order(sign: signal.Signals) -> None:
    port = free_port()
    server = subprocess.Popen([PARO, "serve", "--port", str(port), "--model-name", "small", "--temp", "0",
                               "--api-key", "k1", "--api-key", "k2", DEMO],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/chat/completions", headers={"Content-Type": "application/json", "Authorization": "Bearer k2"},
            data=json.dumps({"messages": [{"role": "user", "content": "What is the capital of France?"}]}).encode())
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert answer["model"] == "small" and "Paris" in answer["choices"][0]["message"]["content"]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/models/small/card",
                                         headers={"Authorization": "Bearer k1"})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.read().decode() == paro("inspect", DEMO, "--json").stdout
        assert "address already in use" in refused("serve", DEMO, "--port", port).lower()
        server.send_signal(sign)
        out, log = server.communicate(timeout=30)
        assert server.returncode == 0
        assert "memory plan" in out and "server buffers" in out
        assert f"listening on http://127.0.0.1:{port}" in log and "stopped" in log
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def test_a_second_signal_ends_the_server_at_once() -> None:
    port = free_port()
    server = subprocess.Popen([PARO, "serve", DEMO, "--port", str(port), "--grace", "60"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server)
        body = json.dumps({"prompt": "a", "max_tokens": 3000, "ignore_eos": True, "stream": True}).encode()
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert client.recv(64).startswith(b"HTTP/1.1 200")
        server.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        began = time.monotonic()
        if server.poll() is None:  # a fast machine may have answered by now
            server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=10) in (0, 128 + signal.SIGTERM)
        assert time.monotonic() - began < 5
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


# --- what is wrong outside ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["serve", "chat", "inspect", "plan", "bench"])
def test_an_unknown_directory_is_named(command: str, tmp_path: Path) -> None:
    message = refused(command, tmp_path / "nowhere")
    assert "nowhere" in message and "config.json" in message
    assert "config.json" in refused(command, tmp_path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    model = copy_of(GOLDENS / "gemma4-moe", tmp_path / "model")
    file = model / "model.safetensors"
    os.truncate(file, file.stat().st_size - 1000)
    for command in ("inspect", "plan", "bench"):
        assert "model.safetensors" in refused(command, model)


def test_an_unknown_architecture_is_named_with_the_known_ones(tmp_path: Path) -> None:
    model = copy_of(GOLDENS / "gemma4-moe", tmp_path / "model")
    edit_config(model, model_type="gpt_oss")
    message = refused("plan", model)
    assert "gpt_oss" in message and "gemma4_text" in message


def test_experts_under_another_name_are_refused_by_name(tmp_path: Path) -> None:
    model = copy_of(GOLDENS / "gemma4-moe", tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    save_file({name.replace(".experts.", ".experts.switch_mlp."): t for name, t in tensors.items()},
              model / "model.safetensors")
    for command in ("inspect", "plan", "bench"):
        message = refused(command, model)
        assert ".experts.0.gate_proj.qweight" in message and "switch_mlp" in message


@pytest.mark.parametrize("arguments", [
    [], ["dance"], ["plan"], ["plan", DEMO, "--max-context", "0"], ["plan", DEMO, "--max-batch", "-3"],
    ["plan", DEMO, "--kv-type", "f8"], ["plan", DEMO, "--head-type", "int3"], ["plan", DEMO, "--head-type", "int4"],
    ["plan", GOLDENS / "gemma4-moe", "--embedding-source", "disk"],
    ["plan", GOLDENS / "gemma4-moe", "--embedding-type", "int8"],
    ["plan", DEMO, "--embedding-type", "int2"], ["plan", DEMO, "--embedding-source", "tape"],
    ["plan", DEMO, "--backend", "abacus"],
    ["plan", DEMO, "--no-such-flag"], ["plan", DEMO, "--isa", "mmx"], ["plan", DEMO, "--threads", "0"],
    ["plan", DEMO, "--log-level", "loud"], ["plan", DEMO, "--log-format", "xml"],
    ["plan", DEMO, "--max-context", "5000"],
    ["generate", DEMO], ["generate", DEMO, "a", "--top-p", "2"], ["generate", DEMO, "a", "--temp", "hot"],
    ["serve", DEMO, "--port", "70000"], ["bench", DEMO, "--batch", "0"], ["synth", DEMO],
    ["logits", DEMO, "--out", "x"],
])
def test_broken_flags_are_misuse(arguments: list) -> None:
    refused(*arguments, code=MISUSED)


def test_help_and_version_are_no_errors() -> None:
    assert "serve" in paro("--help").stdout
    for command in ("serve", "chat", "generate", "inspect", "plan", "bench", "logits", "synth"):
        assert "--" in paro(command, "--help").stdout
    assert paro("--version").stdout.strip()


def test_output_that_nobody_takes_is_no_crash() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([PARO, "inspect", str(DEMO)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == FAILED and "standard output" in done.stderr
