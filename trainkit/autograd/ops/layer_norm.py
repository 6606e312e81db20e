"""Normalisation of rows: layer norm, group norm, instance norm and root-mean-square norm are one op."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.reduce import mean, sum
from trainkit.autograd.ops.shape import reshape

__all__ = ["row_norm"]

Form = tuple[int, int, int, int]


@op
def row_norm(ctx: Any, x: Any, weight: Any, bias: Any, form: Form, eps: float, centred: bool) -> Any:
    """Normalise `x`, seen as (N, G, K, L), over K and L, then scale and shift each of the G K channels.

    Returns also mean and biased variance of the N G rows, in float64. If not `centred`, the mean is taken as 0.
    """
    out, mean, variance = kernels.row_norm(x, weight, bias, form, eps, centred)
    ctx.save(x, weight, mean, variance, form, eps, centred, None if bias is None else bias.shape)
    return out, mean, variance


@row_norm.backward
def _(ctx: Any, grad: Any) -> Any:
    x, weight, middle, variance, form, eps, centred, shape = ctx.saved
    shapes = None if weight is None else weight.shape, shape
    if isinstance(grad, np.ndarray):
        sums = ctx.needs(1) or ctx.needs(2)
        grad_x, *others = kernels.row_norm_grad(grad, x, middle, variance, weight, form, eps, centred, sums)
        return grad_x, *_shaped(others, shapes)
    # under `create_graph` mean and deviation are functions of `x`
    x_shape, x, grad = x.shape, reshape(x, form), reshape(grad, form)
    apart = x - mean(x, (2, 3), True) if centred else x
    inv_std = (mean(apart * apart, (2, 3), True) + eps) ** -0.5
    normal = apart * inv_std
    inner = grad if weight is None else grad * reshape(weight, (1, *form[1:3], 1))
    grad_x = inner - normal * mean(inner * normal, (2, 3), True)
    grad_x = inv_std * (grad_x - mean(inner, (2, 3), True) if centred else grad_x)
    return reshape(grad_x, x_shape), *_shaped([sum(grad * normal, (0, 3), False), sum(grad, (0, 3), False)], shapes)


def _shaped(gradients: list[Any], shapes: Any) -> list[Any]:
    return [
        None if shape is None else reshape(gradient, shape) for gradient, shape in zip(gradients, shapes, strict=True)
    ]
