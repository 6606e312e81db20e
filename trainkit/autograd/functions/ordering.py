"""Functions that bring elements into order: by sorting, or by rank alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.functions.arithmetic import lerp
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.rank import middle
from trainkit.autograd.ops.reduce import check_some, pick
from trainkit.autograd.ops.results import Chosen
from trainkit.autograd.ops.shape import movedim, normalize_dim, reshape
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "argsort",
    "kthvalue",
    "median",
    "mode",
    "msort",
    "nanmedian",
    "nanquantile",
    "quantile",
    "sort",
    "topk",
]


def _order(array: Array, at: int, descending: bool) -> Array:
    """Return the places of the elements in order, equals as they came; NaN counts as the largest."""
    if not descending:
        return np.argsort(array, at, kind="stable")
    # backwards twice: the order falls, and equals stay as they came
    back = np.flip(array, at)
    return array.shape[at] - 1 - np.flip(np.argsort(back, at, kind="stable"), at)


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Chosen:
    """Sort along `dim`: values and where they stood. Equals stay as they came; NaN counts as the largest.

    >>> import trainkit as tk
    >>> tk.sort(tk.tensor([3, 1, 2]), descending=True)
    Chosen(values=tensor([3, 2, 1]), indices=tensor([0, 2, 1]))
    """
    at = normalize_dim(dim, input.array.ndim)
    if input.array.ndim == 0:
        return Chosen(reshape(input, ()), wrap(np.zeros((), np.int64)))
    index = wrap(_order(input.array, at, descending).astype(np.int64))
    return Chosen(gather(input, at, index), index)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Tell where the elements stand that come first, second and so on along `dim`."""
    return sort(input, dim, descending).indices


def msort(input: Tensor) -> Tensor:
    """Sort along the first dimension: the values alone."""
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Chosen:
    """The `k` largest, or smallest, along `dim`, in order, and where they stand.

    Raises:
        IndexRangeError: there are fewer than `k`.
    """
    at = normalize_dim(dim, input.array.ndim)
    size = input.array.shape[at] if input.array.ndim else 1
    if not 0 <= k <= size:
        raise IndexRangeError(f"topk of {k} along a dimension of size {size}; k goes from 0 to {size}")
    if input.array.ndim == 0:
        if k == 0:
            return Chosen(wrap(np.zeros(0, input.array.dtype)), wrap(np.zeros(0, np.int64)))
        return Chosen(reshape(input, ()), wrap(np.zeros((), np.int64)))
    index = wrap(np.ascontiguousarray(_first(input.array, k, at, largest)))
    return Chosen(gather(input, at, index), index)


def _first(array: Array, k: int, at: int, largest: bool) -> Array:
    """Return the places of the `k` largest, or smallest, in order."""
    size = array.shape[at]
    front = (slice(None),) * at
    if not 0 < k <= size // 8:  # too many for a partition to save time
        return _order(array, at, largest)[(*front, slice(k))]
    if largest:
        places = np.argpartition(array, size - k, at)[(*front, slice(size - k, None))]
    else:
        places = np.argpartition(array, k - 1, at)[(*front, slice(k))]
    places = np.sort(places, at)
    return np.take_along_axis(places, _order(np.take_along_axis(array, places, at), at, largest), at)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Chosen:
    """The `k`-th smallest along `dim`, counted from 1, and where it stands.

    Raises:
        IndexRangeError: there is none.
    """
    at = normalize_dim(dim, input.array.ndim)
    size = input.array.shape[at] if input.array.ndim else 1
    if not 1 <= k <= size:
        raise IndexRangeError(f"kthvalue {k} along a dimension of size {size}; k goes from 1 to {size}")
    return _ranked(input, at, k - 1, keepdim)


