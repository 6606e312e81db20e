"""`profile` and `record_function`: what users say to the profiler."""

import json
import os
import threading
from contextlib import ContextDecorator
from typing import Any, Self

from trainkit.errors import OutputError, ProfilerError
from trainkit.profiler.events import Average, Event, averages, table
from trainkit.profiler.patches import Patches, install
from trainkit.profiler.recorder import Frame, Recorder
from trainkit.serialize import write_atomically

__all__ = ["profile", "record_function"]

_lock = threading.Lock()
_running: "profile | None" = None


class profile:  # noqa: N801 -- PyTorch's name
    """Record every op, forward and backward, kernel launches, optimizer steps and labels, in all threads.

    While it runs, timed functions stand in the places of those that do the work; it ends by putting back what was
    there, whatever happened within. The timing takes some microseconds an event, which belong to no self time. Kernels
    are recorded where they are handed to threads; what the calling thread does alone is in the op's own time.

    Args:
        record_shapes: note the shapes of the arguments.

    Raises:
        ProfilerError: another profile runs.

    Source: the interface of torch.profiler.profile.

    >>> import trainkit as tk
    >>> x = tk.ones(300, 300, requires_grad=True)
    >>> with tk.profiler.profile() as prof:
    ...     (x @ x).relu().sum().backward()
    >>> sorted(event.name for event in prof.events if event.kind == "op")[:3]
    ['broadcast_to', 'mm', 'mm']
    >>> prof.table(sort_by="calls", limit=5).splitlines()[0].split()[:5]
    ['name', 'kind', 'calls', 'total', 'self']
    """

    def __init__(self, *, record_shapes: bool = True) -> None:
        self.record_shapes = record_shapes
        self._recorder: Recorder | None = None
        self._patches = Patches()
        self._duration = 0.0

    def start(self) -> None:
        """Begin to record, anew if it has recorded before; `with` does so.

        Raises:
            ProfilerError: a profile runs, this one or another.
        """
        global _running
        with _lock:
            if _running is not None:
                raise ProfilerError(
                    "a profile runs already, in this thread or another; profiles cannot be nested: end the outer one "
                    "first, or label a part of it with record_function()"
                )
            try:
                self._recorder, self._patches = Recorder(self.record_shapes), Patches()
                install(self._recorder, self._patches)
            except BaseException:
                self._patches.restore()
                raise
            _running = self

    def stop(self) -> None:
        """End the recording and put everything back; the end of `with` does so.

        Raises:
            ProfilerError: this profile does not run.
        """
        global _running
        with _lock:
            if _running is not self or self._recorder is None:
                raise ProfilerError("this profile does not run; start it with `with` or start()")
            _running = None
            self._patches.restore()
            self._duration = self._recorder.now()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stop()

    @property
    def events(self) -> list[Event]:
        """What has been recorded, in order of the start; of a profile that runs, what has ended."""
        return [] if self._recorder is None else self._recorder.events

    @property
    def duration(self) -> float:
        """Microseconds from the begin to the end, or to now while it runs."""
        return self._recorder.now() if self._recorder is not None and _running is self else self._duration

    def key_averages(self, group_by_input_shape: bool = False) -> list[Average]:
        """Return the calls of each name together, the most self time first.

        Args:
            group_by_input_shape: tell calls of one name apart by the shapes of their arguments.
        """
        return averages(self.events, group_by_input_shape)

    def table(self, sort_by: str = "self", limit: int | None = 20, group_by_input_shape: bool = False) -> str:
        """Return a table: for each name its calls, times, share of all self times, bytes of results, and FLOP/s.

        Args:
            sort_by: "self", "total", "mean", "calls", "bytes", "flops" or "name"; PyTorch's "self_cpu_time_total",
                "cpu_time_total", "cpu_time" and "count" are taken too.
            limit: of the rows; None shows all.
            group_by_input_shape: tell calls of one name apart by the shapes of their arguments.

        Raises:
            ArgumentError: the table cannot be sorted so, or the limit is no number of rows.
        """
        rows = self.key_averages(group_by_input_shape)
        text = table(rows, sort_by, limit)
        calls, own = sum(row.calls for row in rows), sum(row.self_time for row in rows)
        threads = len({event.thread for event in self.events})
        where = f"{threads} thread" + ("s" if threads != 1 else "")
        return f"{text}\n{calls} calls in {where}; {own / 1e3:.2f} ms in these, {self.duration / 1e3:.2f} ms in all"

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events as JSON that chrome://tracing and https://ui.perfetto.dev show; whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        process = os.getpid()
        threads = {} if self._recorder is None else self._recorder.threads
        entries: list[dict[str, Any]] = [
            {"ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": {"name": "trainkit"}}
        ]
        for number, name in threads.items():
            entries.append({"ph": "M", "name": "thread_name", "pid": process, "tid": number, "args": {"name": name}})
        entries += [_entry(event, process) for event in self.events]
        content = {"displayTimeUnit": "ms", "traceEvents": entries}
        try:
            write_atomically(path, json.dumps(content).encode())
        except OSError as error:
            raise OutputError(f"cannot write the trace to {path}: {error.strerror}; choose another place") from error

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        state = "running" if _running is self else "ended" if self._recorder is not None else "not started"
        return f"<profile: {state}, {len(self.events)} events>"


def _entry(event: Event, process: int) -> dict[str, Any]:
    args: dict[str, Any] = {"self_us": round(event.self_time, 3)}
    if event.input_shapes:
        args["Input Dims"] = event.input_shapes  # the name that readers of PyTorch's traces know
    if event.bytes:
        args["bytes"] = event.bytes
    if event.flops is not None:
        args["flops"] = event.flops
    return {
        "ph": "X",
        "cat": event.kind,
        "name": event.name,
        "pid": process,
        "tid": event.thread,
        "ts": round(event.start, 3),
        "dur": round(event.total, 3),
        "args": args,
    }


class record_function(ContextDecorator):  # noqa: N801 -- PyTorch's name
    """Give a part of the program a name in the profile that runs; without one it does nothing. Also a decorator.

    Args:
        name: of the events.

    >>> import trainkit as tk
    >>> with tk.profiler.profile() as prof:
    ...     with tk.profiler.record_function("twice"):
    ...         x = tk.ones(2) * 2
    >>> [event.name for event in prof.events if event.kind != "kernel"]
    ['twice', 'mul']
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._recorder: Recorder | None = None
        self._frame: Frame | None = None

    def _recreate_cm(self) -> "record_function":
        return record_function(self.name)  # a decorated function may call itself

    def __enter__(self) -> Self:
        running = _running
        if running is not None:
            self._recorder = running._recorder
        if self._recorder is not None:
            self._frame = self._recorder.enter()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._recorder is not None and self._frame is not None:
            self._recorder.leave(self._frame, self.name, "label")
        self._recorder = self._frame = None
