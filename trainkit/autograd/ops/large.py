"""Sums, products and numpy's functions of arrays that may be large: these the kernels do, on all threads.

Where they are small numpy is quicker. What is large gets memory that is used again.
"""

from typing import Any

import numpy as np

from trainkit import kernels

__all__ = ["LARGE", "copied", "is_large", "is_plain", "minus", "negative", "plus", "through", "times"]

LARGE = 1 << 18  # bytes of an array from which on memory is fresh if numpy makes the result
_array = np.ndarray


def is_plain(grad: Any) -> bool:
    """Tell whether a gradient is an array that kernels take, and not a tensor, whose way is recorded."""
    return type(grad) is _array and grad.dtype.char in "fd"


def is_large(grad: Any) -> bool:
    """Tell whether a gradient is such an array and worth a kernel's launch."""
    return type(grad) is _array and grad.nbytes >= LARGE and grad.dtype.char in "fd"


def plus(x: Any, y: Any) -> Any:
    """The sum of two arrays, tensors or numbers."""
    return kernels.combine("add", x, y) if type(x) is _array and x.nbytes >= LARGE else x + y


def minus(x: Any, y: Any) -> Any:
    """The difference of two arrays, tensors or numbers."""
    return kernels.combine("sub", x, y) if type(x) is _array and x.nbytes >= LARGE else x - y


def times(x: Any, y: Any) -> Any:
    """The product of two arrays, tensors or numbers."""
    return kernels.combine("mul", x, y) if type(x) is _array and x.nbytes >= LARGE else x * y


def negative(x: Any) -> Any:
    """Turn the sign of an array or a tensor."""
    return kernels.combine("mul", x, -1) if type(x) is _array and x.nbytes >= LARGE else -x


def copied(x: Any) -> Any:
    """A copy of an array or a numpy scalar, an array."""
    if not is_large(x):
        return np.array(x)
    out = kernels.empty(x.shape, x.dtype)
    out[...] = x
    return out


def through(function: Any, x: Any) -> Any:
    """`function(x)`, of a ufunc of numpy and an array of floats."""
    return function(x) if x.nbytes < LARGE else function(x, out=kernels.empty(x.shape, x.dtype))
