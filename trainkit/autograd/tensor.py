"""`Tensor`: an ndarray with a gradient. `methods/` has what it does by functions."""

import builtins
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainkit.autograd.casts import TensorCasts
from trainkit.autograd.convert import constructor_array
from trainkit.autograd.dtypes import as_dtype
from trainkit.autograd.gradients import TensorGradients
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.methods import TensorMethods
from trainkit.autograd.op import set_tensor_class, wrap
from trainkit.autograd.ops.shape import normalize_dim
from trainkit.autograd.printing import tensor_repr
from trainkit.autograd.size import Size
from trainkit.errors import DTypeError, GradientError, ShapeError

__all__ = ["Tensor"]


class Tensor(TensorCasts, TensorGradients, TensorMethods):
    """A multi-dimensional array that records how it came to be, so that `backward()` can give gradients.

    Args:
        data: numbers, nested sequences, an ndarray or a tensor, copied; or integers: the sizes of a tensor that holds
            whatever lay in memory. `trainkit.tensor` makes tensors of data alone.
        dtype: of the tensor; None is the default dtype, or that of a tensor.
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

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: builtins.bool = False) -> None:
        self.array = constructor_array(data, dtype)
        self.node = self.view_of = self.grad = self.hooks = None
        self.version = [0]
        self.needs_grad = False
        if requires_grad:
            self.requires_grad_()

    # What it is

    @property
    def shape(self) -> Size:
        """The size of each dimension: a tuple that can count the elements."""
        return Size(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, one of numpy's."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return self.shape if dim is None else self.array.shape[normalize_dim(dim, self.array.ndim)]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size

    def is_floating_point(self) -> builtins.bool:
        """Whether the elements are floating point numbers."""
        return self.array.dtype.kind == "f"

    def is_contiguous(self, memory_format: Any = None) -> builtins.bool:
        """Whether the elements lie in memory in the order of the dimensions."""
        return self.array.flags.c_contiguous

    def stride(self, dim: int | None = None) -> Any:
        """The steps in memory from one element to the next along each dimension, or along one, in elements."""
        steps = tuple([step // self.array.itemsize for step in self.array.strides])
        return steps if dim is None else steps[normalize_dim(dim, self.array.ndim)]

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self.array.shape[0]

    def __iter__(self) -> Iterator["Tensor"]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return tensor_repr(self)

    # Out of the graph and into Python

    def item(self) -> Any:
        """The only element as a Python number."""
        if self.array.size != 1:
            raise ShapeError(f"only a tensor of one element is a number, got shape {tuple(self.shape)}; use tolist()")
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self, *, force: builtins.bool = False) -> Array:
        """The array beneath; `force` gives that of a tensor with a history too, which it loses."""
        if self.requires_grad and not force:
            raise GradientError(
                "numpy() of a tensor that requires grad would lose its history; detach() it first, or use "
                "numpy(force=True)"
            )
        return self.array

    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> Array:
        return np.array(self.numpy(), dtype, copy=copy)

    def __array_wrap__(self, array: Array, context: Any = None, return_scalar: builtins.bool = False) -> "Tensor":
        return wrap(array)  # so `np.exp(tensor)` is a tensor

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __contains__(self, element: Any) -> builtins.bool:
        if isinstance(element, TensorBase):
            element = element.array
        elif not isinstance(element, (builtins.bool, int, builtins.float, np.ndarray, np.generic)):
            raise DTypeError(
                f"a tensor contains numbers, so `in` needs a number or a tensor, got {type(element).__name__}"
            )
        return builtins.bool((self.array == element).any())

    def __bool__(self) -> builtins.bool:
        if self.array.size != 1:
            raise ShapeError(f"the truth of a tensor of shape {tuple(self.shape)} is ambiguous; use .any() or .all()")
        return builtins.bool(self.array)

    def __float__(self) -> builtins.float:
        return builtins.float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.size != 1 or self.array.dtype.kind == "f":
            raise TypeError(
                f"only an integer tensor of one element is an index, got {self.dtype} of {tuple(self.shape)}"
            )
        return int(self.array.item())

    def __format__(self, spec: str) -> str:
        if not self.ndim:
            return format(self.item(), spec)
        if spec:
            raise TypeError(f"the format {spec!r} is for numbers, not for a tensor of shape {tuple(self.shape)}")
        return repr(self)

    def __copy__(self) -> Any:
        new = self._twin(self.array)
        new.version = self.version
        if hasattr(self, "__dict__"):  # of a subclass
            new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        new = memo[id(self)] = self._twin(self.array.copy(order="K"))
        new.grad = None if self.grad is None else copy.deepcopy(self.grad.detach(), memo)
        if hasattr(self, "__dict__"):
            new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def _twin(self, array: Array) -> Any:
        self._check_leaf("copied")
        return _rebuild(type(self), array, self.needs_grad)

    def __reduce__(self) -> Any:
        self._check_leaf("pickled")
        return _rebuild, (type(self), self.array, self.needs_grad), getattr(self, "__dict__", None)

    def _check_leaf(self, what: str) -> None:
        if not self.is_leaf:
            raise GradientError(f"only leaf tensors can be {what} as objects; detach() this one first")


def _rebuild(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    """Make a leaf of any class of tensors, on this memory, without its constructor."""
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor)
    dtype = as_dtype(array.dtype)  # numpy unpickles arrays with a dtype object of their own
    tensor.array = array if array.dtype is dtype else array.view(dtype)
    tensor.needs_grad = requires_grad
    return tensor


set_tensor_class(Tensor)
