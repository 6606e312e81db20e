"""Functions that make one number of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd.dtypes import as_dtype, get_default_dtype
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.matrix_norms import matrix_norm
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import reduce as ops
from trainkit.autograd.ops import scan
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.choose import masked, maximum, minimum
from trainkit.autograd.ops.reduce import check_floating
from trainkit.autograd.ops.results import Chosen, MinMax
from trainkit.autograd.ops.shape import normalize_dim, normalize_dims, reshape
from trainkit.autograd.ops.vector_norm import vector_norm
from trainkit.errors import ArgumentError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "all",
    "amax",
    "amin",
    "aminmax",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "dist",
    "logsumexp",
    "max",
    "mean",
    "min",
    "nanmean",
    "nansum",
    "norm",
    "prod",
    "std",
    "std_mean",
    "sum",
    "var",
    "var_mean",
]

Dim = int | Sequence[int] | None


def _dims(input: TensorBase, dim: Any) -> tuple[int, ...] | None:
    """Return the dimensions that `dim` names, counted from the front; None for all."""
    return None if dim is None else normalize_dims(dim, input.array.ndim)


def _typed(input: Any, dtype: Any) -> Any:
    return input if dtype is None or input.array.dtype == as_dtype(dtype) else cast(input, as_dtype(dtype))


def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over `dim`, or over everything; integers and booleans sum in int64.

    Float32 is added in float64, whatever the layout.

    Args:
        input: any tensor.
        dim: one dimension, or several.
        keepdim: keep the dimensions, with size 1.
        dtype: to cast to first.

    >>> import trainkit as tk
    >>> tk.sum(tk.ones(2, 3), 0)
    tensor([2., 2., 2.])
    """
    if dtype is not None:
        input = _typed(input, dtype)
        out = ops.sum(input, _dims(input, dim), keepdim)
        return _typed(out, dtype)
    if dim is None and not keepdim:
        return ops.sum_all(input)
    return ops.sum(input, None if dim is None else normalize_dims(dim, input.array.ndim), keepdim)


def nansum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over `dim`, NaN counting as 0."""
    return ops.sum(_typed(_without_nan(input), dtype), _dims(input, dim), keepdim)


def _without_nan(input: Any) -> Any:
    return masked(input, wrap(~np.isnan(input.array))) if input.array.dtype.kind == "f" else input


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Average over `dim`, or over everything; NaN over nothing.

    Raises:
        DTypeError: the tensor holds integers and no floating dtype is given.
    """
    if dtype is not None:
        input = _typed(input, dtype)
    check_floating("mean", input)
    return ops.mean(input, None if dim is None else normalize_dims(dim, input.array.ndim), keepdim)


def nanmean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Average over `dim`, NaN left out."""
    input = _typed(input, dtype)
    check_floating("nanmean", input)
    dims = _dims(input, dim)
    numbers = np.sum(~np.isnan(input.array), axis=dims, keepdims=keepdim)
    return ops.sum(_without_nan(input), dims, keepdim) / wrap(np.asarray(numbers, input.array.dtype))


def _spread_arguments(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    """Sort out PyTorch's overloads: `var(x, unbiased)`, `var(x, dim, unbiased)`, `var(x, dim, correction=)`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ArgumentError("give unbiased or correction, not both: unbiased=True is correction=1")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return dim, correction


def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """Variance over `dim`, or over everything: the squared distances from the mean, divided by their number less 1.

    Args:
        input: floating point numbers.
        dim: dimensions; or `unbiased`, in its place.
        unbiased: False divides by the number itself.
        keepdim: keep the dimensions, with size 1.
        correction: what to take off the number, in place of `unbiased`.
    """
    check_floating("var", input)
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return ops.var(input, _dims(input, dim), correction, keepdim)


