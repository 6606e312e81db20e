"""The one place that turns Python into machine code: it decorates, caches on disk, hands out the threads."""

import contextlib
import ctypes
import os
import site
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numba
from numba.np.ufunc import parallel
from numpy.typing import NDArray

from trainkit.errors import ArgumentError
from trainkit.kernels.cache import KernelCache

__all__ = [
    "KERNELS",
    "Array",
    "compile_counts",
    "exact_kernel",
    "get_num_threads",
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
    return _entered(function, _compiled(function, parallel=False))


def exact_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `kernel`, but each sum and quotient is as it is written, for the sake of its last digits."""
    return _entered(function, _compiled(function, parallel=False, fast={"contract"}))


def parallel_kernel(function: Callable[..., Any]) -> Any:
    """Compiles a `prange` over tasks. Its body should be one call of a `@kernel`: that compiles quickest.

    Tasks are handed out one by one, to as many threads as `get_num_threads()` says.
    """
    return _entered(function, _Launcher(_compiled(function, parallel=True)))


def _entered(function: Callable[..., Any], made: Any) -> Any:
    KERNELS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = made
    return made


def _compiled(function: Callable[..., Any], parallel: bool, fast: Collection[str] = FAST) -> Any:
    dispatcher: Any = numba.njit(nogil=True, fastmath=set(fast), error_model="numpy", parallel=parallel)(function)
    dispatcher._cache = KernelCache(function)
    return dispatcher


class _Launcher:
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
