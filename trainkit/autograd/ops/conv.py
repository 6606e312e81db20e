"""Convolution. Each of its gradients is linear in both arguments, so the three ops are each other's derivatives."""

from typing import Any

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.autograd.ops.shape import reshape

__all__ = ["channel_sum", "conv2d", "conv2d_grad_input", "conv2d_grad_weight"]

Pair = tuple[int, int]


@op
def conv2d(ctx: Any, x: Any, weight: Any, bias: Any, stride: Pair, padding: Pair) -> Any:
    """Correlate x (N, C, H, W) with weight (F, C, kh, kw), add bias (F,) or None: (N, F, H', W')."""
    ctx.save(x if ctx.needs(1) else None, weight if ctx.needs(0) else None, x.shape, weight.shape, stride, padding)
    return kernels.conv2d(x, weight, bias, stride, padding)


@conv2d.backward
def _(ctx: Any, grad: Any) -> Any:
    x, weight, x_shape, weight_shape, stride, padding = ctx.saved
    return (
        None if weight is None else conv2d_grad_input(grad, weight, x_shape, stride, padding),
        None if x is None else conv2d_grad_weight(grad, x, weight_shape, stride, padding),
        channel_sum(grad) if ctx.needs(2) else None,
    )


@op
def conv2d_grad_input(ctx: Any, grad: Any, weight: Any, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Any:
    """The gradient of the input, from the output's gradient and the weight."""
    ctx.save(grad if ctx.needs(1) else None, weight if ctx.needs(0) else None, weight.shape, stride, padding)
    return kernels.conv2d_grad_input(grad, weight, x_shape, stride, padding)


@conv2d_grad_input.backward
def _(ctx: Any, grad_x: Any) -> Any:
    grad, weight, weight_shape, stride, padding = ctx.saved
    return (
        None if weight is None else conv2d(grad_x, weight, None, stride, padding),
        None if grad is None else conv2d_grad_weight(grad, grad_x, weight_shape, stride, padding),
    )


@op
def conv2d_grad_weight(ctx: Any, grad: Any, x: Any, weight_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Any:
    """The gradient of the weight, from the output's gradient and the input."""
    ctx.save(grad if ctx.needs(1) else None, x if ctx.needs(0) else None, x.shape, stride, padding)
    return kernels.conv2d_grad_weight(grad, x, weight_shape, stride, padding)


@conv2d_grad_weight.backward
def _(ctx: Any, grad_weight: Any) -> Any:
    grad, x, x_shape, stride, padding = ctx.saved
    return (
        None if x is None else conv2d(x, grad_weight, None, stride, padding),
        None if grad is None else conv2d_grad_input(grad, grad_weight, x_shape, stride, padding),
    )


@op
def channel_sum(ctx: Any, x: Any) -> Any:
    """Sum (N, C, H, W) over all but the channels: (C,)."""
    ctx.save(x.shape)
    return kernels.channel_sum(x)


@channel_sum.backward
def _(ctx: Any, grad: Any) -> Any:
    (shape,) = ctx.saved
    return broadcast_to(reshape(grad, (shape[1], 1, 1)), shape)
