"""Max pooling: it picks elements, its gradient puts them back, and each is the other's derivative."""

from typing import Any

from trainkit import kernels
from trainkit.autograd.op import op

__all__ = ["max_pool2d", "max_pool2d_gather", "max_pool2d_grad"]

Pair = tuple[int, int]
Window = tuple[Pair, Pair, Pair]
"""Kernel size, stride and padding, each as (height, width)."""


@op
def max_pool2d(ctx: Any, x: Any, window: Window) -> Any:
    """Take the largest element of each window of (N, C, H, W); the first one if several are."""
    out, index = kernels.max_pool2d(x, *window)
    ctx.save(index, x.shape, window)
    return out


@max_pool2d.backward
def _(ctx: Any, grad: Any) -> Any:
    return max_pool2d_grad(grad, *ctx.saved)


@op
def max_pool2d_grad(ctx: Any, grad: Any, index: Any, x_shape: tuple[int, ...], window: Window) -> Any:
    """Add each element of `grad` where its window's largest element stood."""
    ctx.save(index, x_shape, window)
    return kernels.max_pool2d_grad(grad, index, x_shape, *window)


@max_pool2d_grad.backward
def _(ctx: Any, grad: Any) -> Any:
    return max_pool2d_gather(grad, *ctx.saved)


@op
def max_pool2d_gather(ctx: Any, x: Any, index: Any, x_shape: tuple[int, ...], window: Window) -> Any:
    """Pick from each window the element that stands where `index` says."""
    ctx.save(index, x_shape, window)
    return kernels.max_pool2d_gather(x, index, *window)


@max_pool2d_gather.backward
def _(ctx: Any, grad: Any) -> Any:
    return max_pool2d_grad(grad, *ctx.saved)
