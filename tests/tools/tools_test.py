"""What the measuring tools make of what they read: callgrind profiles, and the results of `make bench-peers`."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tools/peers")]

import instruction_counts
import measure
import performance_report

PROFILE = """\
# callgrind format
events: Ir
summary: 68

ob=/a/program
fl=one.cpp
fn=void paro::cpu::(anonymous namespace)::tile<paro::cpu::(anonymous namespace)::Avx2, 1>(int, std::span<int>)
12 40
fi=one.h
13 2
cob=/lib/libc.so
cfi=math.c
cfn=sincos
calls=3 44
12 20
14 1

fn=sincos
44 20
fn=0x000000000001ab70
0 5
"""


def test_a_profile_counts_a_functions_own_instructions() -> None:
    counts = instruction_counts.functions_of(PROFILE)
    assert sorted(counts.values()) == [5, 20, 43]
    assert {instruction_counts.short_name(name): n for name, n in counts.items()} == {
        "tile": 43, "sincos": 20, "0x000000000001ab70": 5}


def recorded(**changes) -> dict:
    return {"compiler": "A 14", "libc": "glibc 2.36", "instructions": {"prefill": 1000, "decode": 100}, **changes}


def test_more_instructions_than_the_bound_are_complained_of() -> None:
    def found(prefill: int, decode: int, **changes) -> str:
        now = recorded(instructions={"prefill": prefill, "decode": decode}, **changes)
        return "; ".join(instruction_counts.complaints(recorded(), now))

    assert found(1100, 90) == "" and found(1, 1, compiler="B 15") == ""
    assert "decode takes 1.20 times the 100" in found(1000, 120)
    assert "RECORD=1" in found(1000, 120) and "'A 14'" not in found(1000, 120)
    assert "compiler 'A 14', this is 'B 15'" in found(1200, 100, compiler="B 15")


def test_the_record_names_what_it_was_made_with() -> None:
    record = json.loads((ROOT / "tests/instruction_counts.json").read_text())
    assert set(record["instructions"]) == set(instruction_counts.PHASES) and record["compiler"] and record["libc"]


@pytest.mark.parametrize(("path", "name"), [
    ("/home/me/ik/build/bin/llama-bench", "ik"), ("/opt/other.cpp/bin/llama-bench", "other.cpp"),
    ("/bin/llama-bench", "peer"),
])
def test_a_peer_is_called_after_its_folder(path: str, name: str) -> None:
    assert measure.peer_name(Path(path)) == name


def test_a_peer_gives_the_programs_that_it_has(tmp_path: Path) -> None:
    program = tmp_path / "llama-bench"
    program.touch()
    peer = measure.PeerPrograms("x", program, "-rtr 1", "-rtr")
    assert peer.flags(Path("m")) == ["--compare", f"x=llama-bench:{program}:m", "--compare-args", "x=-rtr 1"]
    (tmp_path / "llama-batched-bench").touch()
    assert peer.flags(Path("m"))[4:] == ["--compare", f"x-batched=batched-bench:{tmp_path}/llama-batched-bench:m",
                                         "--compare-args", "x-batched=-rtr"]


def samples(*values: float) -> dict:
    return {"median": sorted(values)[len(values) // 2], "min": min(values), "max": max(values), "samples": list(values)}


def kept(work: str, threads: int, figures: dict | list) -> dict:
    return {"geometry": "moe", "title": "a geometry", "work": work, "threads": threads, "checkpoint_bytes": 2_000_000,
            "gguf_bytes": 2_200_000, "command": f"paro bench {work} {threads}", "figures": figures}


SPEED = {
    "processor": {"name": "A <fast> & new one", "family": 25, "model": 17}, "backend": "cpu (avx2, 2 threads)",
    "repetitions": 3, "memory_bytes_per_s": samples(30e9, 31e9, 32e9), "integer_ops_per_s": samples(9e11),
    "prefill": {"tokens": 512, "tokens_per_s": samples(600, 610, 620), "part_of_integer_peak": 0.7},
    "decode": [{"batch": 1, "tokens_per_s": samples(40, 41, 42), "part_of_memory": 0.5, "bytes_per_token": 5e8},
               {"batch": 8, "tokens_per_s": samples(90, 91, 92), "part_of_memory": 0.5, "bytes_per_token": 2e8}],
    "mixed": [{"batch": 8, "prefill_chunk": 256, "prefill_tokens_per_s": samples(500),
               "decode_tokens_per_s": samples(16)}],
    "peers": [
        {"name": "one", "prefill": {"tokens_per_s": samples(305)},
         "decode": [{"batch": 1, "tokens_per_s": samples(20.5)}]},
        {"name": "one-batched",
         "decode": [{"batch": 1, "tokens_per_s": samples(1)}, {"batch": 8, "tokens_per_s": samples(91)}]},
        {"name": "two", "prefill": {"tokens_per_s": samples(1220)},
         "decode": [{"batch": 1, "tokens_per_s": samples(82)}]},
    ],
}
DEPTH = {"decode_at_depth": [{"depth": 16384, "extra_seconds_per_step": samples(0.002),
                              "extra_cache_bytes_per_step": 64e6, "bytes_per_s": 32e9, "part_of_memory": 0.9}]}
LOADS = [{"bytes_per_s": rate, "seconds": 3e9 / rate} for rate in (3e9, 2e9, 4e9)]


def write_results(folder: Path) -> None:
    folder.mkdir()
    machine = {"processors": 2, "memory_bytes": 2**34, "kernel": "6.1", "commit": "abc"}
    (folder / "machine.json").write_text(json.dumps(machine))
    for threads in (1, 2):
        for work, figures in {"speed": SPEED, "depth-q8": DEPTH, "load-cold": LOADS}.items():
            (folder / f"moe-{work}-{threads}.json").write_text(json.dumps(kept(work, threads, figures)))


def test_the_report_has_figures_ratios_and_targets(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    text = performance_report.report(tmp_path / "results", performance_report.load_results(tmp_path / "results"))
    # llama-bench's own figure of one sequence stands before the batched one's.
    one, eight = (next(line for line in text.splitlines() if line.startswith(f"| moe | decode x{n} |")) for n in (1, 8))
    assert one.split(" | ")[2:] == ["41.0 (40.0 to 42.0)", "50 % of memory", "20.5 (20.5 to 20.5)", "2.00 ×",
                                    "82.0 (82.0 to 82.0)", "0.50 × |"]
    assert eight.split(" | ")[2:] == ["91.0 (90.0 to 92.0)", "50 % of memory", "91.0 (91.0 to 91.0)", "1.00 ×", "–",
                                      "– |"]
    assert "| moe | 16,384 | q8 | 2.0 (2.0 to 2.0) | 64 | 32.0 | 90 % |" in text
    assert "| moe | on disk | 3.0 (2.0 to 4.0) | 1.00 |" in text
    assert "| moe | decode x1 | 1.15 × the fastest peer | 0.50 × | no |" in text
    assert "| moe | prefill 512 | 1.30 × the fastest peer or 55 % of integer peak | 0.50 ×, 70 % | yes |" in text
    assert "+10.0 %" in text and "family 25, model 17" in text and "paro bench speed 2" in text
    assert text.index("## 2 threads") < text.index("## 1 thread\n") < text.index("## Targets")
    assert performance_report.ANALYSIS.read_text() in text


def test_the_chart_has_a_bar_of_each_program(tmp_path: Path) -> None:
    write_results(tmp_path / "results")
    results = [r for r in performance_report.load_results(tmp_path / "results") if r["work"] == "speed"]
    chart = ElementTree.fromstring(performance_report.chart(results[:1]))
    words = [text.text for text in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert {"paro", "one", "two", "moe, decode x1", "41.0 tokens/s", "1220.0 tokens/s"} <= set(words)
    bars = [float(r.get("width")) for r in chart.iter("{http://www.w3.org/2000/svg}rect") if r.get("height") == "16"]
    assert len(bars) == 8 and bars[1] * 2 == pytest.approx(bars[0], abs=0.2)  # decode x1: paro and the first peer
