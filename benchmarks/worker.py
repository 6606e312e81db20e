"""One process of a measurement: warm up, repeat, print what was found of each workload.

A line has the median seconds of a call, the most memory of the process in MB, and the number of kernels it compiled.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.collect import WORKLOADS
from benchmarks.workloads import Workload, use_threads


def main(library: str, names: str, threads: str, seconds: str) -> None:
    """Measure workloads, whose names commas part, in one library."""
    use_threads(library, int(threads))
    for name in names.split(","):
        median = measure(library, WORKLOADS[name], float(seconds))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(median, memory, compiled(), flush=True)


def compiled() -> int:
    """Return how many kernels this process had to compile: one that did has the compiler in its memory."""
    jit = sys.modules.get("trainkit.kernels.jit")
    return jit.compile_counts()[0] if jit else 0


def measure(library: str, workload: Workload, seconds: float) -> float:
    """Return the median seconds of a call."""
    run = workload.make(library)
    prepare = getattr(run, "prepare", lambda: None)  # what each call needs and is not to be timed
    bare = getattr(run, "bare", None)  # what the row is the cost over, measured by turns
    once = float("inf")
    for _ in range(3):
        prepare()
        once = min(once, timed(run, 1))
    calls = max(1, min(workload.calls, int(0.1 / once)))  # on a busy machine torch may take a thousand times as long
    times, less = [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        prepare()
        times.append(timed(run, calls) / workload.inside)
        if bare is not None:
            less.append(timed(bare, calls) / workload.inside)
    return statistics.median(times) - (statistics.median(less) if less else 0.0)


def timed(run: Callable[[], Any], calls: int) -> float:
    """Return the seconds of a call."""
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - begin) / calls


if __name__ == "__main__":
    main(*sys.argv[1:])
