"""`Tensor`: an ndarray with a gradient. `methods.py` has what it does by functions."""

import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainkit.autograd import dtypes
from trainkit.autograd.backward import backward as _backward
from trainkit.autograd.convert import array_from
from trainkit.autograd.graph import Array, Node, TensorBase
from trainkit.autograd.methods import TensorMethods
from trainkit.autograd.op import set_tensor_class, wrap
from trainkit.autograd.ops import broadcast
from trainkit.autograd.ops.shape import normalize_dim
from trainkit.autograd.printing import tensor_repr
from trainkit.errors import ArgumentError, DTypeError, GradientError

__all__ = ["Tensor"]


class Tensor(TensorMethods):
    """A multi-dimensional array that records how it came to be, so that `backward()` can give gradients.

    Args:
        data: numbers, nested sequences, an ndarray or a tensor; copied. Python floats become the default dtype.
        dtype: of the tensor; that of the data where it is None.
        requires_grad: accumulate gradients in `.grad`.

    `array` is the ndarray beneath, as it is: writing to it is seen neither by the graph nor by the version check.

    >>> import trainkit as tk
    >>> x = tk.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __array_priority__ = 1000  # numpy leaves `array * tensor` to the tensor

    def __init__(self, data: Any, *, dtype: Any = None, requires_grad: builtins.bool = False) -> None:
        self.array = array_from(data, dtype)
        self.node = self.base = self.base_node = self.grad = None
        self.version = [0]
        self.needs_grad = False
        if requires_grad:
            self.requires_grad_()

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def requires_grad(self) -> builtins.bool:
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: builtins.bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> builtins.bool:
        return self.node is None

    @property
    def grad_fn(self) -> Node | None:
        return self.node

    @property
    def data(self) -> "Tensor":
        """The same memory without history; changes through it escape the version check, as in PyTorch."""
        return wrap(self.array)

    @data.setter
    def data(self, value: TensorBase) -> None:
        self.array = value.array

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[normalize_dim(dim, self.ndim)]

    def dim(self) -> int:
        return self.array.ndim

    def numel(self) -> int:
        return self.array.size

    def is_floating_point(self) -> builtins.bool:
        return self.array.dtype.kind == "f"

    def is_contiguous(self) -> builtins.bool:
        return self.array.flags.c_contiguous

    def stride(self) -> tuple[int, ...]:
        return tuple(step // self.array.itemsize for step in self.array.strides)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.array.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return tensor_repr(self)

    # Out of the graph and into Python

    def item(self) -> Any:
        if self.array.size != 1:
            raise GradientError(f"item() needs a tensor of one element, got shape {self.shape}")
        return self.array.item()

    def tolist(self) -> Any:
        return self.array.tolist()

    def numpy(self) -> Array:
        if self.needs_grad:
            raise GradientError("numpy() of a tensor that requires grad would lose its history; detach() it first")
        return self.array

    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> Array:
        return np.array(self.numpy(), dtype) if copy else np.asarray(self.numpy(), dtype)

    def __bool__(self) -> builtins.bool:
        if self.array.size != 1:
            raise GradientError(
                f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all() of its array"
            )
        return builtins.bool(self.array)

    def __float__(self) -> builtins.float:
        return builtins.float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.array.__index__()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.ndim and spec else repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if self.node is not None:
            raise GradientError("only leaf tensors can be deep-copied; detach() this one first")
        new = memo[id(self)] = type(self).__new__(type(self))
        new.array, new.grad = self.array.copy(), self.grad.detach().clone() if self.grad is not None else None
        new.node = new.base = new.base_node = None
        new.version, new.needs_grad = [0], self.needs_grad
        return new

    def __reduce__(self) -> Any:
        if self.node is not None:
            raise GradientError("only leaf tensors can be pickled; detach() this one first")
        return _rebuild, (type(self), self.array, self.needs_grad)

    # Gradients

    def backward(
        self,
        gradient: Any = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: Any = None,
    ) -> None:
        _backward((self,), (gradient,), retain_graph, create_graph, inputs)

    def requires_grad_(self, requires_grad: builtins.bool = True) -> "Tensor":
        if self.node is not None:
            if requires_grad:
                return self
            raise GradientError("a tensor with a history requires grad by it; detach() gives one that does not")
        if requires_grad and self.array.dtype.kind != "f":
            raise DTypeError(f"only floating point tensors can require grad, got {self.dtype}; cast it with .float()")
        self.needs_grad = builtins.bool(requires_grad)
        return self

    def detach(self) -> "Tensor":
        new: Tensor = wrap(self.array)
        new.version = self.version
        return new

    # Dtypes and devices

    def to(self, *args: Any, dtype: Any = None, **_: Any) -> "Tensor":
        for arg in args:
            if isinstance(arg, TensorBase):
                dtype = arg.array.dtype
            elif isinstance(arg, str) and arg.split(":")[0] in ("cpu", "cuda", "mps"):
                if arg.split(":")[0] != "cpu":
                    raise ArgumentError(f"device {arg!r} is not available: trainkit computes on the CPU; use 'cpu'")
            else:
                dtype = arg
        return self if dtype is None or self.dtype == np.dtype(dtype) else broadcast.cast(self, np.dtype(dtype))

    def float(self) -> "Tensor":
        return self.to(dtypes.float32)

    def double(self) -> "Tensor":
        return self.to(dtypes.float64)

    def long(self) -> "Tensor":
        return self.to(dtypes.int64)

    def bool(self) -> "Tensor":
        return self.to(dtypes.bool_)

    def cpu(self) -> "Tensor":
        return self


def _rebuild(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor, array, requires_grad=requires_grad)
    return tensor


set_tensor_class(Tensor)
