"""Ops that choose by rank."""

from typing import Any

import numpy as np

from trainkit.autograd.op import op
from trainkit.autograd.ops.reduce import to_equals
from trainkit.errors import ShapeError

__all__ = ["middle"]


@op
def middle(ctx: Any, x: Any, skip_nan: bool) -> Any:
    """The median of everything, the lower of two; NaN if there is one, unless they are skipped."""
    flat, numbers = x.reshape(-1), x.size
    if x.dtype.kind == "f":
        missing = np.count_nonzero(np.isnan(flat))
        numbers = 0 if missing and not skip_nan else numbers - missing
        out = np.asarray(np.nan, x.dtype)
    elif not numbers:
        raise ShapeError(f"the median of no integers is not defined; got shape {x.shape}")
    if numbers:
        rank = (numbers - 1) // 2
        out = np.asarray(np.partition(flat, rank)[rank])  # NaN come last
    ctx.save(x, out, None)
    return out


@middle.backward
def _(ctx: Any, grad: Any) -> Any:
    return to_equals(ctx, grad)
