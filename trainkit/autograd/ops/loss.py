"""Softmax and cross-entropy, by way of logarithms, so that nothing overflows."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.elementwise import exp
from trainkit.autograd.ops.index import gather
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import reshape

__all__ = ["cross_entropy", "cross_entropy_grad", "log_softmax", "softmax"]


@op
def log_softmax(ctx: Any, x: Any, dim: int) -> Any:
    """The logarithm of softmax along `dim`."""
    shifted = x - x.max(axis=dim, keepdims=True)
    out = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
    ctx.save(out, dim)
    return out


@log_softmax.backward
def _(ctx: Any, grad: Any) -> Any:
    out, dim = ctx.saved
    return grad - exp(out) * sum(grad, (dim,), True)


@op
def softmax(ctx: Any, x: Any, dim: int) -> Any:
    """Exponentials along `dim`, divided by their sum."""
    powers = np.exp(x - x.max(axis=dim, keepdims=True))
    out = powers / powers.sum(axis=dim, keepdims=True)
    ctx.save(out, dim)
    return out


@softmax.backward
def _(ctx: Any, grad: Any) -> Any:
    out, dim = ctx.saved
    return out * (grad - sum(grad * out, (dim,), True))


@op
def cross_entropy(ctx: Any, logits: Any, target: Any) -> Any:
    """The loss of each row of logits (N, C) against its class, target (N,): softmax and log-likelihood in one pass."""
    losses, log_sum_exp = kernels.cross_entropy(logits, target)
    ctx.save(logits, log_sum_exp, target)
    return losses


@cross_entropy.backward
def _(ctx: Any, grad: Any) -> Any:
    logits, log_sum_exp, target = ctx.saved
    return cross_entropy_grad(grad, logits, log_sum_exp, target)


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
    picked = gather(outer, 1, getattr(target, "array", target)[:, None])
    grad_grad = reshape(weighed - picked, (-1,))
    return grad_grad, reshape(grad, (-1, 1)) * (share * (outer - weighed))