def _ranked(input: Any, at: int, rank: int, keepdim: bool) -> Chosen:
    if input.array.ndim == 0:
        return Chosen(reshape(input, ()), wrap(np.zeros((), np.int64)))
    order = np.argpartition(input.array, rank, at)
    index = wrap(np.ascontiguousarray(np.take(order, [rank], at)).astype(np.int64))
    return Chosen(*pick(input, index, at, keepdim))


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower of two: of everything, or along `dim` with where it stands. NaN if there is one.

    The gradient of the median of everything is shared by equals, that of a value along `dim` goes to the one indexed.
    """
    if dim is None:
        return middle(input, False)
    return _median(input, normalize_dim(dim, input.array.ndim), keepdim)


def _median(input: Any, at: int, keepdim: bool) -> Chosen:
    array = input.array
    check_some(array, (at,) if array.ndim else ())
    size = array.shape[at] if array.ndim else 1
    if array.ndim and array.dtype.kind == "f" and np.isnan(array).any():
        first_nan = np.argmax(np.isnan(array), at, keepdims=True)
        middle = np.take(np.argsort(array, at, kind="stable"), [(size - 1) // 2], at)
        index = np.where(np.isnan(array).any(at, keepdims=True), first_nan, middle)
        return Chosen(*pick(input, wrap(index.astype(np.int64)), at, keepdim))
    return _ranked(input, at, (size - 1) // 2, keepdim)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower of two, NaN left out: of everything, or along `dim` with where it stands."""
    if dim is None:
        return middle(input, True)
    at = normalize_dim(dim, input.array.ndim)
    if input.array.ndim == 0 or input.array.dtype.kind != "f":
        return _median(input, at, keepdim)
    check_some(input.array, (at,))
    count = (~np.isnan(input.array)).sum(at, keepdims=True)
    order = np.argsort(input.array, at, kind="stable")  # NaN come last
    index = np.take_along_axis(order, np.maximum(count - 1, 0) // 2, at)
    return Chosen(*pick(input, wrap(index.astype(np.int64)), at, keepdim))


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Chosen:
    """The most frequent element along `dim`, the smallest of several, and the last place where it stands.

    Differs from PyTorch: NaN, which equals nothing, is never more frequent than a number.
    """
    at = normalize_dim(dim, input.array.ndim)
    array = input.array
    if array.ndim == 0:
        return Chosen(reshape(input, ()), wrap(np.zeros((), np.int64)))
    check_some(array, (at,))
    if array.size == 0:
        index = np.zeros([1 if i == at else size for i, size in enumerate(array.shape)], np.int64)
        return Chosen(*pick(input, wrap(index), at, keepdim))
    order = np.argsort(array, at, kind="stable")
    ranked = np.moveaxis(np.take_along_axis(array, order, at), at, -1)
    places = np.arange(ranked.shape[-1])
    starts = np.zeros(ranked.shape, np.int64)  # of the run of equals that each element belongs to
    starts[..., 1:] = np.where(ranked[..., 1:] != ranked[..., :-1], places[1:], 0)
    longest = np.argmax(places - np.maximum.accumulate(starts, -1), -1, keepdims=True)  # where the first such run ends
    index = np.take_along_axis(order, np.moveaxis(longest, -1, at), at)
    return Chosen(*pick(input, wrap(index), at, keepdim))


_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The values below which the fractions `q` of the elements lie; NaN where there is one.

    Args:
        input: floating point numbers.
        q: a number from 0 to 1, or a tensor of one dimension of them, which is the first of the result.
        dim: along which; None for everything.
        keepdim: keep the dimension, with size 1.
        interpolation: between neighbours: "linear", "lower", "higher", "midpoint" or "nearest".
    """
    return _quantile(input, q, dim, keepdim, interpolation, False)


def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """`quantile` with NaN left out."""
    return _quantile(input, q, dim, keepdim, interpolation, True)


def _quantile(input: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip: bool) -> Any:
    dtype = input.array.dtype
    if dtype.char not in "fd":
        raise DTypeError(f"quantile needs float32 or float64, got {dtype}; cast first (.float())")
    if interpolation not in _METHODS:
        raise ArgumentError(f"interpolation must be one of {', '.join(_METHODS)}, got {interpolation!r}")
    if isinstance(q, TensorBase) and q.array.dtype != dtype:
        raise DTypeError(f"q must have the dtype of the input, {dtype}, got {q.array.dtype}")
    fractions = q.array if isinstance(q, TensorBase) else np.asarray(q, dtype)
    if fractions.ndim > 1 or not ((fractions >= 0) & (fractions <= 1)).all():
        raise ArgumentError(f"q must be one number or a row of them, from 0 to 1, got {q}")
    ndim = input.array.ndim
    if dim is None or ndim == 0:
        normalize_dim(dim or 0, ndim)
        rows = reshape(input, (1, input.array.size))
        kept: tuple[int, ...] = (1,) * ndim if keepdim else ()
    else:
        at = normalize_dim(dim, ndim)
        rows = movedim(input, at, -1)
        rest = rows.array.shape[:-1]
        kept = (*rest[:at], 1, *rest[at:]) if keepdim else rest
    size = rows.array.shape[-1]
    if size == 0:
        raise IndexRangeError(f"a quantile of no elements is not defined; got shape {input.array.shape}")
    order = np.argsort(rows.array, -1, kind="stable")  # NaN come last
    nan = np.isnan(rows.array)
    last = (size - nan.sum(-1, keepdims=True) if skip else np.full((*rows.array.shape[:-1], 1), size)) - 1
    last = np.maximum(last, 0).astype(dtype)
    rank = fractions.reshape(-1) * last  # (..., q)
    if not skip:
        rank = np.where(nan.any(-1, keepdims=True), last, rank)  # where NaN stands
    if interpolation in ("lower", "higher", "nearest"):
        rounded: Any = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}[interpolation]
        rank = rounded(rank)
    low, high = np.floor(rank), np.ceil(rank)

    def at_rank(which: Array) -> Any:
        return gather(rows, rows.array.ndim - 1, wrap(np.take_along_axis(order, which.astype(np.int64), -1)))

    out = at_rank(low)
    if interpolation in ("linear", "midpoint"):
        weight = wrap(np.full_like(rank, 0.5) if interpolation == "midpoint" else rank - low)
        if interpolation == "linear" and isinstance(q, TensorBase) and q.needs_grad:
            weight = reshape(q, (fractions.size,)) * wrap(last) - wrap(low)
        with np.errstate(invalid="ignore"):  # between infinities lies NaN
            out = lerp(out, at_rank(high), weight)
    if fractions.ndim == 0:
        return reshape(out, kept)
    return reshape(movedim(out, -1, 0), (fractions.size, *kept))
