"""Batch normalisation. Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import array_of, op
from trainkit.autograd.ops.choose import masked
from trainkit.autograd.ops.reduce import mean, sum, var
from trainkit.autograd.ops.shape import reshape

__all__ = ["batch_norm", "batch_norm_relu", "scale_shift", "scale_shift_relu"]


@op
def batch_norm(ctx: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Normalise each channel of (N, C, *) by its own statistics; returns also these: mean and biased variance, (C,).

    The two are float64.
    """
    out, mean, var = kernels.batch_norm(x, weight, bias, eps)
    ctx.save(x, mean, var, weight, eps)
    return out, mean, var


@batch_norm.backward
def _(ctx: Any, grad: Any) -> Any:
    x, mean, var, weight, eps = ctx.saved
    if isinstance(grad, np.ndarray):
        return kernels.batch_norm_grad(grad, x, mean, 1.0 / np.sqrt(var + eps), weight)
    return _recorded_gradients(grad, x, weight, eps)


@op
def batch_norm_relu(ctx: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    """As `batch_norm`, with relu of the first result: its backward takes the signs from `x`, so no output is saved."""
    out, mean, var = kernels.batch_norm(x, weight, bias, eps, relu=True)
    ctx.save(x, mean, var, weight, bias, eps)
    return out, mean, var


@batch_norm_relu.backward
def _(ctx: Any, grad: Any) -> Any:
    x, mean, var, weight, bias, eps = ctx.saved
    inv_std = 1.0 / np.sqrt(array_of(var) + eps)
    if isinstance(grad, np.ndarray):
        return kernels.batch_norm_grad(grad, x, mean, inv_std, weight, relu=True, bias=bias)
    return _recorded_gradients(_kept(grad, x, mean, inv_std, weight, bias), x, weight, eps)


def _kept(grad: Any, *args: Any) -> Any:
    """The gradient before relu, in ops: that of what is positive."""
    arrays: Any = [None if x is None else array_of(x) for x in args]
    return masked(grad, kernels.batch_norm_apply(*arrays) > 0)


def _recorded_gradients(grad: Any, x: Any, weight: Any, eps: float) -> tuple[Any, Any, Any]:
    """The same gradients in ops: under `create_graph` mean and deviation are functions of `x`, not saved numbers."""
    dims = (0, *range(2, x.ndim))
    column = (x.shape[1],) + (1,) * (x.ndim - 2)
    inv_std = (var(x, dims, 0, True) + eps) ** -0.5
    normal = (x - mean(x, dims, True)) * inv_std
    grad_weight, grad_bias = sum(grad * normal, dims, False), sum(grad, dims, False)
    inner = grad if weight is None else grad * reshape(weight, column)
    grad_x = inv_std * (inner - mean(inner, dims, True) - normal * mean(inner * normal, dims, True))
    return grad_x, grad_weight, grad_bias


@op
def scale_shift(ctx: Any, x: Any, mean: Any, inv_std: Any, weight: Any, bias: Any) -> Any:
    """Normalise each channel of (N, C, *) by given statistics, (C,); these get no gradient."""
    ctx.save(x if ctx.needs(3) else None, mean, inv_std, weight, x.dtype)
    return kernels.batch_norm_apply(x, mean, inv_std, weight, bias)


@scale_shift.backward
def _(ctx: Any, grad: Any) -> Any:
    x, mean, inv_std, weight, dtype = ctx.saved
    if isinstance(grad, np.ndarray):
        some, sums = grad if x is None else x, ctx.needs(3) or ctx.needs(4)
        grad_x, along, total = kernels.batch_norm_grad(grad, some, mean, inv_std, weight, True, sums)
        return grad_x, None, None, None if x is None else along, total
    return _recorded_scale_gradients(ctx, grad, x, mean, inv_std, weight, dtype)


@op
def scale_shift_relu(ctx: Any, x: Any, mean: Any, inv_std: Any, weight: Any, bias: Any) -> Any:
    """`relu(scale_shift(...))`."""
    ctx.save(x, mean, inv_std, weight, bias)
    return kernels.batch_norm_apply(x, mean, inv_std, weight, bias, relu=True)


@scale_shift_relu.backward
def _(ctx: Any, grad: Any) -> Any:
    x, mean, inv_std, weight, bias = ctx.saved
    if isinstance(grad, np.ndarray):
        sums = ctx.needs(3) or ctx.needs(4)
        grad_x, along, total = kernels.batch_norm_grad(grad, x, mean, inv_std, weight, True, sums, True, bias)
        return grad_x, None, None, along if ctx.needs(3) else None, total
    kept = _kept(grad, *ctx.saved)
    return _recorded_scale_gradients(ctx, kept, x if ctx.needs(3) else None, mean, inv_std, weight, grad.dtype)


def _recorded_scale_gradients(
    ctx: Any, grad: Any, x: Any, mean: Any, inv_std: Any, weight: Any, dtype: Any
) -> tuple[Any, ...]:
    """The gradients of `scale_shift` in ops; that of the weight if there is `x`."""
    dims = (0, *range(2, grad.ndim))
    column = (grad.shape[1],) + (1,) * (grad.ndim - 2)
    mean, inv_std = mean.astype(dtype).reshape(column), inv_std.astype(dtype).reshape(column)
    grad_x = grad * inv_std if weight is None else grad * (reshape(weight, column) * inv_std)
    grad_weight = None if x is None else sum(grad * ((x - mean) * inv_std), dims, False)
    return grad_x, None, None, grad_weight, sum(grad, dims, False) if ctx.needs(4) else None
