"""The norms of vectors and matrices: the part of `linalg` that measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainkit.autograd.dtypes import as_dtype
from trainkit.autograd.ops import decompose
from trainkit.autograd.ops import vector_norm as ops
from trainkit.autograd.ops.broadcast import cast
from trainkit.autograd.ops.elementwise import abs, div, mul
from trainkit.autograd.ops.reduce import amax, amin, sum
from trainkit.autograd.ops.shape import normalize_dims, permute, reshape
from trainkit.autograd.ops.solve import check_matrix, inv
from trainkit.errors import ArgumentError, DTypeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = ["cond", "matrix_norm", "norm", "vector_norm"]

Dims = int | Sequence[int] | None


def vector_norm(x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The `ord`-norm over `dim`, or over everything: `sum(abs(x) ** ord) ** (1 / ord)`.

    inf and -inf give the largest and the smallest absolute value, 0 the count of elements that are not 0.

    >>> import trainkit as tk
    >>> tk.linalg.vector_norm(tk.tensor([3.0, -4.0]))
    tensor(5.)
    """
    x = _floating("vector_norm", x, dtype)
    return ops.vector_norm(x, float(ord), None if dim is None else normalize_dims(dim, x.ndim), keepdim)


def matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of matrices.

    Args:
        A: matrices, in the two dimensions `dim`.
        ord: "fro", the root of the sum of squares; "nuc", the sum of the singular values; 2 and -2, the largest and
            the smallest of them; 1 and -1, the largest and the smallest sum of absolute values of a column; inf and
            -inf, of a row.
        dim: of the rows and of the columns.
        keepdim: keep them as 1.
        dtype: to cast to first.
    """
    A = _floating("matrix_norm", A, dtype)
    if isinstance(dim, int) or len(dim) != 2:
        raise ArgumentError(f"matrix_norm needs two dimensions, got dim={dim}")
    if A.ndim < 2:
        raise ShapeError(f"matrix_norm needs at least two dimensions, got shape {tuple(A.shape)}")
    rows, columns = normalize_dims(dim, A.ndim)
    if ord == "fro":
        return ops.vector_norm(A, 2.0, (rows, columns), keepdim)
    if ord == "nuc" or ord in (2, -2):
        others = [i for i in range(A.ndim) if i not in (rows, columns)]
        values = decompose.svdvals(permute(A, (*others, rows, columns)))
        last = (values.ndim - 1,)
        out = sum(values, last, False) if ord == "nuc" else (amax if ord == 2 else amin)(values, last, False)
        kept = tuple([1 if i in (rows, columns) else size for i, size in enumerate(A.shape)])
        return reshape(out, kept) if keepdim else out
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    along, across = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = sum(abs(A), (along,), True)
    out = (amax if ord > 0 else amin)(sums, (across,), True)
    if keepdim:
        return out
    return reshape(out, tuple([size for i, size in enumerate(A.shape) if i not in (rows, columns)]))


def norm(
    A: Tensor, ord: float | str | None = None, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A vector norm over one dimension, a matrix norm over two.

    Without `dim`, A itself must have one or two dimensions; without `ord` too, it is the root of the sum of all
    squares, whatever the shape. With `dim` and no `ord` it is that over `dim`.
    """
    pair = dim is not None and not isinstance(dim, int) and len(dim) == 2
    if ord is None and (dim is None or not pair):
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim not in (1, 2):
        raise ShapeError(f"norm with ord={ord!r} and no dim needs one or two dimensions, got shape {tuple(A.shape)}")
    if pair or (dim is None and A.ndim == 2):
        pairs: Any = (-2, -1) if dim is None else dim
        return matrix_norm(A, "fro" if ord is None else ord, pairs, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise ArgumentError(f"norm with ord={ord!r} is one of matrices: it needs two dimensions, got dim={dim}")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """How much solving may amplify a change of the right side: by singular values, or by `matrix_norm` of order p."""
    check_matrix("cond", A.array, square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        values = decompose.svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return div(smallest, largest) if p == -2 else div(largest, smallest)
    return mul(matrix_norm(A, p), matrix_norm(inv(A), p))


def _floating(name: str, x: Any, dtype: Any) -> Any:
    if dtype is not None:
        x = cast(x, as_dtype(dtype))
    if x.dtype.kind != "f":
        raise DTypeError(f"{name} needs floating point numbers, got {x.dtype}; cast it with .float()")
    return x
