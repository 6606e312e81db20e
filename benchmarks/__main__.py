"""Measure every workload against its peer and write RESULTS.md: `make bench`, `make bench ARGS="--only example"`.

The two libraries take turns, each time in a process of its own; a row is the median over the rounds of the ratio
peer / trainkit within a round. Above 1, trainkit is faster. What fails is shown and left out, and the file is written
after each section, also when Ctrl-C ends the run.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from statistics import median

from benchmarks import load, start
from benchmarks.collect import SECTIONS, WORKLOADS, Section
from benchmarks.process import MeasurementError, python
from benchmarks.report import COLUMNS, Pair, Report, cores, header, mean_line, number, row
from benchmarks.workloads import Workload

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS: dict[str, tuple[str, list[str]]] = {
    "nets": (SECTIONS["nets"].title, list(SECTIONS["nets"].workloads)),
    "load": ("Nets beside busy processes", list(load.NETS)),
    **{key: (section.title, list(section.workloads)) for key, section in SECTIONS.items() if key != "nets"},
    "starts": ("Start-up and whole runs", ["start", "cold", *start.EPOCHS]),
}
"""Headline and names of each section, in the order of the document."""


def worker(library: str, names: list[str], threads: int, seconds: float) -> list[tuple[float, float]]:
    """Return the median seconds of a call and the memory of the process in MB for each workload, in a new process."""
    arguments = "-m", "benchmarks.worker", library, ",".join(names), str(threads), str(seconds)
    for _ in range(2):
        found = [line.split() for line in python(*arguments)[1].splitlines()]
        if all(compiled == "0" for _, _, compiled in found):
            break  # otherwise the memory would be the compiler's
    return [(float(seconds), float(memory)) for seconds, memory, _ in found]


def together(name: str) -> tuple[str, bool, str]:
    """Return what is alike in workloads that are measured in one process."""
    workload = WORKLOADS[name]
    return workload.group or name, workload.threads, workload.against


def measure_section(section: Section, names: Iterable[str], report: Report, seconds: float) -> None:
    """Measure workloads and say their rows."""
    title, pairs, wanted, peak = section.title, [], 0, 0.0
    report.say(title, *([section.text, ""] if section.text else []), *header((*COLUMNS, *section.columns)))
    for (_, threaded, against), members in groupby(names, together):
        group = list(members)
        for threads in sorted({1, cores()}) if threaded else [1]:
            wanted += len(group)
            ours, theirs = [], []
            try:
                for _ in range(report.rounds):
                    if "of the peak" in section.columns:
                        peak = max(peak, float(python("-m", "benchmarks.peak")[1]))
                    ours.append(worker("trainkit", group, threads, seconds))
                    theirs.append(worker(against, group, threads, seconds))
            except MeasurementError as failure:
                report.failed(title, f"{', '.join(group)}, threads: {threads}", failure)
                continue
            for i, name in enumerate(group):
                us, them = [found[i] for found in ours], [found[i] for found in theirs]
                memory = max(m for _, m in us), max(m for _, m in them)
                pairs.append(Pair(WORKLOADS[name], threads, [s for s, _ in us], [s for s, _ in them], memory))
                report.say(title, row(pairs[-1], section.columns, peak))
    if peak:
        report.say(title, "", f"The peak of a thread: {peak:.0f} GFLOP/s.")
    if section.mean and pairs:
        report.say(title, "", mean_line(pairs, wanted))


def measure_load(names: Iterable[str], report: Report, seconds: float) -> None:
    """Measure nets alone and beside busy processes."""
    title, levels, growths = PARTS["load"][0], sorted({0, 1, cores()}), []
    report.say(
        title,
        f"The median step on {cores()} threads alone, beside one process that computes all the time, and beside as "
        "many as there are cores; trainkit's before torch's. Growth: of the step alone; bold where trainkit's is less."
        + load.others(),
        "",
        *load.columns(levels),
    )
    for name in names:
        try:
            growths.append(load.measure(name, cores(), levels, report.rounds, seconds))
        except MeasurementError as failure:
            report.failed(title, name, failure)
        else:
            report.say(title, growths[-1].row(levels))
    if growths:
        report.say(title, "", load.summary(growths, levels))


def measure_starts(names: list[str], report: Report) -> None:
    """Measure whole processes."""
    title, threads = PARTS["starts"][0], cores()
    report.say(title, *header(COLUMNS))

    def compare(workload: Workload, once: Callable[[str], float], rounds: int) -> None:
        try:
            pairs = [(once("trainkit"), once(workload.against)) for _ in range(rounds)]
        except MeasurementError as failure:
            report.failed(title, f"{workload.title}, {workload.peer}", failure)
            return
        ours, theirs = ([pair[i] for pair in pairs] for i in (0, 1))
        report.say(title, row(Pair(workload, threads, ours, theirs)))

    if "start" in names:
        try:
            start.first_step("trainkit")  # kernels are on disk from here on, and torch's library is in memory
            start.first_step("torch")
        except MeasurementError as failure:
            report.failed(title, "the first step", failure)
        else:
            compare(start.FIRST, start.first_step, report.rounds)
    folder = os.environ.get("TRAINKIT_DATA", "")
    epochs = [name for name in names if name in start.EPOCHS]
    if epochs and not folder:
        report.failed(title, ", ".join(epochs), MeasurementError("set TRAINKIT_DATA to the folder that holds mnist/"))
        epochs = []
    for name in epochs:
        compare(
            start.EPOCHS[name], lambda library: start.whole_epoch(library, f"{folder}/mnist"), min(report.rounds, 3)
        )
    if "cold" in names:
        try:
            runs = [start.cold_run() for _ in range(min(report.rounds, 3))]
        except MeasurementError as failure:
            report.failed(title, "cold", failure)
            return
        cold, warm = median(run[0] for run in runs), median(run[1] for run in runs)
        report.say(
            title,
            "",
            "The first run on a machine compiles what it needs:",
            "",
            *header(["process", "threads", "empty cache", "the next run", "compiling, median", "by its own account"]),
            f"| the MNIST example, a dry run | {threads} | {number(cold)} s | {number(warm)} s "
            f"| **{number(median(c - w for c, w, _ in runs))} s** | {runs[-1][2]} |",
        )


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="How often the two libraries take turns.")
    parser.add_argument("--seconds", type=float, default=1.5, help="How long each process measures.")
    every = [name for _, names in PARTS.values() for name in names]
    parser.add_argument(
        "--only",
        nargs="*",
        choices=[*PARTS, *every],
        metavar="NAME",
        help=f"Measure these alone; writes no file. Sections: {', '.join(PARTS)}; rows: {', '.join(every)}.",
    )
    options = parser.parse_args()
    wanted = {
        key: [name for name in names if not options.only or {key, name} & set(options.only)]
        for key, (_, names) in PARTS.items()
    }
    report = Report(None if options.only else RESULTS, options.rounds)
    report.missing = [PARTS[key][0] for key, names in wanted.items() if names]
    try:
        for key, names in wanted.items():
            if not names:
                continue
            print(f"\n## {PARTS[key][0]}\n")
            if key == "load":
                measure_load(names, report, options.seconds)
            elif key == "starts":
                measure_starts(names, report)
            else:
                measure_section(SECTIONS[key], names, report, options.seconds)
            report.missing.remove(PARTS[key][0])
            report.write()
    except KeyboardInterrupt:
        print("\nStopped by Ctrl-C.", file=sys.stderr)
        sys.exit(130)
    finally:
        report.write()
    if report.failures:
        sys.exit("\n".join(["", "These failed:", *report.failures]))


if __name__ == "__main__":
    main()
