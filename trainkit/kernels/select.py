"""Choices by a mask: numpy's `where` guesses each branch, which on a mask without a pattern is far too slow."""

from typing import Any

import numpy as np

from trainkit.kernels.jit import inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["masked", "select"]

CHUNK = 1 << 15  # elements a task; one chunk or less runs on the calling thread
FEW = 1 << 10  # up to here numpy is quicker than the call of a kernel
FLOATS = (np.float32, np.float64)


def select(condition: Any, x: Any, y: Any) -> Any:
    """`x` where `condition`, else `y`: arrays and numbers that broadcast, as in `np.where`."""
    if _is_number(y) and _fits(condition, x):
        return _beside(condition, x, y, True)
    if _is_number(x) and _fits(condition, y):
        return _beside(condition, y, x, False)
    if not (_fits(condition, x) and type(y) is np.ndarray and y.shape == x.shape and y.dtype == x.dtype):
        return np.where(condition, x, y)
    keep, x, y = np.ascontiguousarray(condition), np.ascontiguousarray(x), np.ascontiguousarray(y)
    out = empty(x.shape, x.dtype)
    parts = keep.reshape(-1), x.reshape(-1), y.reshape(-1), out.reshape(-1)
    _select_all(-(-x.size // CHUNK), *parts)
    return out


def _is_number(value: Any) -> bool:
    return type(value) is float or type(value) is int


def _fits(condition: Any, x: Any) -> bool:
    """Tell whether these are a mask and floats of one shape, and many."""
    return (
        type(condition) is type(x) is np.ndarray
        and condition.size > FEW
        and condition.shape == x.shape
        and condition.dtype == np.bool_
        and x.dtype in FLOATS
    )


@inner_kernel
def _select(chunk, keep, x, y, out):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    keep, x, y, out = keep[part], x[part], y[part], out[part]
    for i in range(x.size):
        out[i] = x[i] if keep[i] else y[i]


_select_all = parallel_kernel(_select)


def masked(x: Any, keep: Any) -> Any:
    """`x` where `keep`, which broadcasts to it; else 0."""
    if not (type(x) is np.ndarray and x.size > FEW and x.dtype in FLOATS and getattr(keep, "dtype", None) == np.bool_):
        return np.where(keep, x, np.zeros((), x.dtype))
    return _beside(keep if keep.shape == x.shape else np.broadcast_to(keep, x.shape), x, 0.0, True)


def _beside(mask: Any, x: Any, number: float, side: bool) -> Any:
    """`x` where the mask is `side`, else a number."""
    mask, x = np.ascontiguousarray(mask), np.ascontiguousarray(x)
    out = empty(x.shape, x.dtype)
    parts = mask.reshape(-1), side, x.reshape(-1), x.dtype.type(number), out.reshape(-1)
    _choose_all(-(-x.size // CHUNK), *parts)
    return out


@inner_kernel
def _choose(chunk, mask, side, x, number, out):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    mask, x, out = mask[part], x[part], out[part]
    for i in range(x.size):
        out[i] = x[i] if mask[i] == side else number


_choose_all = parallel_kernel(_choose)
