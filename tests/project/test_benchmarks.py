"""The benchmarks: their rows, and that what was measured is written whatever happens. No test asserts a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import load, process, report, start
from benchmarks.collect import SECTIONS, WORKLOADS

ROOT = Path(__file__).parents[2]


def test_each_workload_has_one_name_and_one_row() -> None:
    assert len(WORKLOADS) == sum(len(section.workloads) for section in SECTIONS.values())
    assert len({(workload.title, workload.peer) for workload in WORKLOADS.values()}) == len(WORKLOADS)
    names = [name for _, part in bench.PARTS.values() for name in part]
    assert len({*names, *bench.PARTS}) == len(names) + len(bench.PARTS)
    assert list(SECTIONS["nets"].workloads)[:2] == ["perceptron", "perceptron_sgd"]


@pytest.mark.parametrize("name", [name for name in SECTIONS["nets"].workloads if name != "resnet18"])
def test_the_nets_run(name: str) -> None:
    workload = WORKLOADS[name]
    assert workload.threads
    assert not workload.group
    workload.make("trainkit")()


def test_a_convolutions_arithmetic_is_counted_on_paper() -> None:
    kernels = SECTIONS["conv"].workloads
    assert kernels["conv_64_forward"].flops == 2 * 8 * 64 * 56 * 56 * 64 * 9
    assert kernels["conv_stem_w"].flops == 2 * 8 * 64 * 112 * 112 * 3 * 49
    assert kernels["conv_way_x"].flops == 2 * 8 * 128 * 28 * 28 * 64
    pair = report.Pair(kernels["conv_way_x"], 1, [1e-3], [4e-3])
    assert report.row(pair, ("GFLOP/s", "of the peak"), 205.520896).endswith("| 103 / 26 | 50% / 12% |")


def test_the_mean_is_geometric_and_counts_what_is_missing() -> None:
    workload = WORKLOADS["perceptron"]
    pairs = [report.Pair(workload, 1, [1.0, 1.0], [1.0, 3.0]), report.Pair(workload, 4, [1.0], [8.0])]
    line = report.mean_line(pairs, 3)
    assert line.startswith(
        "Geometric mean of the 2 rows of 3 that were measured: **4.00** (2.00 on 1 thread, 8.00 on 4"
    )
    assert "all 2 rows" in report.mean_line(pairs, 2)


def test_growth_is_by_the_step_alone() -> None:
    medians = {("trainkit", 0): 0.1, ("trainkit", 1): 0.2, ("torch", 0): 0.2, ("torch", 1): 2.0}
    growth = load.Growth(WORKLOADS["perceptron"], medians)
    assert growth.row([0, 1]).endswith("| 100 / 200 ms | 200 / 2000 ms | **2 / 10** |")
    assert (
        load.summary([growth], [0, 1])
        == "Beside 1 busy process trainkit's step grows by less than torch's on 1 of 1 rows."
    )


def test_a_measurement_under_load_ends_by_the_clock() -> None:
    calls = []
    assert load.steps(lambda: calls.append(time.sleep(0.05)), seconds=0, limit=0.01) >= 0.05
    assert len(calls) == 1
    calls.clear()
    load.steps(lambda: calls.append(None), seconds=0)
    assert len(calls) == 1 + load.LEAST
    load.steps(lambda: calls.append(None), seconds=60)
    assert len(calls) == 2 + load.LEAST + load.MOST


def gone(pid: int) -> bool:
    """Tell whether a process has ended, or will in a moment."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up as Linux has them")
