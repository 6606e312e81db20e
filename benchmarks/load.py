"""Training steps beside other busy processes: by how much do they grow, ours and torch's?

Of each library one process makes the net and then measures when it is asked to, by turns with the other's. torch may be
hundreds of times slower here, because its threads wait for each other by spinning; so a measurement ends by the clock.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.collect import SECTIONS, WORKLOADS
from benchmarks.process import Server, busy
from benchmarks.report import SCALES, header, number
from benchmarks.workloads import Workload, use_threads

__all__ = ["NETS", "Growth", "columns", "measure", "others", "summary"]

NETS = {f"load_{name}": workload for name, workload in SECTIONS["nets"].workloads.items()}
LEAST, MOST = 5, 2000  # calls of a measurement
LONG = 5.0  # seconds after which it ends with fewer calls than LEAST
LIMIT = 120.0  # seconds after which a process is killed: a single call may last for long
PAUSE = 0.3  # seconds, so that threads of the other library sleep, which spin for a while when they are done
LIBRARIES = ("trainkit", "torch")


@dataclass
class Growth:
    """The median seconds of a step of each library beside so many busy processes."""

    workload: Workload
    medians: dict[tuple[str, int], float]

    def factor(self, library: str, processes: int) -> float:
        """Return how many times as long a step takes as alone."""
        return self.medians[library, processes] / self.medians[library, 0]

    def row(self, levels: list[int]) -> str:
        """Return the line of the table, ours before torch's."""
        unit = self.workload.unit
        cells = [self.workload.title]
        for level in levels:
            both = [number(self.medians[library, level] * SCALES[unit]) for library in LIBRARIES]
            cells.append(f"{' / '.join(both)} {unit}")
        for level in levels[1:]:
            ours, theirs = (self.factor(library, level) for library in LIBRARIES)
            mark = "**" if ours < theirs else ""
            cells.append(f"{mark}{number(ours)} / {number(theirs)}{mark}")
        return f"| {' | '.join(cells)} |"


def columns(levels: list[int]) -> list[str]:
    """Return the first lines of the table."""
    beside = [f"{level} busy" for level in levels[1:]]
    return header(["net", "alone", *beside, *(f"growth, {name}" for name in beside)])


def measure(name: str, threads: int, levels: list[int], rounds: int, seconds: float) -> Growth:
    """Measure a net alone and beside each number of busy processes, once a round."""
    found: dict[tuple[str, int], list[float]] = {(library, level): [] for library in LIBRARIES for level in levels}
    workload = NETS[name]

    def server(library: str) -> Server:
        plain = name.removeprefix("load_")
        return Server("-m", "benchmarks.load", library, plain, str(threads), limit=LIMIT)

    with server("trainkit") as ours, server("torch") as theirs:
        both = dict(zip(LIBRARIES, (ours, theirs), strict=True))
        for one in both.values():
            one.ask("0")  # it is made and warm
        for _ in range(rounds):
            for level in levels:
                with busy(level):
                    for library, one in both.items():
                        time.sleep(PAUSE)
                        found[library, level].append(float(one.ask(str(seconds))))
    return Growth(workload, {key: median(times) for key, times in found.items()})


def others() -> str:
    """Say how much of the machine others take; where it is much, torch is slow alone too, and seems to grow by less."""
    try:
        before = _processor_times()
        time.sleep(1)
        idle, every = (after - earlier for after, earlier in zip(_processor_times(), before, strict=True))
    except OSError:  # not Linux
        return ""
    return f" Before this table other processes took {1 - idle / max(every, 1):.0%} of the machine."


def _processor_times() -> tuple[int, int]:
    times = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return times[3] + times[4], sum(times)


def summary(growths: list[Growth], levels: list[int]) -> str:
    """Return on how many rows ours grows by less."""
    parts = []
    for level in levels[1:]:
        more = [g.workload.title for g in growths if g.factor("trainkit", level) >= g.factor("torch", level)]
        less = f"trainkit's step grows by less than torch's on {len(growths) - len(more)} of {len(growths)} rows"
        but = f" (not on: {'; '.join(more)})" if more else ""
        parts.append(f"Beside {level} busy process{'es' * (level > 1)} {less}{but}.")
    return " ".join(parts)


def steps(run: Callable[[], Any], seconds: float, limit: float = LONG) -> float:
    """Return the median seconds of single calls, without the first unless that took all the time."""
    begin = time.perf_counter()
    run()
    if (first := time.perf_counter() - begin) >= limit:
        return first
    times: list[float] = []
    while True:
        now = time.perf_counter()
        enough = len(times) >= LEAST and now - begin >= seconds
        if times and (enough or len(times) >= MOST or now - begin >= limit):
            return median(times)
        run()
        times.append(time.perf_counter() - now)


def serve(library: str, name: str, threads: str) -> None:
    """Measure for so many seconds whenever a line says so."""
    use_threads(library, int(threads))
    run = WORKLOADS[name].make(library)
    run()
    for line in sys.stdin:
        print(steps(run, float(line)), flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
