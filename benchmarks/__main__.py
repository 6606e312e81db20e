"""Measure every workload against its peer and write RESULTS.md: `make bench`, `make bench ARGS="--only example"`.

The two libraries take turns, each time in a process of its own; a row is the median over the rounds of the ratio
peer / trainkit within a round. Above 1, trainkit is faster.
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
from itertools import groupby
from pathlib import Path

from benchmarks.collect import WORKLOADS
from benchmarks.workloads import Workload

HERE = Path(__file__).parent
EPOCHS = {"mnist_ignite": "ignite", "mnist_poutyne": "poutyne"}


def measure(library: str, names: list[str], threads: int, seconds: float) -> list[tuple[float, float]]:
    """Return the median seconds of a call and the memory of the process in MB for each workload, in a new process."""
    command = [sys.executable, "-m", "benchmarks.worker", library, ",".join(names), str(threads), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent)
    found = [line.split() for line in done.stdout.splitlines()]
    return [(float(seconds), float(memory)) for seconds, memory in found]


def table(names: list[str], threads: int, rounds: int, seconds: float) -> list[str]:
    """Return the lines of workloads that are measured in one process."""
    first = WORKLOADS[names[0]]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(measure("trainkit", names, threads, seconds))
        theirs.append(measure(first.against, names, threads, seconds))
    lines = []
    for name, us, them in zip(names, zip(*ours, strict=True), zip(*theirs, strict=True), strict=True):
        workload = WORKLOADS[name]
        memory = "" if workload.group else f"{max(m for _, m in us):.0f} / {max(m for _, m in them):.0f} MB"
        times = [second for second, _ in us], [second for second, _ in them]
        lines.append(row(workload.title, str(threads), workload.unit, *times, workload.peer, memory))
        print(lines[-1], flush=True)
    return lines


def start_up(library: str) -> float:
    """Return the seconds from the start of a process to the end of its first training step."""
    code = f"from benchmarks.workloads import example_net; example_net({library!r})()"
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=HERE.parent)
    return os.times().elapsed - before.elapsed


def whole_epoch(library: str, folder: str) -> float:
    """Return the seconds of a process that trains an epoch on MNIST and evaluates."""
    code = f"from benchmarks.fit import mnist; mnist({library!r}, {folder!r})"
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=HERE.parent)
    seconds = os.times().elapsed - before.elapsed
    accuracy = float(done.stdout.split()[-1])
    if accuracy < 0.97:
        raise SystemExit(f"{library} reached an accuracy of {accuracy} only: this is no fair comparison")
    return seconds


def row(
    title: str, threads: str, unit: str, ours: list[float], theirs: list[float], peer: str, memory: str = ""
) -> str:
    """Return a line of the table."""
    scale = {"s": 1, "ms": 1e3, "us": 1e6}[unit]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    median = statistics.median
    return (
        f"| {title} | {threads} | {peer} | {median(ours) * scale:.3g} {unit} | {median(theirs) * scale:.3g} {unit} "
        f"| **{median(ratios):.2f}** | {min(ratios):.2f} to {max(ratios):.2f} | {memory} |"
    )


def machine() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def together(name: str, workload: Workload) -> tuple[str, bool, str]:
    """Return what is alike in workloads that are measured in one process."""
    return workload.group or name, workload.threads, workload.against


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="How often the two libraries take turns.")
    parser.add_argument("--seconds", type=float, default=1.5, help="How long each process measures.")
    parser.add_argument(
        "--only", nargs="*", choices=[*WORKLOADS, "start", *EPOCHS], help="Measure these alone; writes no file."
    )
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lines = []
    wanted = {name: workload for name, workload in WORKLOADS.items() if not options.only or name in options.only}
    for (_, threaded, _), members in groupby(wanted, lambda name: together(name, WORKLOADS[name])):
        names = list(members)
        for threads in sorted({1, cores}) if threaded else [1]:
            lines += table(names, threads, options.rounds, options.seconds)
    if not options.only or "start" in options.only:
        pairs = [(start_up("trainkit"), start_up("torch")) for _ in range(options.rounds)]
        ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
        title = "process start to the end of the first step, MNIST network"
        lines.append(row(title, str(cores), "s", ours, theirs, "torch"))
        print(lines[-1], flush=True)
    folder = os.environ.get("TRAINKIT_DATA", "")
    for name, peer in EPOCHS.items():
        if options.only and name not in options.only:
            continue
        if not folder:
            print(f"{name} is left out: set TRAINKIT_DATA to the folder that holds mnist/")
            continue
        ours, theirs = [], []
        for _ in range(min(options.rounds, 3)):
            ours.append(whole_epoch("trainkit", f"{folder}/mnist"))
            theirs.append(whole_epoch(peer, f"{folder}/mnist"))
        title = "a script: one epoch of MNIST with accuracy and a bar, from process start to the test accuracy"
        lines.append(row(title, str(cores), "s", ours, theirs, f"torch + {peer}"))
        print(lines[-1], flush=True)
    if options.only:
        return
    versions = ", ".join(
        f"{p} {importlib.metadata.version(p)}" for p in ("torch", "pytorch-ignite", "poutyne", "numpy", "numba")
    )
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    (HERE / "RESULTS.md").write_text(
        "# Results\n\nWritten by `make bench`. Ratio: peer / trainkit, median over the rounds, each library in "
        "processes of its own, taking turns; above 1 trainkit is faster.\n\n"
        f"{machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, {versions}{load}; "
        f"{options.rounds} rounds.\n\n"
        "The last column is the most memory of the two processes, trainkit's first.\n\n"
        "| workload | threads | peer | trainkit | peer's | ratio | rounds | memory |\n"
        + "|---" * 8
        + "|\n"
        + "\n".join(lines)
        + "\n"
    )


if __name__ == "__main__":
    main()
