"""RESULTS.md: what has been measured so far, in sections, written again after each."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import geometric_mean, median

from benchmarks.workloads import Workload

__all__ = ["Pair", "Report", "header", "mean_line", "number", "row"]

SCALES = {"s": 1, "ms": 1e3, "us": 1e6}


@dataclass
class Pair:
    """What the rounds found of one row: seconds of a call and the most memory in MB, of ours and of the peer's."""

    workload: Workload
    threads: int
    ours: list[float]
    theirs: list[float]
    memory: tuple[float, float] = (0.0, 0.0)

    @property
    def ratios(self) -> list[float]:
        return [them / us for us, them in zip(self.ours, self.theirs, strict=True)]


def number(value: float) -> str:
    """Return a number with at least three digits, and without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def header(columns: Iterable[str]) -> list[str]:
    """Return the first lines of a table."""
    names = list(columns)
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


COLUMNS = ("workload", "threads", "peer", "trainkit", "peer's", "ratio", "rounds")


def row(pair: Pair, columns: tuple[str, ...] = (), peak: float = 0.0) -> str:
    """Return the line of a workload."""
    workload, unit, ratios = pair.workload, pair.workload.unit, pair.ratios
    both = median(pair.ours), median(pair.theirs)
    cells = [workload.title, str(pair.threads), workload.peer]
    cells += [f"{number(seconds * SCALES[unit])} {unit}" for seconds in both]
    cells += [f"**{median(ratios):.2f}**", f"{min(ratios):.2f} to {max(ratios):.2f}"]
    rates = [workload.flops / seconds / 1e9 for seconds in both]
    more = {
        "memory": "" if workload.group else "{:.0f} / {:.0f} MB".format(*pair.memory),
        "GFLOP/s": "{:.0f} / {:.0f}".format(*rates),
        "of the peak": "{:.0%} / {:.0%}".format(*(rate / peak for rate in rates)) if peak else "",
    }
    return f"| {' | '.join(cells + [more[name] for name in columns])} |"


def mean_line(pairs: list[Pair], rows: int) -> str:
    """Return what all ratios of a table come to."""
    ratios = {
        threads: [median(p.ratios) for p in pairs if p.threads == threads] for threads in (p.threads for p in pairs)
    }
    every = [ratio for found in ratios.values() for ratio in found]
    parts = ", ".join(
        f"{geometric_mean(found):.2f} on {threads} thread{'s' * (threads > 1)}" for threads, found in ratios.items()
    )
    counted = f"all {rows} rows" if len(every) == rows else f"the {len(every)} rows of {rows} that were measured"
    return f"Geometric mean of {counted}: **{geometric_mean(every):.2f}** ({parts}); the lowest is {min(every):.2f}."


@dataclass
class Report:
    """The document.

    Attributes:
        path: where it is written, or None.
        rounds: how often the two libraries took turns.
        sections: the lines below each headline.
        missing: the headlines of what is not measured yet.
        failures: what could not be measured, and why.
    """

    path: Path | None
    rounds: int
    sections: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    begin: str = field(default_factory=lambda: _load())

    def say(self, title: str, *lines: str) -> None:
        """Add lines to a section, and show them."""
        self.sections.setdefault(title, []).extend(lines)
        print("\n".join(lines), flush=True)

    def failed(self, title: str, what: str, why: Exception) -> None:
        """Note what could not be measured."""
        self.failures.append(f"{title}: {what}: {why}")
        print(f"failed: {self.failures[-1]}", flush=True)

    def write(self) -> None:
        """Write what there is."""
        if self.path is None or not self.sections:
            return
        parts = [
            f"# Results\n\nWritten by `make bench`. {_HOW}",
            f"{machine()}; {self.rounds} rounds; {self._loads()}.",
        ]
        if self.missing:
            parts.append(f"**Not measured in this run:** {', '.join(self.missing)}.")
        if self.failures:
            parts.append("**Failed:**\n\n" + "\n".join(f"- {failure}" for failure in self.failures))
        parts += [f"## {title}\n\n" + "\n".join(lines).strip() for title, lines in self.sections.items()]
        self.path.write_text("\n\n".join(parts) + "\n")

    def _loads(self) -> str:
        return f"load average {self.begin} at the beginning, {_load()} at the end" if self.begin else "load unknown"


_HOW = (
    "Ratio: peer / trainkit, median over the rounds, each library in processes of its own, taking turns; above 1 "
    "trainkit is faster."
)


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def machine() -> str:
    """Return the processor's name, its cores and the versions of what is measured."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = []
    for package in ("torch", "pytorch-ignite", "poutyne", "numpy", "numba"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{name}, {cores()} cores, {system}, {', '.join(versions)}"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
