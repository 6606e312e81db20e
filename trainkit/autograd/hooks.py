"""Hooks on gradients: what runs when the gradient of a tensor is known."""

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.errors import GradientError, ShapeError

__all__ = ["Hooks", "RemovableHandle", "hooks_of"]

_next_key = itertools.count().__next__


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away; as a context manager, at the block's end."""

    __slots__ = ("_hooks", "id")

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._hooks = hooks
        self.id = _next_key()
        while self.id in hooks:  # hooks that were unpickled have the numbers of another process
            self.id = _next_key()
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Hooks:
    """The hooks of one tensor: a node holds them for the tensor that it recorded, a leaf its own.

    Attributes:
        functions: called with the gradient, in order; what one returns takes the gradient's place.
        accumulated: called with a leaf after its `.grad` was added to.
        retained: the tensor, if `.grad` is wanted of it though it is no leaf. Weak: a node never holds its output.
    """

    __slots__ = ("accumulated", "functions", "retained")

    def __init__(self) -> None:
        self.functions: dict[int, Callable[[Any], Any]] = {}
        self.accumulated: dict[int, Callable[[Any], Any]] = {}
        self.retained: weakref.ref[TensorBase] | None = None

    def run(self, gradient: Any) -> Any:
        """Return what the hooks make of a gradient, an array or a tensor; it comes back in the same form."""
        recorded = isinstance(gradient, TensorBase)
        tensor = gradient if recorded else wrap(np.array(gradient))  # a copy: the array may serve elsewhere too
        for function in list(self.functions.values()):
            result = function(tensor)
            if result is None:
                continue
            if not isinstance(result, TensorBase):
                raise GradientError(
                    f"a gradient hook must return a tensor or None, got {type(result).__name__} from {function!r}"
                )
            if result.array.shape != tensor.array.shape:
                raise ShapeError(
                    f"a gradient hook returned shape {result.array.shape} for a gradient of {tensor.array.shape}"
                )
            tensor = result
        target = None if self.retained is None else self.retained()
        if target is not None:
            kept = tensor if recorded else wrap(tensor.array.copy())
            target.grad = kept if target.grad is None else target.grad + kept
        return tensor if recorded else tensor.array


def hooks_of(tensor: TensorBase) -> Hooks:
    """Return the hooks of a tensor, made if it has none; those of its node if it was recorded.

    Raises:
        GradientError: the tensor does not require grad.
    """
    tensor.refresh()
    if not tensor.needs_grad:
        raise GradientError(
            f"no gradient will come to a tensor of shape {tensor.array.shape}: it does not require grad; "
            "call requires_grad_() first"
        )
    holder = tensor if tensor.node is None else tensor.node
    if holder.hooks is None:
        holder.hooks = Hooks()
    hooks: Hooks = holder.hooks
    return hooks
