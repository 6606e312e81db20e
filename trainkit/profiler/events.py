"""What was recorded, and the table of it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from trainkit.errors import ArgumentError

__all__ = ["Average", "Event", "averages", "outermost", "table"]

Shapes = tuple[tuple[int, ...] | None, ...]


class Event(NamedTuple):
    """One call; times in microseconds.

    Attributes:
        name: of the op (`conv2d`), of its rule (`Conv2dBackward`), of the kernel (`conv_tiles._convolve_all`), of the
            optimizer's step (`Adam.step`), or the label.
        kind: "op", "backward", "kernel", "optimizer" or "label".
        thread: the system's number of the thread.
        start: when it began, after the profile did.
        total: how long it took.
        self_time: the part of it in no event within.
        bytes: of the arrays that it returned; views are none of its own.
        flops: its arithmetic operations, where they are known: of itself, or of what was called within.
        input_shapes: of each argument, None for one that is no array; () if shapes are not recorded.
    """

    name: str
    kind: str
    thread: int
    start: float
    total: float
    self_time: float
    bytes: int
    flops: int | None
    input_shapes: Shapes


class Average(NamedTuple):
    """All calls of one name together; times in microseconds.

    Attributes:
        name: as in `Event`.
        kind: as in `Event`.
        calls: how many there were.
        total: the time of all; a call within another of the same name counts with that one.
        self_time: the part in no event within.
        share: of the self times of all names, from 0 to 1.
        bytes: of the arrays that were returned.
        flops: arithmetic operations, where they are known.
        input_shapes: those that the calls have in common, if calls were told apart by them.
    """

    name: str
    kind: str
    calls: int
    total: float
    self_time: float
    share: float
    bytes: int
    flops: int | None
    input_shapes: Shapes = ()

    @property
    def mean(self) -> float:
        """The time of a call."""
        return self.total / self.calls

    @property
    def flops_per_second(self) -> float | None:
        """Arithmetic operations a second, where they are known."""
        return self.flops / self.total * 1e6 if self.flops and self.total else None


def outermost(events: Iterable[Event]) -> list[tuple[Event, bool]]:
    """Return the events in order of their start, each with whether it is within none of its own name."""
    found = []
    around: dict[int, list[Event]] = {}
    for event in sorted(events, key=lambda event: (event.start, -event.total)):
        stack = around.setdefault(event.thread, [])
        while stack and stack[-1].start + stack[-1].total <= event.start:
            stack.pop()
        found.append((event, all(outer.name != event.name for outer in stack)))
        stack.append(event)
    return found


def averages(events: Iterable[Event], by_shape: bool) -> list[Average]:
    """Add up the calls of each name, or of each name and shapes; the most self time first."""
    groups: dict[tuple[str, str, Shapes], list[Any]] = {}
    whole = 0.0
    for event, counts in outermost(events):
        key = event.name, event.kind, event.input_shapes if by_shape else ()
        sums = groups.setdefault(key, [0, 0.0, 0.0, 0, None])
        sums[0] += 1
        sums[2] += event.self_time
        sums[3] += event.bytes
        whole += event.self_time
        if counts:
            sums[1] += event.total
            if event.flops is not None:
                sums[4] = (sums[4] or 0) + event.flops
    rows = [
        Average(name, kind, calls, total, own, own / whole if whole else 0.0, size, flops, shapes)
        for (name, kind, shapes), (calls, total, own, size, flops) in groups.items()
    ]
    return sorted(rows, key=lambda row: -row.self_time)


_KEYS: dict[str, Callable[[Average], Any]] = {
    "self": lambda row: -row.self_time,
    "total": lambda row: -row.total,
    "mean": lambda row: -row.mean,
    "calls": lambda row: -row.calls,
    "bytes": lambda row: -row.bytes,
    "flops": lambda row: -(row.flops or 0),
    "name": lambda row: row.name,
}
_PYTORCHS = {"self_cpu_time_total": "self", "cpu_time_total": "total", "cpu_time": "mean", "count": "calls"}


def table(rows: Sequence[Average], sort_by: str, limit: int | None) -> str:
    """Lay rows out as text; see `profile.table`."""
    key = _KEYS.get(_PYTORCHS.get(sort_by, sort_by))
    if key is None:
        raise ArgumentError(f"a table is sorted by {', '.join(_KEYS)}; got {sort_by!r}")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise ArgumentError(f"limit is a number of rows of at least 0, or None for all, got {limit!r}")
    shown = sorted(rows, key=key)[:limit]
    head = ["name", "kind", "calls", "total", "self", "mean", "share", "bytes", "FLOP/s"]
    by_shape = any(row.input_shapes for row in rows)
    lines = [[*head, "shapes"] if by_shape else head]
    for row in shown:
        rate = row.flops_per_second
        cells = [
            row.name,
            row.kind,
            str(row.calls),
            *(_time(value) for value in (row.total, row.self_time, row.mean)),
            f"{100 * row.share:.1f} %",
            _scaled(row.bytes, "B") if row.bytes else "",
            "" if rate is None else _scaled(rate, ""),
        ]
        lines.append([*cells, _shapes(row.input_shapes)] if by_shape else cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = {0, 1, 9}
    texts = [
        "  ".join(cell.ljust(width) if i in left else cell.rjust(width) for i, (cell, width) in enumerate(cells))
        for cells in (list(zip(line, widths, strict=True)) for line in lines)
    ]
    texts.insert(1, "-" * len(texts[0]))
    if len(shown) < len(rows):
        texts.append(f"and {len(rows) - len(shown)} more; limit=None shows all")
    return "\n".join(text.rstrip() for text in texts)


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.2f} {unit}"
    return f"{microseconds:.2f} us"


def _scaled(value: float, unit: str) -> str:
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.2f} {prefix}{unit}"
    return f"{value:.0f} {unit}".rstrip()


def _shapes(shapes: Shapes) -> str:
    return " ".join("-" if shape is None else "x".join(map(str, shape)) or "()" for shape in shapes)
