"""The places where a profile puts its timed functions, and how they are emptied again.

An op is reached in two ways. `op.run` calls `Op.forward`; the functions that `op.py` and `broadcast.py` write out for
one and for two tensors keep the forward in a cell of their closure. Both are replaced, and so is `Op.rule`, which the
walk backward reads. A kernel's launcher has the compiled function as an attribute, a `Function` its `apply`, an
optimizer its `step`. While no profile runs they hold what they held when they were made.

Each place is one assignment, so other threads may work meanwhile: they call the one or the other, and both compute.
"""

import threading
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from trainkit.autograd import Function
from trainkit.autograd.op import OPS, Op
from trainkit.kernels.jit import KERNELS
from trainkit.optim import Optimizer
from trainkit.profiler.flops import of_forward, of_rule
from trainkit.profiler.recorder import Recorder

__all__ = ["Patches", "cells", "install"]


class Patches:
    """What was put somewhere, and what is to be put back."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, str, Any, Any]] = []
        self._lock = threading.Lock()
        self._over = False

    def put(self, holder: Any, name: str, new: Any) -> None:
        """Replace an attribute, that of a class as it stands in the class; nothing once all is restored."""
        with self._lock:
            if not self._over:
                self._made.append((holder, name, new, _held(holder, name)))
                setattr(holder, name, new)

    def restore(self) -> None:
        """Put back what was there, the last first; what somebody else has replaced since stays."""
        with self._lock:
            self._over = True
            while self._made:
                holder, name, new, old = self._made.pop()
                if _held(holder, name) is new:
                    setattr(holder, name, old)


def _held(holder: Any, name: str) -> Any:
    return vars(holder)[name] if isinstance(holder, type) else getattr(holder, name)


def install(recorder: Recorder, patches: Patches) -> None:
    """Have everything that a profile records call the recorder."""
    timed = recorder.timed
    for function in list(OPS.values()):
        op = function.op
        plain = op.forward
        run = timed(op.name, "op", plain, of_forward(op), skip=1)
        for cell in cells(function, plain):
            patches.put(cell, "cell_contents", run)
        patches.put(op, "forward", run)
        _time_rule(op, recorder, patches)
    for name, kernel in list(KERNELS.items()):
        if hasattr(kernel, "call"):
            patches.put(kernel, "call", timed(name, "kernel", kernel.call))
    _time_functions(recorder, patches)
    for cls in _with_subclasses(Optimizer):
        if "step" in vars(cls):
            step = timed(lambda optimizer: f"{type(optimizer).__name__}.step", "optimizer", vars(cls)["step"], skip=1)
            patches.put(cls, "step", step)


def cells(function: Any, content: Any) -> list[Any]:
    """Return the cells that hold something, of a function's closure and of the functions that it holds."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        for cell in waiting.pop().__closure__ or ():
            if id(cell) in seen:
                continue
            seen.add(id(cell))
            held = cell.cell_contents
            if held is content:
                found.append(cell)
            elif type(held) is FunctionType:
                waiting.append(held)
    return found


def _time_rule(op: Op, recorder: Recorder, patches: Patches) -> None:
    if op.rule is not None:
        patches.put(op, "rule", recorder.timed(f"{op.title}Backward", "backward", op.rule, of_rule(op), skip=1))


def _time_functions(recorder: Recorder, patches: Patches) -> None:
    """Time `apply` of all `Function`s, and the rules of those that there are or will be."""
    ready = {cls for cls in _with_subclasses(Function) if cls is not Function}
    for cls in ready:
        _time_rule(cls._op, recorder, patches)
    plain: Callable[..., Any] = Function.apply.__func__  # type: ignore[attr-defined]

    def named(cls: Any, *args: Any) -> Any:
        if cls not in ready:
            ready.add(cls)
            _time_rule(cls._op, recorder, patches)
        return run(cls, *args)

    run = recorder.timed(lambda cls: str(cls.__name__), "op", plain, skip=1)
    patches.put(Function, "apply", classmethod(named))


def _with_subclasses(cls: type) -> Iterator[Any]:
    yield cls
    children: list[type] = cls.__subclasses__()
    for child in children:
        yield from _with_subclasses(child)
