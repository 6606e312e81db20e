"""Batch normalisation. Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167."""

import math
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.graph import Array
from trainkit.autograd.op import op
from trainkit.autograd.ops.reduce import mean, sum, var
from trainkit.autograd.ops.shape import reshape

__all__ = ["batch_norm", "scale_shift"]


@op
def batch_norm(ctx: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Normalise each channel of (N, C, *) by its own statistics; returns also mean and biased variance, (C,)."""
    columns = _columns(x)
    mean, var = kernels.batch_norm_stats(columns)
    inv_std = 1.0 / np.sqrt(var + var.dtype.type(eps))
    ctx.save(x, mean, inv_std, weight, eps)
    return kernels.batch_norm_apply(columns, mean, inv_std, weight, bias).reshape(x.shape), mean, var


@batch_norm.backward
def _(ctx: Any, grad: Any) -> Any:
    x, mean, inv_std, weight, eps = ctx.saved
    if isinstance(grad, np.ndarray):
        grad_x, grad_weight, grad_bias = kernels.batch_norm_grad(_columns(grad), _columns(x), mean, inv_std, weight)
        return grad_x.reshape(x.shape), grad_weight, grad_bias
    return _recorded_gradients(grad, x, weight, eps)


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
    ctx.save(x if ctx.needs(3) else None, mean, inv_std, weight)
    return kernels.batch_norm_apply(_columns(x), mean, inv_std, weight, bias).reshape(x.shape)


@scale_shift.backward
def _(ctx: Any, grad: Any) -> Any:
    x, mean, inv_std, weight = ctx.saved
    dims = (0, *range(2, grad.ndim))
    column = (grad.shape[1],) + (1,) * (grad.ndim - 2)
    grad_x = grad_weight = None
    if ctx.needs(0):
        scale = inv_std if weight is None else inv_std * weight
        grad_x = grad * reshape(scale, column)
    if x is not None:
        grad_weight = sum(grad * ((x - mean.reshape(column)) * inv_std.reshape(column)), dims, False)
    return grad_x, None, None, grad_weight, sum(grad, dims, False) if ctx.needs(4) else None


def _columns(x: Array) -> Array:
    """View (N, C, *) as (N, C, L)."""
    return x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:]))
