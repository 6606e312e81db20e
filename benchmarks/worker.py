"""One process of a measurement: warm up, repeat, print the median seconds of a call and the most memory, in MB."""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.collect import WORKLOADS
from benchmarks.workloads import Workload


def main(library: str, names: str, threads: str, seconds: str) -> None:
    """Measure workloads, whose names commas part, in one library."""
    if library in ("trainkit", "bare"):
        import trainkit

        trainkit.set_num_threads(int(threads))
    else:
        import torch

        torch.set_num_threads(int(threads))
    for name in names.split(","):
        median = measure(library, WORKLOADS[name], float(seconds))
        print(median, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def measure(library: str, workload: Workload, seconds: float) -> float:
    """Return the median seconds of a call."""
    run = workload.make(library)
    prepare = getattr(run, "prepare", lambda: None)  # what each call needs and is not to be timed
    bare = getattr(run, "bare", None)  # what the row is the cost over, measured by turns
    for _ in range(3):
        prepare()
        run()
    times, less = [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        prepare()
        times.append(timed(run, workload.calls) / workload.inside)
        if bare is not None:
            less.append(timed(bare, workload.calls) / workload.inside)
    return statistics.median(times) - (statistics.median(less) if less else 0.0)


def timed(run: Callable[[], Any], calls: int) -> float:
    """Return the seconds of a call."""
    begin = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - begin) / calls


if __name__ == "__main__":
    main(*sys.argv[1:])
