"""The one place that turns Python into machine code: it decorates, caches on disk, hands out the threads."""

import contextlib
import ctypes
import gc
import os
import site
import sys
import threading
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba.core.types import unliteral
from numba.np.ufunc import parallel
from numpy.typing import NDArray

from trainkit.errors import ArgumentError
from trainkit.kernels.cache import KernelCache
from trainkit.kernels.tasks import in_tasks, place

__all__ = [
    "KERNELS",
    "Array",
    "compile_counts",
    "exact_kernel",
    "get_num_threads",
    "inner_kernel",
    "kernel",
    "launch_layer",
    "parallel_kernel",
    "set_num_threads",
]

Array = NDArray[Any]
KERNELS: dict[str, Any] = {}
"""Every kernel by its module and its name: `elementwise._relu`."""

pool: Any = parallel  # some of the names below exist only after its first launch

# Lets LLVM vectorise sums and fuse a multiply with an add. Not "nnan" and "ninf": a NaN must come out as one.
FAST = {"contract", "reassoc", "nsz", "arcp"}


def kernel(function: Callable[..., Any]) -> Any:
    """Compiles a function for one thread, without the interpreter lock; the machine code is kept on disk."""
    return _entered(function, _compiled(function))


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `kernel` what kernels alone call: a door for Python takes a while to compile."""
    made = _compiled(function, inner=True)
    made.add_overload = partial(_keep, made)
    made._compile_for_args = partial(_refuse, function.__name__)
    return _entered(function, made)


def _keep(dispatcher: Any, result: Any) -> None:
    """Enters what was compiled for other kernels, not for Python."""
    dispatcher.overloads[tuple(result.signature.args)] = result


def _refuse(name: str, *args: Any) -> None:
    raise TypeError(f"{name} is called by kernels and cannot be called from Python")


def exact_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `kernel`, but each sum and quotient is as it is written, for the sake of its last digits."""
    return _entered(function, _compiled(function, fast={"contract"}))


def parallel_kernel(body: Any, counted: bool = False) -> Any:
    """Makes of a kernel `body(task, *arguments)` that returns nothing what is called with the number of tasks.

    Tasks are handed out one by one, to as many threads as `get_num_threads()` says. With `counted` the body is
    told their number too: `body(task, tasks, *arguments)`. Its own compiled code is called, not compiled again.
    """
    if not hasattr(body, "py_func"):  # a loop with `prange`, which takes three times as long to compile
        return _entered(body, _PrangeLauncher(_compiled(body, parallel=True)))
    launcher = _Launcher(body, counted)
    return _entered(launcher.compiled, launcher)


def _entered(function: Any, made: Any) -> Any:
    KERNELS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = made
    return made


def _compiled(
    function: Callable[..., Any], parallel: bool = False, fast: Collection[str] = FAST, inner: bool = False
) -> Any:
    options: dict[str, Any] = {
        "fastmath": set(fast),
        "error_model": "numpy",
        "no_cfunc_wrapper": True,
        "no_cpython_wrapper": inner,
    }
    dispatcher: Any = numba.njit(nogil=True, parallel=parallel, **options)(function)
    dispatcher._cache = KernelCache(function)
    dispatcher.compile = partial(_compile, dispatcher)
    return dispatcher


def _compile(dispatcher: Any, signature: Any) -> Any:
    """Compiles for some types, once for all constants of a type, without looking for garbage: that takes a tenth."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return type(dispatcher).compile(dispatcher, tuple(map(unliteral, signature)))
    finally:
        if collects:
            gc.enable()


class _LoopCache(KernelCache):
    """The cache of a loop over tasks: what it calls must have its place before the loop is read or compiled."""

    def __init__(self, function: Callable[..., Any], body: Any, counted: bool) -> None:
        super().__init__(function)
        self._body, self._counted = body, counted

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code for a signature, or None: it must be compiled."""
        _, tasks, arguments = sig
        place(self._body, (tasks, *[tasks] * self._counted, *arguments))
        return super().load_overload(sig, target_context)


def _loop(threads, tasks, *arguments):
    in_tasks(body, threads, tasks, arguments)  # type: ignore[name-defined]  # noqa: F821


def _counted_loop(threads, tasks, *arguments):
    in_tasks(body, threads, tasks, (tasks, *arguments))  # type: ignore[name-defined]  # noqa: F821


