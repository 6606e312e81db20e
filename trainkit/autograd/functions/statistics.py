"""Functions that say how numbers are spread and how they go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import get_default_dtype
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.choose import clamp
from trainkit.autograd.ops.exponential import sqrt
from trainkit.autograd.ops.linalg import mm
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.results import Histogram
from trainkit.autograd.ops.shape import reshape, squeeze, transpose
from trainkit.autograd.ops.strided import diagonal
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = ["corrcoef", "cov", "histogram"]


def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariances of variables, the rows of a matrix whose columns are observations; of a vector its variance.

    Args:
        input: (variables, observations), or (observations,).
        correction: what the number of observations is reduced by.
        fweights: how often each observation was made, integers (observations,).
        aweights: how much each observation counts, floating point numbers (observations,).

    >>> import trainkit as tk
    >>> tk.cov(tk.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.array.ndim > 2:
        raise ShapeError(f"cov needs a matrix or a vector, got shape {input.array.shape}")
    x: Any = input if input.array.dtype.kind == "f" else cast(input, get_default_dtype())
    if x.array.ndim < 2:
        x = reshape(x, (1, x.array.size))
    weights = _weights(x.array.shape[1], fweights, aweights, x.array.dtype)
    if weights is None:
        number: Any = x.array.shape[1]
        norm = number - correction
        weighted = x
    else:
        number = sum(weights, None, False)
        if not number.array:
            raise ArgumentError("the weights of cov sum to 0, so that there is no mean")
        norm = number - correction
        if aweights is not None and correction:
            norm = number - correction * sum(weights * aweights, None, False) / number
        weighted = x * weights
    mean = sum(weighted, (1,), True) / (number or np.nan if weights is None else number)
    centred = x - mean
    weighted = centred if weights is None else centred * weights
    products = mm(centred, transpose(weighted, 0, 1))
    enough = norm > 0 if weights is None else bool(norm.array > 0)
    return squeeze(products / (norm if enough else 0.0))


def _weights(observations: int, fweights: Any, aweights: Any, dtype: Any) -> Any:
    """Return the product of the two kinds of weights, or None where there are none."""
    product = None
    for name, weights, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if weights is None:
            continue
        if weights.array.shape != (observations,):
            raise ShapeError(
                f"{name} needs a weight for each of {observations} observations, got {weights.array.shape}"
            )
        if weights.array.dtype.kind not in kinds:
            wanted = "integers" if kinds == "iu" else "floating point numbers"
            raise DTypeError(f"{name} must be {wanted}, got {weights.array.dtype}")
        if (weights.array < 0).any():
            raise ArgumentError(f"{name} must not be negative")
        product = cast(weights, dtype) if product is None else product * weights
    return product


def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables, the rows of a matrix whose columns are observations: covariances from -1 to 1."""
    both: Any = cov(input)
    if both.array.ndim == 0:
        return both / both
    deviations = sqrt(diagonal(both, 0, 0, 1))
    return clamp(both / reshape(deviations, (-1, 1)) / deviations, -1, 1)


def histogram(
    input: Tensor, bins: Any, *, range: Sequence[float] | None = None, weight: Any = None, density: bool = False
) -> Histogram:
    """Count the elements in bins, each with its left edge, the last one with its right edge too.

    Args:
        input: floating point numbers.
        bins: how many bins of one width, or their edges in order, of the dtype of `input`.
        range: the outer edges for a number of bins; else those of the elements.
        weight: what each element counts, of the shape of `input`.
        density: divide by the sum of all and by the widths, so that the area is 1.

    >>> import trainkit as tk
    >>> tk.histogram(tk.tensor([1.0, 2.0, 1.0]), 2, range=(0.0, 4.0))
    Histogram(hist=tensor([2., 1.]), bin_edges=tensor([0., 2., 4.]))
    """
    array = input.array
    if array.dtype.char not in "fd":
        raise DTypeError(f"histogram counts float32 or float64, got {array.dtype}; cast with .float()")
    if isinstance(bins, TensorBase):
        edges = bins.array
        if edges.ndim != 1 or edges.size < 1 or edges.dtype != array.dtype:
            raise ArgumentError(f"edges must be a vector of {array.dtype}, got {edges.dtype} of shape {edges.shape}")
        edges = edges.copy()
    else:
        edges = np.linspace(*_outer(array, bins, range), bins + 1, dtype=array.dtype)
    if weight is not None and (weight.array.shape != array.shape or weight.array.dtype != array.dtype):
        raise ArgumentError(
            f"weight must be {array.dtype} of shape {array.shape}, got {weight.array.dtype} of {weight.array.shape}"
        )
    values = array.reshape(-1)
    inside = (values >= edges[0]) & (values <= edges[-1])
    places = np.minimum(np.searchsorted(edges, values[inside], "right") - 1, max(edges.size - 2, 0))
    counted = None if weight is None else weight.array.reshape(-1)[inside]
    hist = np.bincount(places, counted, edges.size - 1)[: edges.size - 1]
    if density:
        with np.errstate(all="ignore"):
            hist = hist / hist.sum() / np.diff(edges)
    return Histogram(wrap(hist.astype(array.dtype)), wrap(edges))


def _outer(array: Any, bins: Any, range: Sequence[float] | None) -> tuple[float, float]:
    """Return the outer edges of a number of bins."""
    if not isinstance(bins, int) or bins < 1:
        raise ArgumentError(f"histogram needs a number of bins of at least 1, or their edges, got {bins!r}")
    if range is not None:
        low, high = range
    else:
        low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (np.isfinite(low) and np.isfinite(high)) or high < low:
        raise ArgumentError(f"histogram needs finite outer edges in order, got {low} and {high}")
    return (low - 0.5, high + 0.5) if low == high else (low, high)
