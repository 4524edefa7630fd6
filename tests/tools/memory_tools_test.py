"""What `make soak` and `make bench-memory` are made of: control groups, clients' judgement, and the report."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tools/memory"), str(ROOT / "tools/peers")]

import cgroup
import clients
import line_chart
import memory_report
import moe_models
import soak

MIB = 1 << 20
SVG = "{http://www.w3.org/2000/svg}"

# --- control groups -------------------------------------------------------------------------------------------------


def fake_tree(root: Path, own_groups: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": own_groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_groups_of_version_one_are_made_below_the_own_one(tmp_path: Path) -> None:
    limit = "sys/fs/cgroup/memory/{}memory.limit_in_bytes"
    root = fake_tree(tmp_path, "5:cpu:/x\n4:memory:/user/me\n0::/\n",
                     {limit.format("user/me/"): "9", limit.format("user/"): "9", limit.format(""): "9"})
    memory = root / "sys/fs/cgroup/memory"
    assert cgroup.parents(root) == [(memory / "user/me", 1), (memory / "user", 1), (memory, 1)]


def test_controllers_that_share_a_mount_are_found(tmp_path: Path) -> None:
    root = fake_tree(tmp_path, "4:cpuset,memory:/\n", {"sys/fs/cgroup/cpuset,memory/memory.limit_in_bytes": "9"})
    assert cgroup.parents(root) == [(root / "sys/fs/cgroup/cpuset,memory", 1)]


def test_groups_of_version_two_are_made_where_memory_is_handed_down(tmp_path: Path) -> None:
    control = "sys/fs/cgroup/{}cgroup.subtree_control"
    root = fake_tree(tmp_path, "0::/user.slice/app.scope\n",
                     {control.format("user.slice/app.scope/"): "", control.format("user.slice/"): "cpu memory\n",
                      control.format(""): "cpu memory pids\n"})
    assert cgroup.parents(root) == [(root / "sys/fs/cgroup/user.slice", 2), (root / "sys/fs/cgroup", 2)]


def test_where_no_group_has_a_limit_the_reason_is_told(tmp_path: Path) -> None:
    root = fake_tree(tmp_path, "0::/\n", {"sys/fs/cgroup/cgroup.subtree_control": "cpu\n"})
    with pytest.raises(cgroup.NoGroup, match="no control group"):
        cgroup.make_group("x", MIB, root)


@pytest.mark.parametrize(("version", "files", "limits", "usage"), [
    (1, {"memory.max_usage_in_bytes": "700\n", "memory.failcnt": "1\n", "memory.memsw.failcnt": "2\n",
         "memory.memsw.limit_in_bytes": "9",
         "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"},
     {"memory.limit_in_bytes": "1000", "memory.memsw.limit_in_bytes": "1000"}, cgroup.Usage(700, 3, 2)),
    (2, {"memory.peak": "700\n", "memory.swap.max": "max", "memory.events": "low 0\nmax 3\noom 1\noom_kill 2\n"},
     {"memory.max": "1000", "memory.swap.max": "0"}, cgroup.Usage(700, 3, 2)),
    (2, {"memory.events": "max 0\noom_kill 0\n"}, {"memory.max": "1000"}, cgroup.Usage(None, 0, 0)),
])
def test_a_group_has_limits_and_tells_what_happened(tmp_path: Path, version: int, files: dict[str, str],
                                                    limits: dict[str, str], usage: cgroup.Usage) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    group = cgroup.MemoryGroup(tmp_path, version)
    group.limit(1000)
    assert {name: (tmp_path / name).read_text() for name in limits} == limits
    assert group.usage() == usage


@pytest.mark.parametrize(("version", "files", "held"), [
    (1, {"memory.stat": "cache 999\nrss 300\nshmem 20\ntotal_rss 7\n", "memory.kmem.usage_in_bytes": "4\n"}, 324),
    (2, {"memory.stat": "anon 300\nfile 999\nkernel 4\nshmem 20\n"}, 324),
])
def test_page_cache_is_not_held(tmp_path: Path, version: int, files: dict[str, str], held: int) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert cgroup.MemoryGroup(tmp_path, version).held_bytes() == held


def test_a_group_ends_a_program_that_takes_more_than_its_limit() -> None:
    with cgroup.memory_group("paro-test", 48 * MIB) as group:
        if isinstance(group, str):
            pytest.skip(f"no control group can be made here: {group}")
        program = [sys.executable, "-c", "import sys; b'x' * (int(sys.argv[1]) << 20)"]
        assert subprocess.run(group.command([*program, "8"])).returncode == 0
        assert group.usage().n_oom_kills == 0
        assert subprocess.run(group.command([*program, "200"]), capture_output=True).returncode == -9
        assert group.usage().n_oom_kills == 1 and 40 * MIB < group.usage().peak_bytes <= 48 * MIB
    assert not group.path.exists()


# --- the soak -------------------------------------------------------------------------------------------------------


def stream(*lines: str) -> list[bytes]:
    return [f"{line}\n".encode() for line in lines]


def chunk(text: str, finish: str = "null", index: int = 0) -> str:
    return f'data: {{"choices": [{{"index": {index}, "text": "{text}", "finish_reason": {finish}}}]}}'


def test_a_stream_that_ends_as_it_should_is_its_text() -> None:
    whole = stream(chunk("a"), "", ": keep-alive", "", chunk("b"), "", chunk("", '"length"'), "", "data: [DONE]", "")
    assert clients.text_of(clients.events_of(iter(whole))) == "ab"


@pytest.mark.parametrize(("lines", "problem"), [
    ([chunk("a"), chunk("", '"stop"')], "without"),
    ([chunk("a"), "data: [DONE]"], "finished"),
    ([chunk("", '"stop"'), chunk("", '"stop"'), "data: [DONE]"], "finished"),
    ([chunk("", '"stop"', index=1), "data: [DONE]"], "finished"),
    ([chunk("", '"cancelled"'), "data: [DONE]"], "finished"),
    ([chunk("a"), 'data: {"error": {"message": "no memory"}}', "data: [DONE]"], "no memory"),
])
def test_a_stream_that_does_not_is_told(lines: list[str], problem: str) -> None:
    with pytest.raises(clients.Wrong, match=problem):
        clients.text_of(clients.events_of(iter(stream(*lines))))


def test_probes_do_not_depend_on_the_context() -> None:
    assert clients.probes(clients.Facts(3072, 512)) == clients.probes(clients.Facts(3072, 8192))


def kept_result(**changes) -> soak.Result:
    facts = {"name": "x", "model": "demo", "flags": (), "budget_bytes": 100 * MIB, "plan_bytes": 90 * MIB,
             "slack_bytes": 0, "confined": True, "peak_resident_bytes": 80 * MIB,
             "group": cgroup.Usage(85 * MIB, 0, 0), "held_bytes": 70 * MIB,
             "outcomes": {outcome: 1 for outcome in soak.OUTCOMES}}
    return soak.Result(**{**facts, **changes})


@pytest.mark.parametrize(("changes", "problem"), [
    ({}, ""), ({"group": None, "confined": False}, ""), ({"group": cgroup.Usage(None, 0, 0)}, ""),
    ({"peak_resident_bytes": 91 * MIB}, "91.0 MiB were resident"), ({"peak_resident_bytes": 0}, "did not live"),
    ({"budget_bytes": 89 * MIB}, "exceeds the budget"), ({"group": cgroup.Usage(85 * MIB, 9, 1)}, "ended 1 processes"),
    ({"held_bytes": 91 * MIB}, "group held 91.0 MiB"), ({"group": cgroup.Usage(110 * MIB, 0, 0)}, ""),
    ({"plan_bytes": 95 * MIB}, "`paro plan` says 90.0"),
    ({"outcomes": {"answered": 1, "left": 1, "too large": 1}}, "no request was refused"),
])
def test_broken_promises_are_told(changes: dict, problem: str) -> None:
    found = soak.broken_promises(kept_result(**changes), 90 * MIB)
    assert len(found) == (1 if problem else 0) and problem in "".join(found)


def test_the_table_has_a_line_of_each_server() -> None:
    results = [kept_result(), kept_result(name="y", group=None, problems=["no"])]
    head, one, two = soak.table(results).splitlines()
    assert one.split() == ["demo", "x", "90.0", "80.0", "70.0", "85.0", "0", "0", "1", "1", "1", "1", "0", "yes"]
    assert two.split() == ["demo", "y", "90.0", "80.0", "–", "–", "–", "–", "1", "1", "1", "1", "0", "no"]
    assert len({len(line) for line in (head, one, two)}) == 1


def test_budgets_go_down_to_the_smallest_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "plan_of", lambda _paro, _model, *flags: {
        "fits": int(flags[-1].removesuffix("MiB")) * MIB >= 37.5 * MIB})
    assert soak.smallest_budget(Path(), Path(), 150 * MIB + 1) == 38 * MIB
    assert soak.in_steps(150, 38, 5) == [150, 122, 94, 66, 38]


def test_shares_of_the_experts_are_slots() -> None:
    assert moe_models.n_experts(moe_models.DEMO) == 192
    assert [moe_models.slots_for(moe_models.DEMO, share) for share in (1, 0.25, 0.1, 0.0001)] == [192, 48, 19, 1]
    assert moe_models.slot_flags(moe_models.DEMO, 192) == []
    assert moe_models.slot_flags(moe_models.DEMO, 48) == ["--expert-slots", "48"]


# --- the curve ------------------------------------------------------------------------------------------------------


def samples(*values: float) -> dict:
    return {"samples": list(values)}


def run(slots: int, decode: tuple[float, ...], read_bytes: float, prefill: float, prefill_bytes: float) -> dict:
    experts = {"hit_share": slots / 100, "missed_bytes_per_step": read_bytes, "read_bytes_per_step": 1.2 * read_bytes,
               "wait_share": 0.1}
    return {"slots": slots, "experts": 100, "plan_bytes": slots * 2**30 // 10, "confined": True,
            "command": f"paro bench {slots}", "figures": {
                "processor": {"name": "A <fast> one"}, "backend": "cpu", "disk": {"bytes_per_s": samples(2e9), "direct": True},
                "prefill": {"tokens": 512, "tokens_per_s": samples(prefill),
                            "experts": {**experts, "missed_bytes_per_step": prefill_bytes,
                                        "read_bytes_per_step": prefill_bytes}},
                "decode": [{"tokens_per_s": samples(*decode), "experts": experts}]}}


def kept() -> dict:
    """A step of 50 ms in memory. With a quarter of the experts 0.2 GB are missed, 100 ms, and the step takes 125 ms."""
    peer = {"limit_bytes": 2**32, "gguf_bytes": 6e9, "confined": True, "command": "llama-bench",
            "figures": [{"n_prompt": 512, "n_gen": 0, "avg_ts": 30.0}, {"n_prompt": 0, "n_gen": 32, "avg_ts": 2.0}]}
    return {"machine": {"processors": 2, "memory_bytes": 2**34, "kernel": "6.1", "commit": "abc"},
            "geometry": "a geometry", "checkpoint_bytes": 5e9,
            "runs": [run(100, (20, 21), 0, 100, 0), run(25, (8, 9), 2e8, 64, 4e9),
                     run(100, (19,), 0, 100, 0), run(25, (7,), 2e8, 64, 4e9)],
            "peer_runs": [peer, {**peer, "limit_bytes": 2**33,
                                 "figures": [{**figure, "avg_ts": 40.0} for figure in peer["figures"]]}]}


def test_steps_are_held_against_disk_and_processor() -> None:
    curve = memory_report.curve_of(kept())
    whole, quarter = curve.budgets
    assert (whole.share, quarter.share) == (1.0, 0.25)
    assert quarter.decode == {"median": 8, "min": 7, "max": 9}
    assert curve.bound_s(whole) == pytest.approx(0.05) and curve.bound_s(quarter) == pytest.approx(0.1)
    assert curve.over_bound(quarter) == pytest.approx(1.25)
    assert curve.of_disk(quarter, "prefill") == pytest.approx(0.25)  # 4 GB in 8 s of 2 GB/s
    assert curve.of_disk(quarter) == pytest.approx(0.96)  # 0.24 GB in 125 ms
    assert curve.over_bound(quarter, "prefill") == pytest.approx(8 / 5.12)  # which is what all in memory takes
    assert quarter.label == "25 %" and memory_report.Budget([{"slots": 1, "experts": 1536}]).label == "1 of 1536"


def test_a_model_in_memory_needs_no_figures_of_experts() -> None:
    runs = kept()["runs"]
    del runs[0]["figures"]["prefill"]["experts"], runs[0]["figures"]["decode"][0]["experts"]
    budget = memory_report.Budget(runs[:1])
    assert budget.of_experts("decode", "hit_share") == 1 and budget.of_experts("prefill", "read_bytes_per_step") == 0


def test_the_section_has_figures_and_targets() -> None:
    results = kept()
    text = memory_report.section(results, memory_report.curve_of(results))
    assert "| 100 % | 10.0 | 20.0 (19.0 to 21.0) | 100 (100 to 100) | 100 % | 0 | 0 | 1.00 × |" in text
    assert "| 25 % | 2.5 | 8.0 (7.0 to 9.0) | 64.0 (64.0 to 64.0) | 25 % | 200 | 240 | 1.25 × |" in text
    assert "| llama.cpp, mmap | 4.0 | 2.0 (2.0 to 2.0) | 30.0 (30.0 to 30.0) |" in text
    assert "| llama.cpp, mmap | 8.0 | 40.0 (40.0 to 40.0) | 40.0 (40.0 to 40.0) |" in text
    assert "with 25 % in memory | 1.25 × | yes |" in text
    assert ("with 25 % in memory | 96 %; a prefill, which computes as long as it reads, at 25 % and in 1.56 × the least "
            "possible | yes |") in text
    assert "in the same memory | 4.0 × | yes |" in text
    assert text.count("paro bench 25") == 1 and "**" not in text
    results["runs"][1]["confined"] = False
    assert "**No control group" in memory_report.section(results, memory_report.curve_of(results))


def test_the_section_replaces_what_stands_between_its_marks() -> None:
    page = memory_report.with_section("# Memory\n\nBy hand.\n", "one")
    assert page.startswith("# Memory\n\nBy hand.\n\n## Measured\n\n") and page.endswith("-->\n")
    again = memory_report.with_section(page + "\nMore by hand.\n", "two")
    assert again == page.replace("one", "two") + "\nMore by hand.\n"
    with pytest.raises(ValueError, match="one of its two marks"):
        memory_report.with_section(memory_report.BEGIN, "x")


def test_the_chart_has_a_point_of_each_budget() -> None:
    results = kept()
    chart = ElementTree.fromstring(memory_report.chart(results, memory_report.curve_of(results)))
    words = {text.text for text in chart.iter(f"{SVG}text")}
    assert {"paro", "bound of disk and processor", "llama.cpp, mmap", "100 %", "25 %"} <= words
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in chart.iter(f"{SVG}circle")]
    # Both axes begin at 0: 10 GiB and 2.5, 20 tokens/s and 8.
    (x1, y1), (x2, y2), _, _ = circles
    bottom = line_chart.HEIGHT - line_chart.BOTTOM
    assert (x2 - line_chart.LEFT) / (x1 - line_chart.LEFT) == pytest.approx(0.25, abs=0.01)
    assert (bottom - y2) / (bottom - y1) == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(("most", "expected"), [
    (10, [0, 2, 4, 6, 8, 10]), (7.3, [0, 2, 4, 6, 8]), (0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5]), (61, [0, 20, 40, 60, 80]),
])
def test_ticks_are_round(most: float, expected: list[float]) -> None:
    assert line_chart.ticks(most) == pytest.approx(expected)
