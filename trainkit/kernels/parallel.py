"""Loops over tasks that threads share, and how many threads there are."""

import os
from collections.abc import Callable
from typing import Any

from numba.core import config

from trainkit.errors import ArgumentError
from trainkit.kernels.cache import KernelCache
from trainkit.kernels.cpus import cpu_quota
from trainkit.kernels.jit import compiled, enter, has_code
from trainkit.kernels.numba_threads import NumbaThreads
from trainkit.kernels.tasks import OWN, in_tasks, place
from trainkit.kernels.workers import Workers

__all__ = ["get_num_threads", "parallel_kernel", "set_num_threads", "team"]


def parallel_kernel(body: Any, counted: bool = False) -> Any:
    """Makes of a kernel `body(task, *arguments)` that returns nothing what is called with the number of tasks.

    Tasks are handed out one by one, to as many threads as `get_num_threads()` says. With `counted` the body is
    told their number too: `body(task, tasks, *arguments)`. Its own compiled code is called, not compiled again.
    """
    has_code(body)
    launcher = _Launcher(body, counted)
    return enter(launcher.compiled, launcher)


class _LoopCache(KernelCache):
    """The cache of a loop over tasks: what it calls must have its place before the loop is read or compiled."""

    def __init__(self, function: Callable[..., Any], body: Any, counted: bool) -> None:
        super().__init__(function)
        self._body, self._counted = body, counted

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code for a signature, or None: it must be compiled."""
        _, tasks, *arguments = sig
        place(self._body, (tasks, *[tasks] * self._counted, *arguments))
        return super().load_overload(sig, target_context)


class _Launcher:
    """Calls a loop over tasks with the room's thread count.

    Attributes:
        call: the compiled loop; a profile puts a timed one in its place.
        compiled: the same, always.
    """

    __slots__ = ("call", "compiled")

    def __init__(self, body: Any, counted: bool) -> None:
        plain = body.__code__
        names = plain.co_varnames[1 + counted : plain.co_argcount]
        known = {"body": body, "in_tasks": in_tasks, "__name__": body.__module__}
        # A function of `*arguments` would do, but numba takes half a microsecond to find out the type of a tuple.
        given = "".join(f"{name}, " for name in ("tasks", *names)[not counted :])
        source = (
            f"def {body.__name__}_all(threads, tasks, {', '.join(names)}): in_tasks(body, threads, tasks, ({given}))"
        )
        exec(source, known)
        loop: Any = known[f"{body.__name__}_all"]
        loop.__code__ = loop.__code__.replace(co_filename=plain.co_filename, co_firstlineno=plain.co_firstlineno)
        self.call = self.compiled = compiled(loop)
        self.compiled._cache = _LoopCache(loop, body, counted)

    def __call__(self, tasks: int, *arguments: Any) -> None:
        """Does all tasks, on as many threads as the room has."""
        if tasks <= 1 or _num_threads == 1:
            self.call(1, tasks, *arguments)
            return
        if _num_threads > team.ready:
            team.start(_num_threads)
        if team.turns is None:
            self.call(_num_threads, tasks, *arguments)
        else:
            with team.turns:
                self.call(_num_threads, tasks, *arguments)

    def serial(self, tasks: int, *arguments: Any) -> None:
        """Does all tasks on the calling thread: handing them out takes some microseconds."""
        self.call(1, tasks, *arguments)


def get_num_threads() -> int:
    """The number of threads that the kernels use."""
    return _num_threads


def set_num_threads(count: int) -> None:
    """Sets the number of threads for all kernels, in every Python thread; at most the CPUs of this process.

    The environment variable `TRAINKIT_NUM_THREADS` sets it from outside; else there are as many as CPUs, or as a
    container's quota allows. Results do not depend on it.
    """
    global _num_threads
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"set_num_threads expected a whole number of at least 1, got {count!r}")
    _num_threads = min(count, team.most)


def _threads(asked: str, quota: int | None, most: int) -> int:
    """The number to begin with: what is asked for, or as many as may run at once."""
    return min(int(asked) if asked.isdecimal() and int(asked) else quota or most, most)


settings: Any = config
team = Workers(int(settings.NUMBA_NUM_THREADS)) if OWN else NumbaThreads()
_num_threads = _threads(os.environ.get("TRAINKIT_NUM_THREADS", ""), cpu_quota(), team.most)
