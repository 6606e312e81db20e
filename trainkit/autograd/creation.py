"""Tensors from data, and tensors filled by a rule."""

import math
import warnings
from typing import Any

import numpy as np

from trainkit.autograd import dtypes
from trainkit.autograd.convert import (
    array_from,
    cast_array,
    constructor_array,
    default_or,
    dtype_of,
    finish,
    shape_from,
)
from trainkit.autograd.dtypes import TENSOR_TYPES, as_dtype
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.tensor import Tensor
from trainkit.errors import ArgumentError, DTypeError

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "TensorType",
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "eye",
    "from_numpy",
    "full",
    "is_tensor",
    "linspace",
    "logspace",
    "ones",
    "tensor",
    "zeros",
]


def is_tensor(obj: Any) -> bool:
    """Tell whether `obj` is a tensor."""
    return isinstance(obj, TensorBase)


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """Make a tensor of a copy of `data`: numbers, nested sequences, an array or a tensor.

    Python floats become the default dtype; arrays, tensors and numpy's scalars keep theirs.

    Differs from PyTorch: tensors of several elements inside a sequence are stacked.

    Raises:
        ArgumentError: rows differ in length, or a number does not fit the dtype.
        DTypeError: the values are no numbers, or complex ones.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    return finish(array_from(data, dtype), device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Make a tensor of `data`, sharing its memory where it is an array or a tensor of that dtype already."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    if isinstance(data, np.ndarray) and (dtype is None or as_dtype(dtype) == data.dtype) and _can_share(data):
        return finish(_shared(data), device)
    return finish(array_from(data, dtype), device)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Tensor:
    """Make a tensor of `obj`, sharing its memory where that is possible.

    Args:
        obj: numbers, nested sequences, an array or a tensor.
        dtype: of the result; that of the data where it is None.
        device: the CPU.
        copy: True always copies, False never does.
        requires_grad: of the result; that of `obj` where it is None.

    Raises:
        ArgumentError: `copy` is False and the memory cannot be shared.
    """
    source = obj.array if isinstance(obj, TensorBase) else obj
    if copy:
        result = tensor(obj, dtype=dtype, device=device) if source is obj else obj.to(dtype, copy=True)
    else:
        result = as_tensor(obj, dtype, device)
        if copy is False and not (isinstance(source, np.ndarray) and _same_memory(result.array, source)):
            raise ArgumentError(
                f"the memory of a {type(obj).__name__} cannot be shared as {result.dtype}; leave copy=False out"
            )
    if requires_grad is not None and requires_grad != result.needs_grad:
        return result.requires_grad_() if requires_grad else result.detach()
    return result


def _same_memory(a: Array, b: Array) -> bool:
    return a.ctypes.data == b.ctypes.data and a.dtype == b.dtype


def from_numpy(ndarray: Any) -> Tensor:
    """Make a tensor that shares the memory of an array.

    An array that may not be written to gives a warning, and a tensor that cannot be changed in place.

    Raises:
        ArgumentError: a stride is negative or the bytes are in another machine's order; a copy mends both.
        DTypeError: it is no array, or of a dtype that tensors do not have.

    >>> import numpy as np
    >>> from_numpy(np.array([0.5, 1.5]))
    tensor([0.5000, 1.5000], dtype=float64)
    """
    if not isinstance(ndarray, np.ndarray):
        raise DTypeError(f"from_numpy needs an ndarray, got {type(ndarray).__name__}; use trainkit.tensor()")
    dtype_of(ndarray)
    if not _can_share(ndarray):
        raise ArgumentError(
            f"from_numpy cannot share the memory of an array of dtype {ndarray.dtype.str} with strides "
            f"{ndarray.strides}: negative strides and foreign byte orders are not supported; give it a .copy(), or use "
            "trainkit.tensor(), which copies"
        )
    return finish(_shared(ndarray))


def _can_share(array: Array) -> bool:
    """Tell whether a tensor can lie on the memory of `array` as it is."""
    return array.dtype.isnative and (
        array.flags.c_contiguous or all(step >= 0 and step % array.itemsize == 0 for step in array.strides)
    )


def _shared(array: Array) -> Array:
    """Return an array on the same memory whose dtype is trainkit's own object, on which ops rely for speed."""
    if not array.flags.writeable:
        warnings.warn(
            "the array may not be written to, so changing the tensor in place will raise; give it a .copy() if it is "
            "to be changed",
            UserWarning,
            stacklevel=3,
        )
    dtype = dtype_of(array)
    return array if array.dtype is dtype else array.view(dtype)


