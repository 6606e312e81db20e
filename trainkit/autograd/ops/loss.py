"""Softmax and the cross-entropies, by way of logarithms, so that nothing overflows."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import array_of, op
from trainkit.autograd.ops.broadcast import broadcast_to
from trainkit.autograd.ops.choose import clamp, masked
from trainkit.autograd.ops.elementwise import exp, log, sigmoid
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import reshape

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "cross_entropy_grad",
    "cross_entropy_rows",
    "log_softmax",
    "log_softmax_grad",
    "logistic_loss",
    "logistic_loss_grad",
    "smooth_cross_entropy",
    "smooth_cross_entropy_grad",
    "softmax",
    "softmax_grad",
]


@op
def log_softmax(ctx: Any, x: Any, dim: int) -> Any:
    """The logarithm of softmax along `dim`."""
    out = _along(kernels.log_softmax, dim, x)
    ctx.save(out, dim)
    return out


@log_softmax.backward
def _(ctx: Any, grad: Any) -> Any:
    return log_softmax_grad(grad, *ctx.saved)


@op
def log_softmax_grad(ctx: Any, grad: Any, out: Any, dim: int) -> Any:
    """The gradient of log_softmax's input, from its output."""
    ctx.save(grad, out, dim)
    return _along(kernels.log_softmax_grad, dim, grad, out)


@log_softmax_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, out, dim = ctx.saved
    dims = (dim,) if out.ndim else ()
    weighed = outer * exp(out)
    return outer - sum(weighed, dims, True), -(weighed * sum(grad, dims, True))


@op
def softmax(ctx: Any, x: Any, dim: int) -> Any:
    """Exponentials along `dim`, divided by their sum."""
    out = _along(kernels.softmax, dim, x)
    ctx.save(out, dim)
    return out


@softmax.backward
def _(ctx: Any, grad: Any) -> Any:
    return softmax_grad(grad, *ctx.saved)


@op
def softmax_grad(ctx: Any, grad: Any, out: Any, dim: int) -> Any:
    """The gradient of softmax's input, from its output."""
    ctx.save(grad, out, dim)
    return _along(kernels.softmax_grad, dim, grad, out)


@softmax_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, out, dim = ctx.saved
    dims = (dim,) if out.ndim else ()
    mean, outer_mean = sum(grad * out, dims, True), sum(outer * out, dims, True)
    return out * (outer - outer_mean), outer * (grad - mean) - grad * outer_mean


def _along(function: Any, dim: int, *arrays: Any) -> Any:
    """Run a kernel of rows along `dim` of arrays of one shape."""
    x = np.asarray(arrays[0])
    shape, dtype, last = x.shape, x.dtype, x.ndim - 1
    if x.size == 0:
        return np.empty(shape, dtype)
    if dtype == np.float16:
        arrays = tuple([array.astype(np.float32) for array in arrays])
    if dim >= last:
        size = shape[-1] if shape else 1
        return function(*[np.reshape(array, (-1, size)) for array in arrays]).reshape(shape).astype(dtype, copy=False)
    rows = [np.moveaxis(array, dim, -1) for array in arrays]
    out = function(*[array.reshape(-1, shape[dim]) for array in rows]).reshape(rows[0].shape)
    return np.ascontiguousarray(np.moveaxis(out, -1, dim), dtype)


@op
def cross_entropy_rows(ctx: Any, logits: Any, target: Any) -> Any:
    """The loss of each row of logits (N, C) against its class, target (N,): softmax and log-likelihood in one pass."""
    losses, log_sum_exp = kernels.cross_entropy(logits, target)
    ctx.save(logits, log_sum_exp, target)
    return losses


@cross_entropy_rows.backward
def _(ctx: Any, grad: Any) -> Any:
    logits, log_sum_exp, target = ctx.saved
    return cross_entropy_grad(grad, logits, log_sum_exp, target)


@op
def cross_entropy(ctx: Any, logits: Any, target: Any, number: float) -> Any:
    """The sum of `cross_entropy_rows` over all rows, divided by a number: of the rows, for their mean."""
    losses, log_sum_exp = kernels.cross_entropy(logits, target)
    ctx.save(logits, log_sum_exp, target, number)
    return kernels.total(losses)[()] / number  # numpy divides a scalar in a fifth of an array's time


@cross_entropy.backward
def _(ctx: Any, grad: Any) -> Any:
    logits, log_sum_exp, target, number = ctx.saved
    if isinstance(grad, TensorBase):
        shares = broadcast_to(grad / number, target.shape)
    else:
        shares = np.empty(target.shape, grad.dtype)  # the kernel takes no stretched view
        shares.fill(grad[()] / number)
    return cross_entropy_grad(shares, logits, log_sum_exp, target)


