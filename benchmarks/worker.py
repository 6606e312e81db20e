"""One process of a measurement: warm up, repeat, print the median seconds of a call."""

import statistics
import sys
import time

from benchmarks.workloads import WORKLOADS


def main(library: str, name: str, threads: str, seconds: str) -> None:
    """Measure one workload in one library."""
    if library in ("trainkit", "bare"):
        import trainkit

        trainkit.set_num_threads(int(threads))
    else:
        import torch

        torch.set_num_threads(int(threads))
    workload = WORKLOADS[name]
    run = workload.make(library)
    prepare = getattr(run, "prepare", lambda: None)  # what each call needs and is not to be timed
    for _ in range(3):
        prepare()
        run()
    times = []
    end = time.perf_counter() + float(seconds)
    while time.perf_counter() < end or len(times) < 5:
        prepare()
        begin = time.perf_counter()
        for _ in range(workload.calls):
            run()
        times.append((time.perf_counter() - begin) / workload.calls / workload.inside)
    print(statistics.median(times))


if __name__ == "__main__":
    main(*sys.argv[1:])