@pytest.mark.parametrize("ending", ["return", "error", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_busy_processes_end(ending: Any) -> None:
    program = f"""
import os, time
from pathlib import Path
from benchmarks.process import busy
with busy(2):
    print(*Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split(), flush=True)
    if {ending!r} == "error":
        raise ValueError
    time.sleep({0 if ending == "return" else 60})
""".replace(repr(ending), repr(str(ending)))
    one = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert one.stdout is not None
    children = [int(pid) for pid in one.stdout.readline().split()]
    assert len(children) == 2
    if isinstance(ending, signal.Signals):
        one.send_signal(ending)
    one.communicate(timeout=30)
    assert all(gone(pid) for pid in children)


def test_what_a_failing_process_wrote_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(process.MeasurementError, match=r"ValueError: too dark \(exit status 1\)"):
        process.python("-c", "raise ValueError('too dark')")
    assert "Traceback" in capfd.readouterr().err
    for program, limit, message in (
        ("input(); raise ValueError('too late')", 60, "ValueError: too late"),
        ("input(); input()", 0.5, "no answer"),
    ):
        with (
            process.Server("-c", program, limit=limit) as server,
            pytest.raises(process.MeasurementError, match=message),
        ):
            server.ask("")
    assert "Traceback" in capfd.readouterr().err
    with pytest.raises(process.MeasurementError, match="not done after"):
        process.python("-c", "import time; time.sleep(60)", limit=0.2)


def run_bench(monkeypatch: pytest.MonkeyPatch, folder: Path, worker: Any) -> str:
    """Run all with a worker that measures nothing; return the document."""
    monkeypatch.setattr(bench, "RESULTS", folder / "RESULTS.md")
    monkeypatch.setattr(bench, "worker", worker)
    monkeypatch.setattr(bench, "python", lambda *arguments: (0.0, "100.0", ""))
    monkeypatch.setattr(load, "measure", lambda *arguments: load.Growth(WORKLOADS["example"], Ones()))
    monkeypatch.setattr(load, "others", lambda: "")
    monkeypatch.setattr(start, "first_step", lambda library: 1.0)
    monkeypatch.setattr(start, "whole_epoch", lambda library, folder: 1.0)
    monkeypatch.setattr(start, "cold_run", lambda: (12.0, 2.0, "62 kernels in 9.0 s"))
    monkeypatch.setattr(sys, "argv", ["bench", "--rounds", "1"])
    monkeypatch.setenv("TRAINKIT_DATA", str(folder))
    try:
        bench.main()
    except SystemExit as ended:
        print(ended)
    return (folder / "RESULTS.md").read_text()


class Ones(dict[tuple[str, int], float]):
    """A second for everything."""

    def __missing__(self, key: tuple[str, int]) -> float:
        return 1.0


def test_the_document_has_all_sections_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = run_bench(monkeypatch, tmp_path, lambda library, names, *rest: [(1e-3, 100.0)] * len(names))
    headlines = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headlines == [title for title, _ in bench.PARTS.values()]
    for _, rows in ((key, section.workloads) for key, section in SECTIONS.items()):
        assert all(workload.title in text for workload in rows.values())
    assert "Geometric mean of all" in text
    assert "The peak of a thread: 100 GFLOP/s." in text
    assert "| 12 s | 2 s | **10 s** | 62 kernels in 9.0 s |" in text
    assert "Failed" not in text
    assert "Not measured" not in text


def test_a_failure_costs_its_row_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    def worker(library: str, names: list[str], *rest: Any) -> list[tuple[float, float]]:
        if names == ["strided"] and library == "torch":
            raise process.MeasurementError("RuntimeError: too wide")
        return [(1e-3, 100.0)] * len(names)

    text = run_bench(monkeypatch, tmp_path, worker)
    assert "- Nets: strided, threads: 1: RuntimeError: too wide" in text
    assert f"| {WORKLOADS['resnet18'].title} | 1 |" in text
    assert f"| {WORKLOADS['strided'].title} | 1 |" not in text
    assert "rows that were measured" in text.replace("rows of 18", "rows")
    assert bench.PARTS["starts"][0] in text
    assert "These failed:" in capsys.readouterr().out


def test_what_was_measured_before_ctrl_c_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def worker(library: str, names: list[str], *rest: Any) -> list[tuple[float, float]]:
        if "norm_layer" in names:
            raise KeyboardInterrupt
        return [(1e-3, 100.0)] * len(names)

    text = run_bench(monkeypatch, tmp_path, worker)
    assert WORKLOADS["cross_entropy_small"].title in text
    assert WORKLOADS["pool_global"].title not in text
    assert f"**Not measured in this run:** {SECTIONS['norm'].title}, {SECTIONS['pooling'].title}" in text
