"""The methods of Tensor that have to do with gradients."""

import weakref
from collections.abc import Callable
from typing import Any

from trainkit.autograd.backward import backward as _backward
from trainkit.autograd.graph import Node, TensorBase
from trainkit.autograd.hooks import RemovableHandle, hooks_of
from trainkit.autograd.op import wrap
from trainkit.errors import DTypeError, GradientError

__all__ = ["TensorGradients"]


class TensorGradients(TensorBase):
    """What a tensor is to the graph, and what the walk backward does to it."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        self.refresh()
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made this tensor: gradients accumulate in the `.grad` of leaves."""
        self.refresh()
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        """What recorded this tensor; None for a leaf."""
        self.refresh()
        return self.node

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor to the `.grad` of every leaf: see `autograd.backward`."""
        _backward((self,), (gradient,), retain_graph, create_graph, inputs)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set whether gradients are accumulated in `.grad` of this leaf; return the tensor.

        Raises:
            DTypeError: the tensor holds no floating point numbers.
            GradientError: it is no leaf and is to require no grad.
        """
        self.refresh()
        if self.node is not None:
            if requires_grad:
                return self
            raise GradientError("a tensor with a history requires grad by it; detach() gives one that does not")
        if requires_grad and self.array.dtype.kind != "f":
            raise DTypeError(
                f"only floating point tensors can require grad, got {self.array.dtype}; cast it with .float()"
            )
        self.needs_grad = bool(requires_grad)
        return self

    def detach(self) -> Any:
        """The same memory without history; changes in place of either are seen by the version check of both."""
        new = wrap(self.array)
        new.version = self.version
        return new

    def detach_(self) -> Any:
        """Forget the history of this tensor; return it.

        Raises:
            GradientError: it is a view, whose history is its base's.
        """
        if self.view_of is not None:
            raise GradientError("a view cannot be detached in place: its history is its base's; use detach()")
        self.node, self.needs_grad = None, False
        return self

    def retain_grad(self) -> None:
        """Let `.grad` of this tensor be filled by backward() although it is no leaf.

        Raises:
            GradientError: it does not require grad.

        >>> import trainkit as tk
        >>> x = tk.ones(2, requires_grad=True)
        >>> y = x * 3
        >>> y.retain_grad()
        >>> (y * y).sum().backward()
        >>> y.grad
        tensor([6., 6.])
        """
        hooks = hooks_of(self)
        if self.node is not None:
            hooks.retained = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this tensor, which is no leaf."""
        hooks = None if self.node is None else self.node.hooks
        return hooks is not None and hooks.retained is not None and hooks.retained() is self

    def register_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Call `hook(grad)` whenever the gradient of this tensor is known; what it returns takes the gradient's place.

        Hooks run in the order of registration, each with what the one before made of the gradient.

        Raises:
            GradientError: the tensor does not require grad.

        >>> import trainkit as tk
        >>> x = tk.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> (x * 2).sum().backward()
        >>> handle.remove()
        >>> x.grad
        tensor([20., 20.])
        """
        return RemovableHandle(hooks_of(self).functions, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Any], None]) -> RemovableHandle:
        """Call `hook(tensor)` after backward() has added to the `.grad` of this leaf.

        Raises:
            GradientError: the tensor is no leaf, or does not require grad.
        """
        hooks = hooks_of(self)
        if self.node is not None:
            raise GradientError("only a leaf accumulates its gradient; register_hook() serves other tensors")
        return RemovableHandle(hooks.accumulated, hook)

    @property
    def data(self) -> Any:
        """The same memory without history; changes through it escape the version check, as in PyTorch."""
        return wrap(self.array)

    @data.setter
    def data(self, value: TensorBase) -> None:
        self.array = value.array

    @property
    def _version(self) -> int:
        return self.version[0]

    @property
    def _base(self) -> Any:
        return None if self.view_of is None else self.view_of.base