def zeros(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make a tensor of zeros."""
    return finish(np.zeros(shape_from(sizes, size), default_or(dtype)), device, requires_grad)


def ones(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make a tensor of ones."""
    return finish(np.ones(shape_from(sizes, size), default_or(dtype)), device, requires_grad)


def empty(
    *sizes: Any,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make a tensor whose values are whatever lay in memory."""
    return finish(np.empty(shape_from(sizes, size), default_or(dtype)), device, requires_grad)


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make a tensor of `fill_value`; its dtype is that of the value where none is given."""
    value = array_from(fill_value, dtype)
    return finish(np.full(shape_from((), size), value, value.dtype), device, requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make a matrix (n, m) with ones on its diagonal; m is n where it is not given."""
    rows, columns = shape_from((n, n if m is None else m))
    return finish(np.eye(rows, columns, dtype=default_or(dtype)), device, requires_grad)


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Count: `arange(end)`, `arange(start, end)`, `arange(start, end, step)`; the end is left out.

    Integers give int64, a float among the arguments gives the default dtype.

    Raises:
        ArgumentError: the step is 0, leads away from the end, or a bound is not finite.

    >>> arange(3)
    tensor([0, 1, 2])
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (x.item() if hasattr(x, "item") else x for x in (start, end, step))
    if dtype is None:
        whole = not any(isinstance(bound, float) for bound in (start, end, step))
        dtype = dtypes.int64 if whole else dtypes.get_default_dtype()
    else:
        dtype = as_dtype(dtype)
    if not all(math.isfinite(bound) for bound in (start, end, step)):
        raise ArgumentError(f"arange needs finite bounds and step, got {start}, {end}, {step}")
    if dtype == dtypes.int64:
        start, end, step = int(start), int(end), int(step)
    if dtype.kind in "iu":
        count = _steps(start, end, step)
        start, step = int(start), int(step)
    else:
        count = _steps(start, end, step)
    values = start + np.arange(count) * step  # in int64 or float64: no error adds up
    return finish(cast_array(values, dtype), device, requires_grad)


def _steps(start: Any, end: Any, step: Any) -> int:
    if step == 0 or (end - start) * step < 0:
        raise ArgumentError(
            f"arange cannot get from {start} to {end} in steps of {step}: the step must not be 0 and lead to the end"
        )
    if isinstance(step, int) and isinstance(start, int) and isinstance(end, int):
        return -((start - end) // step)
    return math.ceil((end - start) / step)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make `steps` numbers evenly spaced from `start` to `end`, both included.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    return finish(cast_array(_spaced(start, end, steps), default_or(dtype)), device, requires_grad)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make `steps` numbers from base**start to base**end, evenly spaced in the exponent.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    with np.errstate(all="ignore"):
        values = np.power(float(base), _spaced(start, end, steps))
    return finish(cast_array(values, default_or(dtype)), device, requires_grad)


def _spaced(start: Any, end: Any, steps: int) -> Array:
    """Count from both ends to the middle, so that the two halves mirror each other and both ends are exact."""
    (count,) = shape_from((steps,))
    first, last = float(start), float(end)
    step = (last - first) / (count - 1) if count > 1 else 0.0
    places = np.arange(count)
    return np.where(places < (count + 1) // 2, first + step * places, last - step * places[::-1])


class TensorType:
    """One of PyTorch's older constructors: `FloatTensor([1, 2])` has the values, `FloatTensor(2, 3)` is of that size.

    It can stand for its dtype: `x.type(LongTensor)`.
    """

    __slots__ = ("__name__", "dtype")

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self.dtype = TENSOR_TYPES[name]

    def __call__(self, *data: Any) -> Tensor:
        """Make a tensor of sizes or of a sequence."""
        return finish(constructor_array(data, self.dtype))

    def __repr__(self) -> str:
        return self.__name__


HalfTensor = TensorType("HalfTensor")
FloatTensor = TensorType("FloatTensor")
DoubleTensor = TensorType("DoubleTensor")
ByteTensor = TensorType("ByteTensor")
CharTensor = TensorType("CharTensor")
ShortTensor = TensorType("ShortTensor")
IntTensor = TensorType("IntTensor")
LongTensor = TensorType("LongTensor")
BoolTensor = TensorType("BoolTensor")
