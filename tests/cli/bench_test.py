"""`paro bench` from outside: its figures, its flags, and peers that are shell scripts of these tests."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from program import DEMO, GOLDENS, MISUSED, PARO, paro, refused

SMALL = GOLDENS / "gemma4-31b"
SHORT = ["--prompt-tokens", 48, "--decode-tokens", 8, "--repetitions", 2]
TABLE = """\
build: some words
|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|
|     1 |      8 |    1 |      9 |    0.010 |   100.00 |    0.100 |    80.00 |    0.110 |    81.00 |
|     1 |      8 |    3 |     27 |    0.010 |   100.00 |    0.100 |   240.00 |    0.110 |   245.00 |
"""
JSON_LINES = '{"pp": 1, "pl": 1, "speed_tg": 80.0}\n{"pp": 1, "pl": 3, "speed_tg": 240.0}\n'
FIGURES = '[{"n_prompt": 48, "n_gen": 0, "avg_ts": 200.0}, {"n_prompt": 0, "n_gen": 8, "avg_ts": 50.0}]'


def bench(*arguments: object, model: Path = SMALL) -> dict:
    return json.loads(paro("bench", model, "--json", *SHORT, *arguments).stdout)


def script(file: Path, text: str) -> Path:
    file.write_text("#!/bin/sh\n" + text)
    file.chmod(0o755)
    return file


def printing(file: Path, text: str, stream: int = 1) -> Path:
    """A peer that notes its arguments in file.log and prints `text`."""
    return script(file, f"echo \"$@\" >> {file}.log\ncat >&{stream} <<'END'\n{text}\nEND\n")


def check_samples(samples: dict, n: int = 2) -> None:
    assert len(samples["samples"]) == n
    assert min(samples["samples"]) == samples["min"] <= samples["median"] <= samples["max"] == max(samples["samples"])


# --- figures --------------------------------------------------------------------------------------------------------


def test_figures_are_in_physical_units() -> None:
    figures = bench("--batch", "1,3", "--threads", 2, model=DEMO)
    assert figures["load"]["bytes"] > 10e6 and figures["load"]["bytes_per_s"] > 0
    assert figures["threads"] == 2 and figures["prefill"]["tokens"] == 48
    cpuinfo = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M))
    assert figures["processor"] == {"name": cpuinfo.get("model name", ""), "family": int(cpuinfo.get("cpu family", 0)),
                                    "model": int(cpuinfo.get("model", 0))}
    assert [d["batch"] for d in figures["decode"]] == [1, 3]
    one, three = figures["decode"]
    # More sequences read more experts in a step, though less than one each.
    assert one["bytes_per_step"] < three["bytes_per_step"] < 3 * one["bytes_per_step"]
    for samples in (figures["memory_bytes_per_s"], figures["integer_ops_per_s"], figures["prefill"]["tokens_per_s"],
                    one["tokens_per_s"], three["tokens_per_s"]):
        check_samples(samples)
        assert samples["min"] > 0
    assert 0 < figures["prefill"]["part_of_integer_peak"] < 1
    assert not {"decode_at_depth", "mixed", "peers"} & set(figures)


def test_integer_operations_of_a_prefill_are_those_of_its_matrices() -> None:
    """All INT4 products of all rows; what follows the keys of the last layer, and the head, of the last row alone."""
    config = json.loads((SMALL / "config.json").read_text())["text_config"]
    last = f"layers.{config['num_hidden_layers'] - 1}."
    expected = 2 * config["vocab_size"] * config["hidden_size"]
    with safe_open(SMALL / "model.safetensors", "numpy") as file:
        for name in file.keys():
            if name.endswith(".qweight"):
                n_in, n_out_by_8 = file.get_slice(name).get_shape()
                of_one_row = last in name and "k_proj" not in name and "v_proj" not in name
                expected += 2 * n_in * 8 * n_out_by_8 * (1 if of_one_row else 48)
    assert bench("--prefill-chunk", 20)["prefill"]["integer_ops"] == expected


def test_the_reference_backend_has_no_integer_peak() -> None:
    figures = json.loads(paro("bench", SMALL, "--json", "--backend", "reference", "--prompt-tokens", 4,
                              "--decode-tokens", 2, "--repetitions", 1).stdout)
    assert "integer_ops_per_s" not in figures and "part_of_integer_peak" not in figures["prefill"]


def test_depth_reads_a_cache_that_was_not_computed() -> None:
    figures = bench("--depth", 500, "--batch", "1,2", "--kv-type", "f16")
    one, two = figures["decode_at_depth"]
    assert (one["batch"], two["batch"], one["depth"]) == (1, 2, 500)
    assert two["extra_cache_bytes_per_step"] == 2 * one["extra_cache_bytes_per_step"] > 0
    assert one["cache_bytes_per_step"] > one["extra_cache_bytes_per_step"]
    for depth, flat in zip(figures["decode_at_depth"], figures["decode"], strict=True):
        check_samples(depth["tokens_per_s"])
        for deep, shallow, extra in zip(depth["tokens_per_s"]["samples"], flat["tokens_per_s"]["samples"],
                                        depth["extra_seconds_per_step"]["samples"], strict=True):
            assert extra == pytest.approx(depth["batch"] / deep - depth["batch"] / shallow)
    q8 = bench("--depth", 500, "--kv-type", "q8")["decode_at_depth"][0]
    assert q8["cache_bytes_per_step"] < one["cache_bytes_per_step"]


def test_a_mixed_step_tells_both_rates() -> None:
    figures = bench("--mixed", "--batch", "1,3")
    assert [m["batch"] for m in figures["mixed"]] == [1, 3]
    for mixed in figures["mixed"]:
        assert mixed["prefill_chunk"] == 256
        for prompt, answers in zip(mixed["prefill_tokens_per_s"]["samples"], mixed["decode_tokens_per_s"]["samples"]):
            assert prompt / answers == pytest.approx(256 / mixed["batch"])
    assert bench("--mixed", "--prefill-chunk", 20, "--batch", 4)["mixed"][0]["prefill_chunk"] == 16


def test_the_table_has_a_line_of_each(tmp_path: Path) -> None:
    peer = printing(tmp_path / "peer", FIGURES)
    table = paro("bench", SMALL, *SHORT, "--depth", 100, "--mixed", "--compare", f"llama-bench:{peer}:m.gguf").stdout
    for what in ("repetitions: median", "memory  ", "integer products", "load", "prefill 48", "decode x1 ",
                 "decode x1 @100", "mixed 256 + x1", "llama-bench", "% of the integer peak", "% of memory"):
        assert what in table, what
    line = next(line for line in table.splitlines() if line.startswith("llama-bench"))
    assert "prefill" in line and "decode x1" in line and line.count("times as fast") == 2


def test_the_disk_is_read_when_asked() -> None:
    disk = bench("--disk")["disk"]
    assert disk["bytes_per_s"]["median"] > 0 and disk["direct"] in (True, False)
    assert "\ndisk " in paro("bench", SMALL, "--disk", *SHORT).stdout
    assert "disk" not in bench()


@pytest.mark.parametrize("flags", [
    ["--mixed", "--max-batch", 1], ["--depth", 4000, "--max-context", 100], ["--depth", 0], ["--compare-timeout", 0],
])
def test_what_cannot_be_measured_is_misuse(flags: list) -> None:
    refused("bench", SMALL, *SHORT, *flags, code=MISUSED)


# --- peers ----------------------------------------------------------------------------------------------------------


def test_several_peers_run_between_our_repetitions(tmp_path: Path) -> None:
    one, two = printing(tmp_path / "one", FIGURES), printing(tmp_path / "two", FIGURES.replace("50.0", "25.0"))
    batched = printing(tmp_path / "batched", TABLE, stream=2)
    figures = bench("--threads", 1, "--batch", "1,3", "--compare", f"llama-bench:{one}:m.gguf",
                    "--compare", f"two=llama-bench:{two}:n.gguf", "--compare", f"two-b=batched-bench:{batched}:n.gguf",
                    "--compare-args", "two=-rtr 1  -fa 1", "--compare-args", "two-b=-rtr")
    a, b, c = figures["peers"]
    assert [(p["name"], p["kind"], p["model"]) for p in figures["peers"]] == [
        ("llama-bench", "llama-bench", "m.gguf"), ("two", "llama-bench", "n.gguf"),
        ("two-b", "batched-bench", "n.gguf")]
    check_samples(a["prefill"]["tokens_per_s"])
    assert a["prefill"]["tokens_per_s"]["median"] == 200
    assert a["prefill"]["ratio"] == pytest.approx(figures["prefill"]["tokens_per_s"]["median"] / 200)
    assert a["decode"][0]["ratio"] == pytest.approx(figures["decode"][0]["tokens_per_s"]["median"] / 50)
    assert b["decode"][0]["tokens_per_s"]["median"] == 25
    assert "prefill" not in c
    assert [(d["batch"], d["tokens_per_s"]["samples"]) for d in c["decode"]] == [(1, [80, 80]), (3, [240, 240])]
    assert c["decode"][1]["ratio"] == pytest.approx(figures["decode"][1]["tokens_per_s"]["median"] / 240)
    assert Path(f"{one}.log").read_text().splitlines() == ["-m m.gguf -p 48 -n 8 -t 1 -r 1 -o json"] * 2
    assert Path(f"{two}.log").read_text().splitlines() == ["-m n.gguf -p 48 -n 8 -t 1 -r 1 -o json -rtr 1 -fa 1"] * 2
    assert Path(f"{batched}.log").read_text().splitlines() == ["-m n.gguf -c 768 -npp 1 -ntg 8 -npl 1,3 -t 1 -rtr"] * 2


def test_json_lines_of_a_batched_bench_are_read_as_well(tmp_path: Path) -> None:
    peer = printing(tmp_path / "peer", "noise\n" + JSON_LINES)
    figures = bench("--batch", "3,1", "--compare", f"batched-bench:{peer}:m.gguf")
    assert {d["batch"]: d["tokens_per_s"]["median"] for d in figures["peers"][0]["decode"]} == {1: 80, 3: 240}


@pytest.mark.parametrize("text", [
    "", "[1, null, {}]", FIGURES.replace("50.0", "-1"), FIGURES.replace("50.0", '"50"'), "[" * 100000,
    FIGURES.replace('"n_gen": 8', '"n_gen": 8, "n_depth": 4096'),
])
def test_a_llama_bench_without_both_figures_is_refused(text: str, tmp_path: Path) -> None:
    peer = printing(tmp_path / "peer", text)
    message = refused("bench", SMALL, *SHORT, "--compare", f"llama-bench:{peer}:m.gguf")
    assert "prefill and decoding" in message and f"{peer} -m m.gguf" in message


@pytest.mark.parametrize("text", [
    "|\n||||||||||\n| 1 | 8 | 3 |", TABLE.replace("240.00", "   nan"), TABLE.replace("240.00", "     x"),
    TABLE.replace("|    3 |", "| 1e99 |"), JSON_LINES.replace("240.0", "{}"),
])
def test_a_batched_bench_without_every_batch_is_refused(text: str, tmp_path: Path) -> None:
    peer = printing(tmp_path / "peer", text)
    message = refused("bench", SMALL, *SHORT, "--batch", "1,3", "--compare", f"batched-bench:{peer}:m.gguf")
    assert "decoding of every --batch" in message


def test_a_peer_that_fails_is_named(tmp_path: Path) -> None:
    peer = script(tmp_path / "peer", f"echo '{FIGURES}'\nexit 3\n")
    message = refused("bench", SMALL, *SHORT, "--compare", f"llama-bench:{peer}:m.gguf")
    assert "exit code 3" in message and str(peer) in message
    script(peer, "kill -SEGV $$\n")
    assert "signal 11" in refused("bench", SMALL, *SHORT, "--compare", f"llama-bench:{peer}:m.gguf")
    script(peer, "yes\n")
    assert "printed more than" in refused("bench", SMALL, *SHORT, "--compare", f"llama-bench:{peer}:m.gguf")
    assert "none" in refused("bench", SMALL, *SHORT, "--compare", f"llama-bench:{tmp_path}/none:m.gguf")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def hanging(tmp_path: Path) -> tuple[Path, Path]:
    """A peer that starts another process and waits, and the file of their numbers."""
    pids = tmp_path / "pids"
    return script(tmp_path / "peer", f"sleep 300 &\necho $$ $! > {pids}.new\nmv {pids}.new {pids}\nwait\n"), pids


def check_gone(pids: Path) -> None:
    deadline = time.monotonic() + 10
    while any(alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < deadline, "the peer outlived paro"
        time.sleep(0.05)


def test_a_peer_that_hangs_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    peer, pids = hanging(tmp_path)
    began = time.monotonic()
    message = refused("bench", SMALL, *SHORT, "--compare", f"llama-bench:{peer}:m.gguf", "--compare-timeout", 1)
    assert "not done after 1 s" in message and time.monotonic() - began < 60
    check_gone(pids)


def test_what_a_peer_leaves_behind_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    peer = script(tmp_path / "peer", f"sleep 300 &\necho $! > {pids}\necho '{FIGURES}'\n")
    bench("--compare", f"llama-bench:{peer}:m.gguf")
    check_gone(pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_paro_and_its_peer(number: signal.Signals, tmp_path: Path) -> None:
    peer, pids = hanging(tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARO_")}
    running = subprocess.Popen([PARO, "bench", SMALL, *map(str, SHORT), "--compare", f"llama-bench:{peer}:m.gguf"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean)
    try:
        deadline = time.monotonic() + 60
        while not pids.exists():
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(number)
        assert running.wait(timeout=10) == -number
    finally:
        running.kill()
        running.wait()
    check_gone(pids)


@pytest.mark.parametrize("flags", [
    ["--compare", "x"], ["--compare", "llama-bench:x"], ["--compare", "llama-bench::m"], ["--compare", "a=b:c:d"],
    ["--compare", "llama-bench:x:"], ["--compare", "=llama-bench:x:y"],
    ["--compare", "llama-bench:x:y", "--compare", "llama-bench:x:z"],
    ["--compare", "llama-bench:x:y", "--compare-args", "-rtr"],
    ["--compare", "llama-bench:x:y", "--compare-args", "other=-rtr"],
])
def test_broken_comparisons_are_misuse(flags: list) -> None:
    assert "--compare" in refused("bench", SMALL, *SHORT, *flags, code=MISUSED)
