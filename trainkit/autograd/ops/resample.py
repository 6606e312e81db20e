"""Weighted sums of neighbours along the last axes: average pooling and interpolation."""

import math
from collections.abc import Sequence
from typing import Any

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.kernels.resample import Axis

__all__ = ["plane_mean", "resample"]


@op
def resample(ctx: Any, x: Any, axes: Sequence[Axis]) -> Any:
    """Make the last dimensions anew, each place a weighted sum of places, as one to three axes say."""
    ctx.save(axes)
    return kernels.resample(x, axes)


@resample.backward
def _(ctx: Any, grad: Any) -> Any:
    return resample(grad, tuple([axis.transposed() for axis in ctx.saved[0]]))


@op
def plane_mean(ctx: Any, x: Any, dims: int) -> Any:
    """Average the last dimensions, so many; they stay as sizes of 1."""
    ctx.save(x.shape, dims)
    return kernels.plane_mean(x, dims)


@plane_mean.backward
def _(ctx: Any, grad: Any) -> Any:
    shape, dims = ctx.saved
    return broadcast_to(grad / math.prod(shape[-dims:]), shape)
