"""Functions that count elements and search among them. None of them has a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import int32, int64
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops.shape import normalize_dim
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = ["bincount", "bucketize", "histc", "isin", "searchsorted", "unique", "unique_consecutive"]


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements, or slices along `dim`, in order.

    Args:
        input: any tensor.
        sorted: accepted; they are always sorted.
        return_inverse: return for each element which one it is, too.
        return_counts: return how often each occurs, too.
        dim: along which slices are compared; None compares elements.

    >>> import trainkit as tk
    >>> tk.unique(tk.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    at = _slices(input, dim)
    found, inverse, counts = np.unique(input.array, return_inverse=True, return_counts=True, axis=at, equal_nan=False)
    inverse = inverse.reshape(input.array.shape if at is None else (input.array.shape[at],))
    return _results(found, inverse, counts, return_inverse, return_counts)


def _slices(input: Tensor, dim: int | None) -> int | None:
    """Return along which dimension slices are compared, counted from the front."""
    if dim is None:
        return None
    shape = input.array.shape
    if not shape:
        raise IndexRangeError(f"a tensor of no dimensions has no slices along dim={dim}; leave dim out")
    at = normalize_dim(dim, len(shape))
    if 0 in shape[:at] + shape[at + 1 :]:
        raise ShapeError(f"slices without elements cannot be compared; got shape {shape} and dim={dim}")
    return at


def _results(found: Any, inverse: Any, counts: Any, return_inverse: bool, return_counts: bool) -> Any:
    parts = [wrap(np.ascontiguousarray(found))]
    if return_inverse:
        parts.append(wrap(inverse.astype(np.int64)))
    if return_counts:
        parts.append(wrap(counts.astype(np.int64)))
    return parts[0] if len(parts) == 1 else tuple(parts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements, or slices along `dim`, that differ from the one before; arguments as for `unique`."""
    at = _slices(input, dim)
    rows = input.array.reshape(-1) if at is None else np.moveaxis(input.array, at, 0)
    size = rows.shape[0]
    new = np.ones(size, bool)
    if size:
        new[1:] = (rows[1:] != rows[:-1]).any(tuple(range(1, rows.ndim)))
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=size)
    inverse = np.cumsum(new) - 1
    found = rows[starts] if at is None else np.moveaxis(rows[starts], 0, at)
    if at is None:
        inverse = inverse.reshape(input.array.shape)
    return _results(found, inverse, counts, return_inverse, return_counts)


def bincount(input: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
    """Count how often each integer from 0 on occurs in `input` (n,), or sum the `weights` of its places.

    Raises:
        ArgumentError: an integer is negative.
        ShapeError: the input has not one dimension, or the weights have another shape.
    """
    if input.array.dtype.kind not in "iu":
        raise DTypeError(f"bincount counts integers, got {input.array.dtype}; cast with .long()")
    if input.array.ndim != 1:
        raise ShapeError(f"bincount needs one dimension, got shape {input.array.shape}; flatten it first")
    if input.array.size and input.array.min() < 0:
        raise ArgumentError(f"bincount counts integers from 0 on, got {input.array.min()} among them")
    if minlength < 0:
        raise ArgumentError(f"minlength must not be negative, got {minlength}")
    if weights is not None and weights.array.shape != input.array.shape:
        raise ShapeError(f"bincount needs a weight for each element: {input.array.shape}, got {weights.array.shape}")
    if weights is None or not input.array.size:
        return wrap(np.bincount(input.array, None, minlength).astype(np.int64))
    dtype = weights.array.dtype if weights.array.dtype == np.float32 else np.float64
    return wrap(np.bincount(input.array, weights.array, minlength).astype(dtype))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Count the elements in `bins` equal parts of [min, max]; of [smallest, largest] where `min` is `max`.

    Raises:
        ArgumentError: `max` is below `min`, or there are no bins.
    """
    if bins < 1:
        raise ArgumentError(f"histc needs at least one bin, got {bins}")
    array = input.array
    if array.dtype.kind != "f":
        raise DTypeError(f"histc counts floating point numbers, got {array.dtype}; cast with .float()")
    if min == max and array.size:
        min, max = float(array.min()), float(array.max())
    if min == max:
        min, max = min - 1, max + 1
    if not (np.isfinite(min) and np.isfinite(max)) or max < min:
        raise ArgumentError(f"histc needs finite bounds with min <= max, got {min} and {max}")
    inside = array[(array >= min) & (array <= max)]
    place = np.minimum(((inside - min) * bins / (max - min)).astype(np.int64), bins - 1)
    return wrap(np.bincount(place.reshape(-1), minlength=bins).astype(array.dtype))


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Tensor:
    """Tell where each element would have to stand in a sorted sequence: behind how many smaller ones.

    Args:
        sorted_sequence: (..., n), sorted along its last dimension.
        input: numbers; the dimensions before the last as those of the sequence, unless that has one alone.
        out_int32: give int32 in place of int64.
        right: stand behind equals, not before.
        side: "left" or "right", in place of `right`.
        sorter: the order that sorts the sequence, if it is not sorted.
    """
    if side not in (None, "left", "right"):
        raise ArgumentError(f'side must be "left" or "right", got {side!r}')
    if side == "left" and right:
        raise ArgumentError("side='left' and right=True contradict each other; give one")
    behind = right or side == "right"
    sequence = sorted_sequence.array
    if sequence.ndim == 0:
        raise ShapeError("searchsorted needs a sequence of at least one dimension, got none")
    if sorter is not None:
        sequence = np.take_along_axis(sequence, sorter.array, -1)
    values = input.array if isinstance(input, TensorBase) else np.asarray(input)
    if sequence.ndim > 1 and (values.ndim != sequence.ndim or values.shape[:-1] != sequence.shape[:-1]):
        raise ShapeError(
            f"searchsorted needs a sequence of one dimension, or the same dimensions before the last: "
            f"{sequence.shape} and {values.shape}"
        )
    if sequence.ndim > 1 or any(x.dtype.kind == "f" and np.isnan(x).any() for x in (sequence, values)):
        found = _searched(sequence, values, behind)
    else:
        found = np.searchsorted(sequence, values, "right" if behind else "left")
    return wrap(np.asarray(found, int32 if out_int32 else int64))


def _searched(sequence: Array, values: Array, behind: bool) -> Array:
    """Halve the ranges in which the places lie, all at once; what does not compare, NaN, counts as smaller."""
    low = np.zeros(values.shape, np.int64)
    high = np.full(values.shape, sequence.shape[-1])
    while (open := low < high).any():
        middle = (low + high) // 2
        at = np.minimum(middle, sequence.shape[-1] - 1)
        found = sequence[at] if sequence.ndim == 1 else np.take_along_axis(sequence, at, -1)
        below = open & ~(found > values if behind else found >= values)
        low = np.where(below, middle + 1, low)
        high = np.where(open & ~below, middle, high)
    return low


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Tell in which of the buckets between sorted boundaries (n,) each element lies."""
    if boundaries.array.ndim != 1:
        raise ShapeError(f"boundaries must have one dimension, got shape {boundaries.array.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Tell which elements are among `test_elements`."""
    first, second = (x.array if isinstance(x, TensorBase) else np.asarray(x) for x in (elements, test_elements))
    return wrap(np.asarray(np.isin(first, second, assume_unique=assume_unique, invert=invert)))
