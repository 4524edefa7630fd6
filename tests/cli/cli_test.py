"""Every command of `paro` from outside: what it prints, writes and returns, on the demo model and the goldens.

`paro bench` has bench_test.py.
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.request
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


def test_flags_may_stand_in_the_environment_and_the_command_line_wins() -> None:
    env = {"PARO_MAX_CONTEXT": "640", "PARO_MEMORY_BUDGET": "1GiB"}
    plan = json.loads(paro("plan", DEMO, "--json", env=env).stdout)
    assert plan["max_context"] == 640 and plan["budget_bytes"] == 1 << 30
    plan = json.loads(paro("plan", DEMO, "--json", "--max-context", 320, env=env).stdout)
    assert plan["max_context"] == 320
    refused("plan", DEMO, env={"PARO_MAX_CONTEXT": "many"}, code=MISUSED)


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


def test_inspect_tells_the_facts_of_the_demo() -> None:
    facts = json.loads(paro("inspect", DEMO, "--json").stdout)
    assert facts["architecture"] == "gemma4_text" and facts["layers"] == 6
    assert facts["layers by kind"] == {"full_attention": 2, "sliding_attention": 4}
    assert facts["experts"] == {"of a layer": 32, "used by a token": 4}
    assert facts["vocabulary"] == 3072 and facts["context"] == 4096 and facts["hidden size"] == 256
    assert facts["tools"] and facts["thinking"] and facts["bos token"] == "<bos>"
    assert facts["stop tokens"] == [1, 106, 50]
    parts = {(part["part"], part["format"]): part["bytes"] for part in facts["parts"]}
    assert parts["experts", "INT4"] > parts["attention", "INT4"] > 0
    assert sum(parts.values()) == facts["stored"]["bytes"]
    text = paro("inspect", DEMO).stdout
    assert "gemma4_text" in text and "experts" in text and "INT4" in text


def test_inspect_needs_a_config_alone(tmp_path: Path) -> None:
    shutil.copy(GOLDENS / "gemma4-e2b/config.json", tmp_path)
    facts = json.loads(paro("inspect", tmp_path, "--json").stdout)
    assert facts["stored"] == "config.json alone" and facts["tokenizer"] == "none"


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


def test_serve_refuses_an_empty_key() -> None:
    assert "--api-key" in refused("serve", DEMO, "--port", 0, "--api-key", "", code=MISUSED)


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
    ["plan", DEMO, "--kv-type", "f8"], ["plan", DEMO, "--head-type", "int3"], ["plan", DEMO, "--backend", "abacus"],
    ["plan", DEMO, "--no-such-flag"], ["plan", DEMO, "--isa", "mmx"], ["plan", DEMO, "--threads", "0"],
    ["plan", DEMO, "--log-level", "loud"], ["plan", DEMO, "--max-context", "5000"],
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
