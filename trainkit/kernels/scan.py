"""A linear recurrence along an axis, what the gradients of running products are made of."""

import math

import numpy as np

from trainkit.kernels.jit import Array, kernel

__all__ = ["recurrence"]


def recurrence(x: Array, factor: Array, axis: int, backwards: bool) -> Array:
    """`out[i] = x[i] + factor[i] * out[i - 1]` along an axis, from 0; or from the end, with `out[i + 1]`, backwards.

    Carried along in float64; the factor of the first element has nothing to multiply and is not looked at.
    """
    shape = x.shape
    form = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    wide = np.float32 if x.dtype == np.float16 else x.dtype
    out = np.empty(form, wide)
    parts = [np.ascontiguousarray(part, wide).reshape(form) for part in (x, factor)]
    _recurrence(*parts, backwards, out)
    with np.errstate(over="ignore"):
        return out.reshape(shape).astype(x.dtype, copy=False)


@kernel
def _recurrence(x, factor, backwards, out):
    outer, n, inner = x.shape
    carry = np.empty(inner)
    for o in range(outer):
        for k in range(n):
            i = n - 1 - k if backwards else k
            for c in range(inner):
                value = np.float64(x[o, i, c])
                if k > 0:
                    value += np.float64(factor[o, i, c]) * carry[c]
                carry[c] = value
                out[o, i, c] = value