class _Launcher:
    """Calls a loop over tasks with the room's thread count.

    Attributes:
        call: the compiled loop; a profile puts a timed one in its place.
        compiled: the same, always.
    """

    __slots__ = ("call", "compiled")

    def __init__(self, body: Any, counted: bool) -> None:
        name, plain = f"{body.__name__}_all", body.__code__
        code = (_counted_loop if counted else _loop).__code__
        code = code.replace(co_name=name, co_filename=plain.co_filename, co_firstlineno=plain.co_firstlineno)
        loop = FunctionType(code, {"body": body, "in_tasks": in_tasks, "__name__": body.__module__})
        loop.__qualname__ = name  # by which it is kept on disk
        self.call = self.compiled = _compiled(loop)
        self.compiled._cache = _LoopCache(loop, body, counted)

    def __call__(self, tasks: int, *arguments: Any) -> None:
        """Does all tasks, on as many threads as the room has."""
        with _launch_lock:
            self.call(_num_threads, tasks, *arguments)

    def serial(self, tasks: int, *arguments: Any) -> None:
        """Does all tasks on the calling thread: handing them out takes some microseconds."""
        self.call(1, tasks, *arguments)


class _PrangeLauncher:
    """Calls a parallel function with the room's thread count and leaves the user's numba settings alone.

    Attributes:
        call: the compiled function; a profile puts a timed one in its place.
        compiled: the same, always.
    """

    __slots__ = ("call", "compiled")

    def __init__(self, call: Any) -> None:
        self.call = self.compiled = call

    def __call__(self, *args: Any) -> None:
        if not pool._is_initialized:
            pool._launch_threads()
        with _launch_lock:
            # numba's public functions for these do the same, and check their argument for a microsecond each.
            chunk = pool._set_parallel_chunksize(1)
            threads = pool._get_num_threads()
            if threads != _num_threads:
                pool._set_num_threads(_num_threads)
            try:
                self.call(*args)
            finally:
                pool._set_parallel_chunksize(chunk)
                if threads != _num_threads:
                    pool._set_num_threads(threads)


def compile_counts() -> tuple[int, int]:
    """How many kernels, each for one kind of arguments, this process has compiled, and how many it found on disk."""
    stats = [getattr(made, "compiled", made).stats for made in KERNELS.values()]
    return sum(sum(s.cache_misses.values()) for s in stats), sum(sum(s.cache_hits.values()) for s in stats)


def get_num_threads() -> int:
    """The number of threads that the kernels use."""
    return _num_threads


def set_num_threads(count: int) -> None:
    """Sets the number of threads for all kernels, in every Python thread; at most the CPUs of this process.

    The environment variable `TRAINKIT_NUM_THREADS` sets it from outside. Results do not depend on it.
    """
    global _num_threads
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"set_num_threads expected a whole number of at least 1, got {count!r}")
    _num_threads = min(count, int(pool.NUM_THREADS))


def launch_layer() -> str:
    """The name of the library that runs the threads: `tbb`, `omp` or `workqueue`."""
    pool._launch_threads()
    return str(pool.threading_layer())


def _load_tbb() -> bool:
    """Loads the library of the `tbb` wheel, which numba does not find by itself.

    TBB hands out work to whoever is free; OpenMP's team waits for its slowest member, and on a shared machine
    there always is one.
    """
    names = {"linux": ("lib", "libtbb.so.12"), "darwin": ("lib", "libtbb.12.dylib")}
    folder, name = names.get(sys.platform, (os.path.join("Library", "bin"), "tbb12.dll"))  # noqa: PTH118
    roots = [sys.prefix, sys.base_prefix, site.getuserbase()]
    for path in (Path(root) / folder / name for root in roots if root):
        if path.is_file():
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                return True
    return False


def _threads_from_environment() -> int:
    text = os.environ.get("TRAINKIT_NUM_THREADS", "")
    most = int(pool.NUM_THREADS)
    return min(int(text), most) if text.isdecimal() and int(text) > 0 else most


_num_threads = _threads_from_environment()
_has_tbb = _load_tbb()
# numba's last resort, the workqueue layer, ends the process when two Python threads launch at once.
_launch_lock: Any = contextlib.nullcontext() if _has_tbb or sys.platform == "linux" else threading.Lock()
