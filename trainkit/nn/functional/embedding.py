"""Rows of a table by their number."""

import numpy as np

from trainkit.autograd import Tensor, no_grad
from trainkit.autograd.dtypes import int32, int64
from trainkit.autograd.ops.index import check_range as _check_range
from trainkit.autograd.ops.index import index_select as _index_select
from trainkit.autograd.size import integer as _integer
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

__all__ = ["check_dense", "embedding", "padding_row"]


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Pick the rows of `weight` that `input` names: (*) and (rows, features) to (*, features).

    Args:
        input: int64 or int32, none negative.
        weight: the table.
        padding_idx: the row that has no gradient; a negative one counts from the end.
        max_norm: rows that are named and longer are first scaled, in place, to this length.
        norm_type: the order of the norm that `max_norm` limits.
        scale_grad_by_freq: divide the gradient of a row by how often `input` names it.
        sparse: must be False: gradients are dense.

    Raises:
        IndexRangeError: `input` or `padding_idx` names a row that is not there.
        DTypeError: `input` holds no integers of 64 or 32 bits.
        ShapeError: `weight` is no matrix.
        ArgumentError: `sparse` is True.

    >>> import trainkit as tk
    >>> embedding(tk.tensor([1, 0, 1]), tk.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    for argument, name in ((input, "input"), (weight, "weight")):
        if not isinstance(argument, Tensor):
            raise DTypeError(f"embedding takes a tensor as {name}, got {type(argument).__name__}")
    places = input.array
    if places.dtype not in (int64, int32):
        raise DTypeError(f"embedding takes indices of int64 or int32, got {places.dtype}; cast with .long()")
    if weight.array.ndim != 2:
        raise ShapeError(f"embedding takes a weight of shape (rows, features), got {weight.array.shape}")
    check_dense(sparse)
    skip = padding_row(padding_idx, weight.array.shape[0])
    if max_norm is not None:
        _shorten(weight, places, float(max_norm), float(norm_type))
    out = _index_select(weight, 0, input, skip)
    if scale_grad_by_freq and out.requires_grad:
        _, which, counts = np.unique(places, return_inverse=True, return_counts=True)
        share = (1 / counts)[which.reshape(places.shape)].astype(out.array.dtype)[..., None]
        plain = out.detach()
        out = plain + (out - plain) * share  # the difference is 0: it alone has a gradient
    return out


def check_dense(sparse: bool) -> None:
    """Raise where a sparse gradient is asked for."""
    if sparse:
        raise ArgumentError("embedding has no sparse gradients: trainkit's tensors are dense; leave sparse=False")


def padding_row(padding_idx: int | None, rows: int) -> int | None:
    """Return `padding_idx` counted from the front.

    Raises:
        IndexRangeError: there is no such row.
    """
    if padding_idx is None:
        return None
    skip = _integer(padding_idx, "padding_idx")
    if not -rows <= skip < rows:
        raise IndexRangeError(f"padding_idx {skip} is out of range for a weight of {rows} rows")
    return skip % rows


def _shorten(weight: Tensor, places: np.ndarray, most: float, order: float) -> None:
    """Scale the rows at `places` that are longer than `most` to that length, in place."""
    _check_range("embedding", places, 0, weight.array.shape[0])
    named = np.unique(places)
    rows = weight.array[named].astype(np.float64)
    lengths = np.linalg.norm(rows, order, axis=1, keepdims=True)
    longer = lengths[:, 0] > most
    if longer.any():
        with no_grad():
            weight[named[longer]] = Tensor(rows[longer] * (most / (lengths[longer] + 1e-7))).to(weight.dtype)
