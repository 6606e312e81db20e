"""What stands between the brackets of `x[...]`, with PyTorch's meaning, in which it differs from numpy's in places."""

import math
from operator import index as as_integer
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.convert import array_from
from trainkit.autograd.dtypes import bool_, int32, int64, uint8
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.size import integer
from trainkit.errors import ArgumentError, IndexRangeError

__all__ = ["Places", "complaint", "is_basic", "is_mask", "plain_index", "set_at"]

_ALL = slice(None)
_ADVANCED = {np.ndarray, bool}


def plain_index(index: Any) -> Any:
    """Return an index whose tensors and lists have become arrays, or integers and booleans where they hold one.

    What is left in it: integers, slices, None, Ellipsis, True and False, arrays of int64, int32 and bool. The arrays
    may be those of the tensors that came.

    Raises:
        IndexRangeError: something in it is no index.
        ArgumentError: the step of a slice is not positive.
    """
    kind = type(index)
    if kind is int:
        return index
    if isinstance(index, tuple) or (kind is list and _is_old_tuple(index)):
        return tuple([_plain(part) for part in index])
    return _plain(index)


def _is_old_tuple(index: list[Any]) -> bool:
    """Tell whether a list stands for a tuple, as in numpy's old style, which PyTorch still follows."""
    return len(index) < 32 and any(
        part is None or part is Ellipsis or isinstance(part, (slice, TensorBase, np.ndarray, list, tuple, range))
        for part in index
    )


def _plain(part: Any) -> Any:
    kind = type(part)
    if kind is int or part is None or part is Ellipsis or kind is bool:
        return part
    if kind is slice:
        return _plain_slice(part)
    if isinstance(part, TensorBase):
        array = part.array
        if array.ndim and array.dtype not in (int64, int32, uint8, bool_):
            raise IndexRangeError(
                f"a tensor of dtype {array.dtype} is no index; it takes int64, int32 or bool, cast it with .long()"
            )
    elif isinstance(part, (np.ndarray, np.generic)):
        array = np.asarray(part)
    elif isinstance(part, (list, tuple, range)):
        array = array_from(list(part) if isinstance(part, range) else part)
        if not array.size:
            return np.zeros(array.shape, np.int64)
    elif hasattr(part, "__index__"):
        return as_integer(part)
    else:
        raise IndexRangeError(
            f"an index is made of integers, slices, None, ..., and integer or bool tensors; got {kind.__name__}"
        )
    if array.dtype.kind not in "iub":
        raise IndexRangeError(f"an index holds integers or booleans, got {array.dtype}; cast it with .long()")
    if array.dtype == uint8:
        array = array != 0  # a mask, of the time before there were booleans
    if not array.ndim:
        return array.item()
    return array if array.dtype in (int64, int32, bool_) else array.astype(np.int64)


def _plain_slice(part: slice) -> slice:
    start, stop, step = part.start, part.stop, part.step
    if step is not None and integer(step, "the step of a slice") <= 0:
        raise ArgumentError(f"the step of a slice must be positive, got {step}; flip() turns the order round")
    if (start is None or type(start) is int) and (stop is None or type(stop) is int):
        return part if step is None or type(step) is int else slice(start, stop, as_integer(step))
    return slice(*[None if bound is None else integer(bound, "the bound of a slice") for bound in (start, stop, step)])


def is_basic(index: Any) -> bool:
    """Tell whether an index is made of integers, slices, None and Ellipsis alone, so that it makes a view."""
    if type(index) is tuple:
        return _ADVANCED.isdisjoint(map(type, index))
    return type(index) not in _ADVANCED and type(index) is not Places


