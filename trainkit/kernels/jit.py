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
from typing import Any

import numba
from llvmlite.binding import Linkage, parse_assembly
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
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
    "exact_inner_kernel",
    "exact_kernel",
    "get_num_threads",
    "inner_kernel",
    "kernel",
    "launch_layer",
    "parallel_kernel",
    "ready_kernel",
    "set_num_threads",
]

Array = NDArray[Any]
KERNELS: dict[str, Any] = {}
"""Every kernel by its module and its name: `elementwise._relu`."""

pool: Any = parallel  # some of the names below exist only after its first launch

# Lets LLVM vectorise sums and fuse a multiply with an add. Not "nnan" and "ninf": a NaN must come out as one.
FAST = {"contract", "reassoc", "nsz", "arcp"}
EXACT = {"contract"}


class _Library(JITCodeLibrary):
    """What is compiled for a kernel: functions that it calls are its own.

    Else those of one name, each made better for its caller, would be one in a process: whichever came first.
    """

    def _finalize_final_module(self) -> None:
        for function in self._final_module.functions:
            if function.linkage == Linkage.linkonce_odr and not function.is_declaration:
                function.linkage = "internal"
        super()._finalize_final_module()


class _ReadyLibrary(JITCodeLibrary):
    """What is compiled for an inner kernel: its callers take it up, so no machine code of its own is made."""

    def _finalize_final_module(self) -> None:
        self._finalized = True
        self._get_module_for_linking()
        whole = self._final_module
        self._final_module = parse_assembly(str(self._codegen._create_empty_module(self.name)))
        for value in whole.global_variables:
            if value.name.startswith("_ZN08NumbaEnv"):  # where numba notes what it knows of the function
                self._final_module.link_in(parse_assembly(str(value)))
        super()._finalize_final_module()


class _RawLibrary(_ReadyLibrary):
    """The same, made quick within its callers only."""

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager(
            loop_vectorize=False, slp_vectorize=False, opt=self._codegen._opt_level, cost="cheap"
        )
        passes.run(self._final_module, builder)


class _Pipeline(Compiler):
    """numba's way to machine code, into a library of ours."""

    library: type[JITCodeLibrary] = _Library

    def compile_extra(self, func: Callable[..., Any]) -> Any:
        self.state.library = self.library(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)


class _ReadyPipeline(_Pipeline):
    library = _ReadyLibrary


class _RawPipeline(_Pipeline):
    library = _RawLibrary


def kernel(function: Callable[..., Any]) -> Any:
    """Compiles a function for one thread, without the interpreter lock; the machine code is kept on disk."""
    return _entered(function, _compiled(function))


def inner_kernel(function: Callable[..., Any], fast: Collection[str] = FAST, ready: bool = False) -> Any:
    """Compiles like `kernel` what kernels alone call, and makes no machine code of it but within them."""
    made = _compiled(function, _ReadyPipeline if ready else _RawPipeline, fast)
    made.add_overload = partial(_keep, made)
    made._compile_for_args = partial(_refuse, function.__name__)
    return _entered(function, made)


def ready_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `inner_kernel`, but makes it quick before its callers are: it takes longer, and some gain by it."""
    return inner_kernel(function, ready=True)


def _keep(dispatcher: Any, result: Any) -> None:
    """Enters what was compiled for other kernels, not for Python."""
    dispatcher.overloads[tuple(result.signature.args)] = result


def _refuse(name: str, *args: Any) -> None:
    raise TypeError(f"{name} is called by kernels and cannot be called from Python")


def exact_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `kernel`, but each sum and quotient is as it is written, for the sake of its last digits."""
    return _entered(function, _compiled(function, fast=EXACT))


def exact_inner_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `exact_kernel` what kernels alone call."""
    return inner_kernel(function, EXACT)


def parallel_kernel(body: Any, counted: bool = False) -> Any:
    """Makes of a kernel `body(task, *arguments)` that returns nothing what is called with the number of tasks.

    Tasks are handed out one by one, to as many threads as `get_num_threads()` says. With `counted` the body is
    told their number too: `body(task, tasks, *arguments)`. Its own compiled code is called, not compiled again.
    """
    body._compiler.pipeline_class = _Pipeline  # its code is called, so it is made
    launcher = _Launcher(body, counted)
    return _entered(launcher.compiled, launcher)


def _entered(function: Any, made: Any) -> Any:
    KERNELS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = made
    return made


def _compiled(function: Callable[..., Any], pipeline: type[_Pipeline] = _Pipeline, fast: Collection[str] = FAST) -> Any:
    options: dict[str, Any] = {
        "fastmath": set(fast),
        "error_model": "numpy",
        "no_cfunc_wrapper": True,
        "no_cpython_wrapper": pipeline is not _Pipeline,
    }
    dispatcher: Any = numba.njit(nogil=True, pipeline_class=pipeline, **options)(function)
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
        self.call = self.compiled = _compiled(loop)
        self.compiled._cache = _LoopCache(loop, body, counted)

    def __call__(self, tasks: int, *arguments: Any) -> None:
        """Does all tasks, on as many threads as the room has."""
        if tasks <= 1 or _num_threads == 1:
            self.call(1, tasks, *arguments)
        else:
            with _launch_lock:
                self.call(_num_threads, tasks, *arguments)

    def serial(self, tasks: int, *arguments: Any) -> None:
        """Does all tasks on the calling thread: handing them out takes some microseconds."""
        self.call(1, tasks, *arguments)


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
