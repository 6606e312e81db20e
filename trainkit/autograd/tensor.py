"""`Tensor`: an ndarray with a gradient. Its methods are the ops under PyTorch's names, a line each."""

import builtins
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trainkit.autograd import dtypes, inplace
from trainkit.autograd.backward import backward as _backward
from trainkit.autograd.convert import array_from
from trainkit.autograd.graph import Array, Node, TensorBase
from trainkit.autograd.op import set_tensor_class, wrap
from trainkit.autograd.ops import broadcast, elementwise, linalg, loss, reduce
from trainkit.autograd.ops import index as indexing
from trainkit.autograd.ops import shape as shaping
from trainkit.autograd.printing import tensor_repr
from trainkit.errors import ArgumentError, DTypeError, GradientError

__all__ = ["Tensor"]

Dim = int | Sequence[int] | None


class Tensor(TensorBase):
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
        return self.shape if dim is None else self.shape[shaping.normalize_dim(dim, self.ndim)]

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

    __hash__ = object.__hash__

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

    def clone(self) -> "Tensor":
        return shaping.clone(self)

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

    # Arithmetic

    __add__ = __radd__ = add = elementwise.add
    __sub__ = sub = elementwise.sub
    __mul__ = __rmul__ = mul = elementwise.mul
    __truediv__ = div = elementwise.div
    __pow__ = pow = elementwise.pow
    __neg__ = neg = elementwise.neg
    __abs__ = abs = elementwise.abs
    __matmul__ = matmul = linalg.matmul
    __eq__ = eq = elementwise.eq
    __ne__ = ne = elementwise.ne
    __lt__ = lt = elementwise.lt
    __le__ = le = elementwise.le
    __gt__ = gt = elementwise.gt
    __ge__ = ge = elementwise.ge
    __and__ = __rand__ = elementwise.bitwise_and
    __or__ = __ror__ = elementwise.bitwise_or
    __invert__ = elementwise.bitwise_not
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    exp = elementwise.exp
    log = elementwise.log
    sqrt = elementwise.sqrt
    sin = elementwise.sin
    cos = elementwise.cos
    tanh = elementwise.tanh
    sigmoid = elementwise.sigmoid
    relu = elementwise.relu
    sign = elementwise.sign

    def __rsub__(self, other: Any) -> "Tensor":
        return elementwise.sub(other, self)

    def __rtruediv__(self, other: Any) -> "Tensor":
        return elementwise.div(other, self)

    def __rpow__(self, other: Any) -> "Tensor":
        return elementwise.pow(other, self)

    def __rmatmul__(self, other: Any) -> "Tensor":
        return linalg.matmul(wrap(np.asarray(other)), self)

    def clamp(self, min: Any = None, max: Any = None) -> "Tensor":
        return elementwise.clamp(self, min, max)

    # Reductions

    def sum(self, dim: Dim = None, keepdim: builtins.bool = False) -> "Tensor":
        return reduce.sum(self, self._dims(dim), keepdim)

    def mean(self, dim: Dim = None, keepdim: builtins.bool = False) -> "Tensor":
        return reduce.mean(self, self._dims(dim), keepdim)

    def var(self, dim: Dim = None, correction: int = 1, keepdim: builtins.bool = False) -> "Tensor":
        return reduce.var(self, self._dims(dim), correction, keepdim)

    def std(self, dim: Dim = None, correction: int = 1, keepdim: builtins.bool = False) -> "Tensor":
        return elementwise.sqrt(self.var(dim, correction, keepdim))

    def max(self, dim: int | None = None, keepdim: builtins.bool = False) -> Any:
        if dim is None:
            return reduce.amax(self, None, keepdim)
        return reduce.max_along(self, shaping.normalize_dim(dim, self.ndim), keepdim)

    def min(self, dim: int | None = None, keepdim: builtins.bool = False) -> Any:
        if dim is None:
            return reduce.amin(self, None, keepdim)
        return reduce.min_along(self, shaping.normalize_dim(dim, self.ndim), keepdim)

    def amax(self, dim: Dim = None, keepdim: builtins.bool = False) -> "Tensor":
        return reduce.amax(self, self._dims(dim), keepdim)

    def amin(self, dim: Dim = None, keepdim: builtins.bool = False) -> "Tensor":
        return reduce.amin(self, self._dims(dim), keepdim)

    def argmax(self, dim: int | None = None, keepdim: builtins.bool = False) -> "Tensor":
        dim = None if dim is None else shaping.normalize_dim(dim, self.ndim)
        return reduce.argmax(self, dim, keepdim)

    def argmin(self, dim: int | None = None, keepdim: builtins.bool = False) -> "Tensor":
        dim = None if dim is None else shaping.normalize_dim(dim, self.ndim)
        return reduce.argmin(self, dim, keepdim)

    def logsumexp(self, dim: Dim, keepdim: builtins.bool = False) -> "Tensor":
        return reduce.logsumexp(self, shaping.normalize_dims(dim, self.ndim), keepdim)

    def softmax(self, dim: int) -> "Tensor":
        return loss.softmax(self, shaping.normalize_dim(dim, self.ndim))

    def log_softmax(self, dim: int) -> "Tensor":
        return loss.log_softmax(self, shaping.normalize_dim(dim, self.ndim))

    def _dims(self, dim: Dim) -> tuple[int, ...] | None:
        return None if dim is None else shaping.normalize_dims(dim, self.ndim)

    # Shapes and elements

    def reshape(self, *sizes: Any) -> "Tensor":
        return shaping.reshape(self, _sizes(sizes))

    def view(self, *sizes: Any) -> "Tensor":
        return shaping.view(self, _sizes(sizes))

    def permute(self, *dims: Any) -> "Tensor":
        return shaping.permute(self, _sizes(dims))

    def expand(self, *sizes: Any) -> "Tensor":
        return shaping.expand(self, _sizes(sizes))

    flatten = shaping.flatten
    transpose = shaping.transpose
    movedim = shaping.movedim
    squeeze = shaping.squeeze
    unsqueeze = shaping.unsqueeze
    contiguous = shaping.contiguous

    @property
    def T(self) -> "Tensor":  # noqa: N802 -- PyTorch's name
        return shaping.permute(self, tuple(reversed(range(self.ndim))))

    def gather(self, dim: int, index: TensorBase) -> "Tensor":
        return indexing.gather(self, shaping.normalize_dim(dim, self.ndim), index.array)

    def __getitem__(self, key: Any) -> "Tensor":
        return indexing.getitem(self, indexing.plain_index(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        inplace.set_item(self, key, value)

    # In place

    def add_(self, other: Any) -> "Tensor":
        return inplace.assign(self, elementwise.add(self, other))

    def sub_(self, other: Any) -> "Tensor":
        return inplace.assign(self, elementwise.sub(self, other))

    def mul_(self, other: Any) -> "Tensor":
        return inplace.assign(self, elementwise.mul(self, other))

    def div_(self, other: Any) -> "Tensor":
        return inplace.assign(self, elementwise.div(self, other))

    __iadd__, __isub__, __imul__, __itruediv__ = add_, sub_, mul_, div_

    def copy_(self, other: Any) -> "Tensor":
        self[...] = other
        return self

    def fill_(self, value: Any) -> "Tensor":
        self[...] = value
        return self

    def zero_(self) -> "Tensor":
        return self.fill_(0)


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Take sizes one by one or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes


def _rebuild(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor, array, requires_grad=requires_grad)
    return tensor


set_tensor_class(Tensor)