def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """Standard deviation over `dim`: the root of `var`, with its arguments; its gradient is 0 where it is 0."""
    check_floating("std", input)
    dim, correction = _spread_arguments(dim, unbiased, correction)
    return ops.std(input, _dims(input, dim), correction, keepdim)


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """Variance and mean over `dim`; arguments as for `var`."""
    spread = var(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean over `dim`; arguments as for `var`."""
    spread = std(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Product along `dim`, or of everything; of integers in int64. Zeros have their right gradient too."""
    input = _typed(input, dtype)
    if dim is None:
        flat = reshape(input, (input.array.size,))
        return reshape(scan.prod(flat, 0, False), (1,) * input.array.ndim if keepdim else ())
    if input.array.ndim == 0:
        normalize_dim(dim, 0)
        return scan.prod(reshape(input, (1,)), 0, False)
    return scan.prod(input, normalize_dim(dim, input.array.ndim), keepdim)


def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; or along `dim` a pair (values, indices); or of each pair of elements, as `maximum`.

    The gradient of the largest of all is shared by equals, that of a value along `dim` goes to the one indexed.

    >>> import trainkit as tk
    >>> tk.max(tk.tensor([[1, 5], [7, 2]]), 1)
    Chosen(values=tensor([5, 7]), indices=tensor([1, 0]))
    """
    if other is not None or isinstance(dim, TensorBase):
        return maximum(input, dim if other is None else other)
    if dim is None:
        return ops.amax(input, None, keepdim)
    return Chosen(*ops.max_along(input, normalize_dim(dim, input.array.ndim), keepdim))


def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; or along `dim` a pair (values, indices); or of each pair of elements, as `minimum`."""
    if other is not None or isinstance(dim, TensorBase):
        return minimum(input, dim if other is None else other)
    if dim is None:
        return ops.amin(input, None, keepdim)
    return Chosen(*ops.min_along(input, normalize_dim(dim, input.array.ndim), keepdim))


def amax(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Take the largest over `dim`; equal ones share the gradient."""
    return ops.amax(input, _dims(input, dim), keepdim)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Take the smallest over `dim`; equal ones share the gradient."""
    return ops.amin(input, _dims(input, dim), keepdim)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest along `dim`, or of everything."""
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the largest stands; the first one if several do, the first NaN if there is one."""
    return ops.argmax(input, None if dim is None else normalize_dim(dim, input.array.ndim), keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Tell where the smallest stands; the first one if several do, the first NaN if there is one."""
    return ops.argmin(input, None if dim is None else normalize_dim(dim, input.array.ndim), keepdim)


def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """Logarithm of the sum of exponentials over `dim`, without overflow."""
    if input.array.dtype.kind != "f":
        input = _typed(input, get_default_dtype())
    return ops.logsumexp(input, normalize_dims(dim, input.array.ndim), keepdim)


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Tell whether all elements over `dim` are true, that is, not 0; for dim=() each alone. uint8 stays uint8."""
    return _truth(np.all, input, dim, keepdim)


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Tell whether an element over `dim` is true, that is, not 0; for dim=() each alone. uint8 stays uint8."""
    return _truth(np.any, input, dim, keepdim)


def _truth(function: Any, input: Tensor, dim: Dim, keepdim: bool) -> Tensor:
    array = input.array
    dims = () if isinstance(dim, (tuple, list)) and not dim else _dims(input, dim)
    found = np.asarray(function(array, axis=dims, keepdims=keepdim))
    return wrap(found.astype(array.dtype) if array.dtype == np.uint8 else found)


def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """Count the elements over `dim` that are not 0."""
    return wrap(np.asarray(np.count_nonzero(input.array, axis=_dims(input, dim)), np.int64))


def norm(input: Tensor, p: Any = "fro", dim: Dim = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm over `dim`, or of everything: (sum |x| ** p) ** (1 / p).

    Args:
        input: floating point numbers.
        p: a number, infinity and negative ones among them; "fro", which is 2; or "nuc", the nuclear norm of a matrix.
        dim: dimensions; for "nuc" those of the rows and of the columns.
        keepdim: keep the dimensions, with size 1.
        dtype: to compute in.

    """
    input = _typed(input, dtype)
    check_floating("norm", input)
    if p is None or p == "fro":
        p = 2
    if p == "nuc":
        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)  # type: ignore[arg-type]
    if not isinstance(p, (int, float)):
        raise ArgumentError(f'norm expected a number, "fro" or "nuc" for p, got {p!r}')
    return vector_norm(input, float(p), _dims(input, dim), keepdim)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    return norm(input - other, p)
