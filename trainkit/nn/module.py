"""`Module`: what has parameters, buffers and modules as attributes, and a `forward`."""

from collections.abc import Callable
from typing import Any, Self

from trainkit.autograd import Tensor, zeros
from trainkit.autograd.backward import clear_gradients
from trainkit.errors import ArgumentError, DTypeError
from trainkit.nn.module_state import IncompatibleKeys, ModuleState

__all__ = ["IncompatibleKeys", "Module"]


class Module(ModuleState):
    """The base of every layer and network: subclass it, set parameters and modules as attributes, write `forward`.

    What is an attribute is found: a `Parameter` is a parameter, a `Module` is a part, a tensor given to
    `register_buffer` is saved with them but not learned. Any other value, a plain tensor among them, is an ordinary
    attribute. `super().__init__()` may be left out.

    Modules in a plain list are not found: `ModuleList` is for them.

    >>> import trainkit as tk
    >>> class Scale(tk.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = tk.nn.Parameter(tk.ones(1))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training = True
    _mode_when_thawed: bool | None = None  # not None: frozen, see nn.freeze

    # Its modes

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and inside: dropout drops, batch norm takes the batch's statistics.

        A layer whose statistics are frozen (`nn.freeze`) stays in evaluation; the mode is kept for its thaw.

        Raises:
            ArgumentError: the mode is no boolean.
        """
        if not isinstance(mode, bool):
            raise ArgumentError(f"train() takes True or False, got {mode!r}")
        if self._mode_when_thawed is None:
            self.training = mode
        else:
            self._mode_when_thawed, self.training = mode, False
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and inside."""
        return self.train(False)

    @property
    def is_frozen(self) -> bool:
        """Whether this module is held in evaluation, by `nn.freeze`."""
        return self._mode_when_thawed is not None

    def hold_in_evaluation(self, held: bool = True) -> None:
        """Stay in evaluation whatever `train()` says, or take the mode again that was said last."""
        if held and not self.is_frozen:
            self._mode_when_thawed, self.training = self.training, False
        elif not held and self._mode_when_thawed is not None:
            self.training, self._mode_when_thawed = self._mode_when_thawed, None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or thaw every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        clear_gradients(self.parameters(), set_to_none)

    def apply(self, fn: Callable[["Module"], None]) -> Self:
        """Call `fn` with every module inside, then with this one.

        >>> import trainkit as tk
        >>> def clear(module):
        ...     if isinstance(module, tk.nn.Linear):
        ...         tk.nn.init.zeros_(module.weight)
        >>> tk.nn.Sequential(tk.nn.Linear(2, 1)).apply(clear)[0].weight.tolist()
        [[0.0, 0.0]]
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # Its dtype

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        tensor: Any = None,
        non_blocking: bool = False,
        memory_format: Any = None,
    ) -> Self:
        """Cast floating point parameters, their gradients and floating point buffers, in place; return the module.

        `to(dtype)`, `to(device, dtype)` or `to(tensor)`: the device is the CPU; `non_blocking` and `memory_format` are
        taken for PyTorch's sake.

        Raises:
            ArgumentError: the device is not the CPU.
            TypeError: the dtype is none of floating point numbers.
        """
        cast = zeros(()).to(*args, dtype=dtype, device=device, other=tensor)
        if not cast.is_floating_point():
            raise TypeError(f"a module is cast to floating point dtypes, got {cast.dtype}")

        def convert(x: Tensor) -> Tensor:
            return x.to(*args, dtype=dtype, device=device, other=tensor) if x.is_floating_point() else x

        return self._apply(convert)

    def type(self, dst_type: Any) -> Self:
        """Cast every parameter and buffer, integers among them, to a dtype of floating point numbers.

        Raises:
            DTypeError: it is none.
        """
        if not zeros(()).type(dst_type).is_floating_point():
            raise DTypeError(f"a module is cast to floating point dtypes, got {dst_type}")
        return self._apply(lambda x: x.type(dst_type))

    def half(self) -> Self:
        """Cast to float16."""
        return self.to("float16")

    def float(self) -> Self:
        """Cast to float32."""
        return self.to("float32")

    def double(self) -> Self:
        """Cast to float64."""
        return self.to("float64")

    def cpu(self) -> Self:
        """Return the module itself: it is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Raise: trainkit computes on the CPU."""
        return self.to("cuda" if device is None else device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Give every parameter, gradient and buffer the memory of what `fn` makes of it; the tensors stay the same."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        for _, value in self._held("parameter", "buffer", "transient"):
            if value is None:
                continue
            made = fn(value.detach())
            if made.array is not value.array:
                value.array = made.array
            if value.grad is not None:
                value.grad = fn(value.grad.detach())
        return self

    # How it looks

    def extra_repr(self) -> str:
        """Return what stands between the brackets of the repr, which may have several lines."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [f"({name}): " + repr(part).replace("\n", "\n  ") for name, part in self._held("module")]
        if extra and (lines or "\n" in extra):
            lines[:0] = extra.split("\n")
            extra = ""
        if not lines:
            return f"{self._get_name()}({extra})"
        return "\n  ".join([f"{self._get_name()}(", *lines]) + "\n)"
