"""The one place that turns Python into machine code: it decorates, and caches on disk."""

import gc
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numba
from llvmlite.binding import Linkage, parse_assembly
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.types import unliteral
from numpy.typing import NDArray

from trainkit.kernels.cache import KernelCache

__all__ = [
    "KERNELS",
    "Array",
    "compile_counts",
    "compiled",
    "enter",
    "exact_inner_kernel",
    "exact_kernel",
    "has_code",
    "inner_kernel",
    "kernel",
    "ready_kernel",
]

Array = NDArray[Any]
KERNELS: dict[str, Any] = {}
"""Every kernel by its module and its name: `elementwise._relu`."""

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
    return enter(function, compiled(function))


def inner_kernel(function: Callable[..., Any], fast: Collection[str] = FAST, ready: bool = False) -> Any:
    """Compiles like `kernel` what kernels alone call, and makes no machine code of it but within them."""
    made = compiled(function, _ReadyPipeline if ready else _RawPipeline, fast)
    made.add_overload = partial(_keep, made)
    made._compile_for_args = partial(_refuse, function.__name__)
    return enter(function, made)


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
    return enter(function, compiled(function, fast=EXACT))


def exact_inner_kernel(function: Callable[..., Any]) -> Any:
    """Compiles like `exact_kernel` what kernels alone call."""
    return inner_kernel(function, EXACT)


def has_code(made: Any) -> None:
    """Makes machine code of an inner kernel too, for what calls it by its address."""
    made._compiler.pipeline_class = _Pipeline


def enter(function: Any, made: Any) -> Any:
    """Enters what was made of a function into the table of kernels."""
    KERNELS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = made
    return made


def compiled(function: Callable[..., Any], pipeline: type[_Pipeline] = _Pipeline, fast: Collection[str] = FAST) -> Any:
    """Has numba compile a function when it is first called, or its kinds of arguments are first told."""
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


def compile_counts() -> tuple[int, int]:
    """How many kernels, each for one kind of arguments, this process has compiled, and how many it found on disk."""
    stats = [getattr(made, "compiled", made).stats for made in KERNELS.values()]
    return sum(sum(s.cache_misses.values()) for s in stats), sum(sum(s.cache_hits.values()) for s in stats)