def is_mask(index: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether an index is a mask and nothing else.

    Raises:
        IndexRangeError: it is one of another shape.
    """
    if type(index) is not np.ndarray or index.dtype is not bool_ or not index.ndim:
        return False
    if index.shape != shape[: index.ndim]:
        raise IndexRangeError(f"a mask of shape {index.shape} does not fit dimensions 0 and on of shape {shape}")
    return True


def complaint(shape: tuple[int, ...], index: Any) -> IndexRangeError:
    """Return the error that says what is wrong with a basic index into a tensor of `shape`."""
    parts = index if type(index) is tuple else (index,)
    count = _specified(parts)
    reason = "the index does not fit"
    if not shape:
        reason = "it has no dimensions to index; item() gives its number"
    elif count > len(shape):
        reason = f"too many indices, {count} for {len(shape)} dimensions"
    elif parts.count(Ellipsis) > 1:
        reason = "an index has one ... at most"
    else:
        dim = 0
        for part in parts:
            if part is Ellipsis:
                dim += len(shape) - count
            elif part is not None:
                if type(part) is not slice and not -shape[dim] <= part < shape[dim]:
                    reason = f"index {part} is out of bounds for dimension {dim} of size {shape[dim]}"
                    break
                dim += 1
    return IndexRangeError(f"cannot index a tensor of shape {shape}: {reason}")


def set_at(array: Array, index: Any, value: Any) -> None:
    """`array[index] = value` for what `plain_index` made, with PyTorch's meaning.

    Raises:
        ValueError: numpy's: the shapes do not fit.
    """
    if is_basic(index):
        if type(value) is np.ndarray and value.ndim:
            parts = index if type(index) is tuple else (index,)
            if Ellipsis not in parts:
                index = (*parts, ...)  # else numpy takes no array for a single element, not even one of one
        try:
            array[index] = value
        except IndexError:
            raise complaint(array.shape, index) from None
    elif is_mask(index, array.shape):
        extra = np.ndim(value) - (array.ndim - index.ndim + 1)
        if extra > 0 and value.shape[:extra] == (1,) * extra:
            value = value.reshape(value.shape[extra:])  # numpy refuses more dimensions here and nowhere else
        array[index] = value
    else:
        (index if type(index) is Places else Places(index, array.shape)).write(array, value)


def _specified(parts: tuple[Any, ...]) -> int:
    """Count the dimensions that an index names."""
    count = 0
    for part in parts:
        if type(part) is np.ndarray and part.dtype is bool_:
            count += part.ndim
        elif part is not None and part is not Ellipsis and type(part) is not bool:
            count += 1
    return count


class Places:
    """Where an index with arrays in it points in a tensor of one shape.

    As in PyTorch, integers, slices and None make a view first, and the arrays pick of it; numpy takes an integer beside
    arrays for one of these, which puts the dimensions of the result elsewhere.

    Attributes:
        shape: of the tensor.
        basic: the index that makes the view; None where that is the tensor itself.
        arrays: for the leading dimensions of the view an array of int64 or None; masks have become integers.
        dims: those of the view that have an array.
    """

    __slots__ = ("arrays", "basic", "dims", "shape")

    def __init__(self, index: Any, shape: tuple[int, ...], copy: bool = False) -> None:
        """Find the places; `copy` the arrays, so that a later change of them means nothing."""
        parts = index if type(index) is tuple else (index,)
        self.shape = shape
        count = _specified(parts)
        if count > len(shape) or sum([part is Ellipsis for part in parts]) > 1:
            raise self._error(
                f"too many indices, {count} for {len(shape)} dimensions"
                if count > len(shape)
                else "an index has one ... at most"
            )
        basic: list[Any] = []
        arrays: list[Array | None] = []
        dim = 0
        for part in parts:
            kind = type(part)
            if part is Ellipsis:
                rest = len(shape) - count
                basic += [_ALL] * rest
                arrays += [None] * rest
                dim += rest
            elif part is None or kind is slice:
                basic.append(part)
                arrays.append(None)
                dim += part is not None
            elif kind is bool or (kind is np.ndarray and part.ndim == 0 and part.dtype is bool_):
                basic.append(None)
                arrays.append(np.zeros(int(part), np.int64))
            elif kind is not np.ndarray or not part.ndim:
                number, size = int(part), shape[dim]
                if not -size <= number < size:
                    raise self._error(f"index {number} is out of bounds for dimension {dim} of size {size}")
                basic.append(number)
                dim += 1
            elif part.dtype is bool_:
                if part.shape != shape[dim : dim + part.ndim]:
                    raise self._error(f"a mask of shape {part.shape} does not fit its dimensions {dim} and on")
                basic += [_ALL] * part.ndim
                arrays += part.nonzero()
                dim += part.ndim
            else:
                basic.append(_ALL)
                arrays.append(part.astype(np.int64, copy=copy))
                dim += 1
        while arrays[-1] is None:
            arrays.pop()
        self.basic = None if basic.count(_ALL) == len(basic) else tuple(basic)
        self.arrays = tuple(arrays)
        self.dims = [dim for dim, array in enumerate(arrays) if array is not None]

    def pick(self, x: Array) -> Array:
        """Return the elements at the places, a copy."""
        view = x if self.basic is None else x[self.basic]
        try:
            if len(self.dims) == 1 and view.flags.c_contiguous:
                only: Any = self.arrays[-1]
                return view.take(only, self.dims[0])
            return view[self._key]
        except IndexError:
            raise self._wrong(view.shape) from None

    def write(self, x: Array, value: Any) -> None:
        """Write `value` at the places; which of several that meet in one place is left open."""
        view = x if self.basic is None else x[self.basic]
        try:
            view[self._key] = value
        except IndexError:
            raise self._wrong(view.shape) from None

    def picked_shape(self) -> tuple[int, ...]:
        """Return the shape of what is picked."""
        return self.pick(np.broadcast_to(False, self.shape)).shape

    def sum(self, values: Array) -> Array:
        """Add up `values`, as `pick` gives them, where they came from, in zeros."""
        out = np.zeros(self.shape, values.dtype)
        view = out if self.basic is None else out[self.basic]
        sizes = view.shape
        dims = self.dims
        index = self._joined(sizes)
        first, last = dims[0], dims[-1] + 1
        count = math.prod([sizes[dim] for dim in dims])
        if last - first == len(dims):  # the dimensions of the arrays stay where they are
            before, after = math.prod(sizes[:first]), math.prod(sizes[last:])
            shape = (*sizes[:first], *index.shape, *sizes[last:])
            total = out if view is out else np.zeros(sizes, values.dtype)
        else:  # they come first
            others = [dim for dim in range(len(sizes)) if dim not in dims]
            rest = [sizes[dim] for dim in others]
            before, after = 1, math.prod(rest)
            shape = (*index.shape, *rest)
            total = np.zeros([sizes[dim] for dim in dims] + rest, values.dtype)
            view = view.transpose(dims + others)
        if values.shape != shape:
            values = np.broadcast_to(values, shape)
        kernels.add_rows(
            total.reshape(before, count, after), index.reshape(-1), values.reshape(before, index.size, after)
        )
        if total is not out:
            view[...] = total
        return out

    @property
    def _key(self) -> tuple[Any, ...]:
        return tuple([_ALL if array is None else array for array in self.arrays])

    def _joined(self, sizes: tuple[int, ...]) -> Any:
        """Return the places in all dimensions of arrays as places in one, as if these were flattened."""
        if len(self.dims) == 1:
            return self.arrays[self.dims[0]]
        joined: Any = 0
        for dim in self.dims:
            array: Any = self.arrays[dim]
            joined = joined * sizes[dim] + np.where(array < 0, array + sizes[dim], array)
        return joined

    def _wrong(self, sizes: tuple[int, ...]) -> IndexRangeError:
        """Return the error for arrays that do not fit a view of these sizes."""
        for dim, array in enumerate(self.arrays):
            if array is not None:
                outside = array[(array < -sizes[dim]) | (array >= sizes[dim])]
                if outside.size:
                    where = f"dimension {dim} of size {sizes[dim]}"
                    if self.basic is not None:
                        where += f" of the view of shape {sizes} that the rest of the index makes"
                    return self._error(f"index {outside[0]} is out of bounds for {where}")
        shapes = [array.shape for array in self.arrays if array is not None]
        return self._error(f"index tensors of shapes {' and '.join(map(str, shapes))} do not broadcast")

    def _error(self, reason: str) -> IndexRangeError:
        return IndexRangeError(f"cannot index a tensor of shape {self.shape}: {reason}")
