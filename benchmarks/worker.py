"""One process of a measurement: warm up, repeat, print the median seconds of a call."""

import statistics
import sys
import time

from benchmarks.workloads import WORKLOADS


def main(library: str, name: str, threads: str, seconds: str) -> None:
    """Measure one workload in one library."""
    if library == "trainkit":
        import trainkit

        trainkit.set_num_threads(int(threads))
    else:
        import torch

        torch.set_num_threads(int(threads))
    workload = WORKLOADS[name]
    run = workload.make(library)
    for _ in range(3):
        run()
    times = []
    end = time.perf_counter() + float(seconds)
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        for _ in range(workload.calls):
            run()
        times.append((time.perf_counter() - begin) / workload.calls)
    print(statistics.median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