@op
def cross_entropy_grad(ctx: Any, grad: Any, logits: Any, log_sum_exp: Any, target: Any) -> Any:
    """The gradient of the logits: `grad[i] * (softmax(logits[i]) - one_hot(target[i]))`."""
    ctx.save(grad, logits, target)
    return kernels.cross_entropy_grad(grad, logits, log_sum_exp, target)


@cross_entropy_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, logits, target = ctx.saved
    share = softmax(logits, 1)
    weighed = sum(share * outer, (1,), True)
    target = array_of(target)[:, None]
    inside = (target >= 0) & (target < logits.shape[1])
    picked = gather(outer, 1, np.where(inside, target, 0))
    grad_grad = reshape(masked(weighed - picked, inside), (-1,))
    return grad_grad, masked(reshape(grad, (-1, 1)) * (share * (outer - weighed)), inside)


@op
def smooth_cross_entropy(ctx: Any, logits: Any, target: Any, weight: Any, smoothing: float) -> Any:
    """The rows of `cross_entropy`, against (1 - smoothing) one_hot(target) + smoothing / C, weighed by class, (C,)."""
    losses, log_sum_exp = kernels.smooth_cross_entropy(logits, target, weight, smoothing)
    ctx.save(logits, log_sum_exp, target, weight, smoothing)
    return losses


@smooth_cross_entropy.backward
def _(ctx: Any, grad: Any) -> Any:
    return smooth_cross_entropy_grad(grad, *ctx.saved)


@op
def smooth_cross_entropy_grad(
    ctx: Any, grad: Any, logits: Any, log_sum_exp: Any, target: Any, weight: Any, smoothing: float
) -> Any:
    """The gradient of the logits of `smooth_cross_entropy`."""
    ctx.save(grad, logits, target, weight, smoothing)
    return kernels.smooth_cross_entropy_grad(grad, logits, log_sum_exp, target, weight, smoothing)


@smooth_cross_entropy_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, logits, target, weight, smoothing = ctx.saved
    target, weight = array_of(target), array_of(weight)
    inside = (target >= 0) & (target < len(weight))
    wanted = np.full(logits.shape, smoothing / len(weight))
    wanted[inside, target[inside]] += 1 - smoothing
    wanted = np.where(inside[:, None], wanted * weight, 0).astype(logits.dtype)
    all_wanted = wanted.sum(1, keepdims=True)
    share = softmax(logits, 1)
    weighed = sum(share * outer, (1,), True)
    grad_grad = reshape(weighed * all_wanted - sum(outer * wanted, (1,), True), (-1,))
    return grad_grad, reshape(grad, (-1, 1)) * (share * (outer - weighed) * all_wanted)


@op
def binary_cross_entropy(ctx: Any, x: Any, target: Any) -> Any:
    """-target log(x) - (1 - target) log(1 - x), neither logarithm less than -100."""
    ctx.save(x, target)
    with np.errstate(all="ignore"):  # the logarithm of 0 is what -100 stands for
        return -(target * np.maximum(np.log(x), -100) + (1 - target) * np.maximum(np.log1p(-x), -100))


@binary_cross_entropy.backward
def _(ctx: Any, grad: Any) -> Any:
    x, target = ctx.saved
    grad_x = grad * ((x - target) / clamp(x * (1.0 - x), 1e-12, None)) if ctx.needs(0) else None
    return grad_x, grad * (log(1.0 - x) - log(x)) if ctx.needs(1) else None


@op
def logistic_loss(ctx: Any, x: Any, target: Any) -> Any:
    """`binary_cross_entropy` of sigmoid(x), in one pass."""
    ctx.save(x, target)
    return kernels.logistic_loss(x, target)


@logistic_loss.backward
def _(ctx: Any, grad: Any) -> Any:
    x, target = ctx.saved
    grad_x = logistic_loss_grad(grad, x, target) if ctx.needs(0) else None
    return grad_x, -(grad * x) if ctx.needs(1) else None


@op
def logistic_loss_grad(ctx: Any, grad: Any, x: Any, target: Any) -> Any:
    """The gradient of the logits: `grad * (sigmoid(x) - target)`."""
    ctx.save(grad, x, target)
    return kernels.logistic_loss_grad(grad, x, target)


@logistic_loss_grad.backward
def _(ctx: Any, outer: Any) -> Any:
    grad, x, target = ctx.saved
    share = sigmoid(x)
    return outer * (share - target), outer * grad * (share * (1.0 - share)), -(outer * grad)
