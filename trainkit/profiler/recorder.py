"""The clock: what is called through it becomes an event of the thread that calls."""

import functools
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np

from trainkit.autograd import TensorBase
from trainkit.profiler.events import Event, Shapes

__all__ = ["Frame", "Recorder"]

Formula = Callable[[tuple[Any, ...], Any], int]
Name = str | Callable[[Any], str]


class Frame:
    """A call under way: what has been spent in the calls within it."""

    __slots__ = ("began", "entered", "flops", "inner")

    def __init__(self, entered: int) -> None:
        self.entered = self.began = entered
        self.inner = 0  # nanoseconds, with what the clock itself took
        self.flops: int | None = None


class _Track:
    """The events of one thread, and its calls under way, the innermost last."""

    __slots__ = ("events", "frames", "name", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_native_id()
        self.name = threading.current_thread().name
        self.events: list[Event] = []
        self.frames: list[Frame] = []


class Recorder:
    """Collects events of all threads; each thread writes to a list of its own, so none waits for another.

    Attributes:
        shapes: whether events note the shapes of their arguments.
    """

    def __init__(self, shapes: bool) -> None:
        self.shapes = shapes
        self._local = threading.local()
        self._tracks: list[_Track] = []
        self._begin = perf_counter_ns()

    @property
    def events(self) -> list[Event]:
        """What has ended so far, in order of the start."""
        return sorted((event for track in list(self._tracks) for event in list(track.events)), key=lambda e: e.start)

    @property
    def threads(self) -> dict[int, str]:
        """The name of each thread that has an event."""
        return {track.thread: track.name for track in list(self._tracks) if track.events}

    def now(self) -> float:
        """Microseconds since the recorder was made."""
        return (perf_counter_ns() - self._begin) / 1e3

    def enter(self) -> Frame:
        """Begin an event; whoever does so calls `leave` in the same thread."""
        frame = Frame(perf_counter_ns())
        self._track().frames.append(frame)
        frame.began = perf_counter_ns()
        return frame

    def leave(
        self,
        frame: Frame,
        name: str,
        kind: str,
        size: int = 0,
        flops: int | None = None,
        shapes: Shapes = (),
        ended: int | None = None,
    ) -> None:
        """End an event, now or when the clock showed `ended`."""
        if ended is None:
            ended = perf_counter_ns()
        track = self._track()
        frames = track.frames
        if frames and frames[-1] is frame:
            frames.pop()
        elif frame in frames:  # labels of generators need not end in the order in which they began
            frames.remove(frame)
        flops = frame.flops if flops is None else flops
        took = ended - frame.began
        start = (frame.began - self._begin) / 1e3
        own = max(took - frame.inner, 0) / 1e3
        track.events.append(Event(name, kind, track.thread, start, took / 1e3, own, size, flops, shapes))
        if frames:
            outer = frames[-1]
            if flops is not None:
                outer.flops = (outer.flops or 0) + flops
            outer.inner += perf_counter_ns() - frame.entered

    def timed(
        self, name: Name, kind: str, call: Callable[..., Any], formula: Formula | None = None, skip: int = 0
    ) -> Callable[..., Any]:
        """Return `call` with an event around it.

        Args:
            name: of the events, or what tells it from the first argument.
            kind: of the events.
            call: what is timed.
            formula: tells the arithmetic operations from the arguments and the result.
            skip: of how many arguments neither shapes are noted nor the formula is told.
        """

        @functools.wraps(call, updated=())
        def run(*args: Any, **kwargs: Any) -> Any:
            frame = self.enter()
            size, flops, ended = 0, None, None
            given = args[skip:]
            try:
                out = call(*args, **kwargs)
                ended = perf_counter_ns()
                size = _size(out, given)
                if formula is not None:
                    flops = formula(given, out)
                return out
            finally:
                shapes = tuple([_shape(arg) for arg in given]) if self.shapes else ()
                title = name if isinstance(name, str) else name(args[0])
                self.leave(frame, title, kind, size, flops, shapes, ended)

        return run

    def _track(self) -> _Track:
        try:
            return self._local.track  # type: ignore[no-any-return]
        except AttributeError:
            track = self._local.track = _Track()
            self._tracks.append(track)
            return track


def _shape(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, TensorBase):
        return value.array.shape
    return value.shape if type(value) is np.ndarray else None


def _array(value: Any) -> Any:
    return value.array if isinstance(value, TensorBase) else value


def _size(out: Any, given: tuple[Any, ...]) -> int:
    """Return the bytes of the results that are neither an argument nor a view of one."""
    total = 0
    for part in out if type(out) is tuple else (out,):
        array = _array(part)
        if type(array) is not np.ndarray:
            continue
        owner = array.base
        for arg in given:
            source = _array(arg)
            if array is source:
                break
            if owner is not None and type(source) is np.ndarray and (owner is source or owner is source.base):
                break
        else:
            total += array.nbytes
    return total
