"""Convolution. Each of its gradients is linear in both arguments, so the three ops are each other's derivatives."""

from typing import Any

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.activation import relu_grad
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.autograd.ops.index import getitem
from trainkit.autograd.ops.shape import reshape

__all__ = ["channel_sum", "conv2d", "conv2d_grad_input", "conv2d_grad_weight", "conv2d_relu", "conv2d_scale_shift"]

Pair = tuple[int, int]


@op
def conv2d(
    ctx: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """Correlate x (N, C, H, W) with weight (F, C / groups, kh, kw), add bias (F,) or None: (N, F, H', W')."""
    how = stride, padding, dilation, groups
    ctx.save(x if ctx.needs(1) else None, weight if ctx.needs(0) else None, x.shape, weight.shape, how)
    return kernels.conv2d(x, weight, bias, *how)


@conv2d.backward
def _(ctx: Any, grad: Any) -> Any:
    return _gradients(ctx, grad, *ctx.saved)


@op
def conv2d_relu(
    ctx: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """`relu(conv2d(...))`, whose negative numbers are never written."""
    how = stride, padding, dilation, groups
    out = kernels.conv2d(x, weight, bias, *how, relu=True)
    ctx.save(out, x if ctx.needs(1) else None, weight if ctx.needs(0) else None, x.shape, weight.shape, how)
    return out


@conv2d_relu.backward
def _(ctx: Any, grad: Any) -> Any:
    out, *saved = ctx.saved
    return _gradients(ctx, relu_grad(grad, out), *saved)


def _gradients(ctx: Any, grad: Any, x: Any, weight: Any, x_shape: Any, weight_shape: Any, how: Any) -> Any:
    """The gradients of input, weight and bias."""
    return (
        None if weight is None else conv2d_grad_input(grad, weight, x_shape, *how),
        None if x is None else conv2d_grad_weight(grad, x, weight_shape, *how),
        channel_sum(grad) if ctx.needs(2) else None,
    )


@op
def conv2d_scale_shift(
    ctx: Any,
    x: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    inv_std: Any,
    scale: Any,
    shift: Any,
    relu: bool,
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """`scale_shift(conv2d(...))`, and `relu` of it if asked to, in one pass. It has no gradient: it is not recorded."""
    factors = kernels.batch_norm_factors(x.dtype, mean, inv_std, scale, shift)
    return kernels.conv2d(x, weight, bias, stride, padding, dilation, groups, relu, factors)


@op
def conv2d_grad_input(
    ctx: Any,
    grad: Any,
    weight: Any,
    x_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """The gradient of the input, from the output's gradient and the weight: the transposed convolution.

    A `grad` with fewer rows or columns than the convolution of `x_shape` has stands for one with zeros behind.
    """
    how = stride, padding, dilation, groups
    ctx.save(grad if ctx.needs(1) else None, weight if ctx.needs(0) else None, grad.shape, weight.shape, how)
    return kernels.conv2d_grad_input(grad, weight, x_shape, *how)


@conv2d_grad_input.backward
def _(ctx: Any, grad_x: Any) -> Any:
    grad, weight, grad_shape, weight_shape, how = ctx.saved
    return (
        None if weight is None else _cut(conv2d(grad_x, weight, None, *how), grad_shape),
        None if grad is None else conv2d_grad_weight(grad, grad_x, weight_shape, *how),
    )


def _cut(x: Any, shape: tuple[int, ...]) -> Any:
    return x if x.shape == shape else getitem(x, tuple([slice(size) for size in shape]))


@op
def conv2d_grad_weight(
    ctx: Any,
    grad: Any,
    x: Any,
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """The gradient of the weight, from the output's gradient and the input; a smaller `grad` as above."""
    how = stride, padding, dilation, groups
    ctx.save(grad if ctx.needs(1) else None, x if ctx.needs(0) else None, grad.shape, x.shape, how)
    return kernels.conv2d_grad_weight(grad, x, weight_shape, *how)


@conv2d_grad_weight.backward
def _(ctx: Any, grad_weight: Any) -> Any:
    grad, x, grad_shape, x_shape, how = ctx.saved
    return (
        None if x is None else _cut(conv2d(x, grad_weight, None, *how), grad_shape),
        None if grad is None else conv2d_grad_input(grad, grad_weight, x_shape, *how),
    )


@op
def channel_sum(ctx: Any, x: Any) -> Any:
    """Sum (N, C, ...) over all but the channels: (C,)."""
    ctx.save(x.shape)
    return kernels.channel_sum(x)


@channel_sum.backward
def _(ctx: Any, grad: Any) -> Any:
    (shape,) = ctx.saved
    return broadcast_to(reshape(grad, (shape[1],) + (1,) * (len(shape) - 2)), shape)
