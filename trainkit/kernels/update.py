"""Optimizer steps in place: every array of a parameter is read and written once, arithmetic in registers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import prange

from trainkit.kernels.jit import Array, kernel, parallel_kernel

__all__ = ["adam_step", "sgd_step"]

CHUNK = 1 << 15  # elements a task; a smaller parameter is updated on the calling thread


def sgd_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    momentum_buffers: Sequence[Array] | None,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    first: bool = False,
) -> None:
    """One step of stochastic gradient descent on all parameters of a group, in PyTorch's order of operations.

    Arrays at the same place in the lists have the same shape and dtype, and those written are contiguous.
    Momentum buffers (None: no momentum) are written too; with `first` they are not read: they begin as the
    gradient.
    """
    for i, param in enumerate(params):
        grad = np.ascontiguousarray(grads[i]).reshape(-1)
        flat = param.reshape(-1)
        buffer = flat[:0] if momentum_buffers is None else momentum_buffers[i].reshape(-1)
        real = param.dtype.type
        numbers: tuple[Any, ...] = (
            real(lr),
            real(momentum),
            real(1 - dampening),
            real(weight_decay),
            nesterov,
            maximize,
        )
        if flat.size <= CHUNK:
            _sgd(0, flat, grad, buffer, *numbers, first)
        else:
            _sgd_all(-(-flat.size // CHUNK), flat, grad, buffer, *numbers, first)


@kernel
def _sgd(chunk, param, grad, buffer, lr, momentum, undamped, weight_decay, nesterov, maximize, first):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    param, grad, buffer = param[part], grad[part], buffer[part]
    for i in range(param.size):
        slope = -grad[i] if maximize else grad[i]
        if weight_decay != 0:
            slope += weight_decay * param[i]
        if buffer.size:
            velocity = slope if first else momentum * buffer[i] + undamped * slope
            buffer[i] = velocity
            slope = slope + momentum * velocity if nesterov else velocity
        param[i] -= lr * slope


@parallel_kernel
def _sgd_all(chunks, param, grad, buffer, lr, momentum, undamped, weight_decay, nesterov, maximize, first):
    for chunk in prange(chunks):
        _sgd(
            np.int64(chunk),
            param,
            grad,
            buffer,
            lr,
            momentum,
            undamped,
            weight_decay,
            nesterov,
            maximize,
            first,
        )


def adam_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
    max_exp_avg_sqs: Sequence[Array] | None,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    step: int,
    decoupled: bool,
) -> None:
    """One step of Adam (Kingma and Ba 2015) on all parameters of a group, in PyTorch's order of operations.

    `step` counts from 1. `decoupled` is AdamW: the weight decay shrinks the parameter and stays out of the
    averages. `max_exp_avg_sqs` is AMSGrad's running maximum, or None. All arrays but the gradients are
    written.
    """
    root = (1 - beta2**step) ** 0.5
    rate = lr / (1 - beta1**step)
    for i, param in enumerate(params):
        grad = np.ascontiguousarray(grads[i]).reshape(-1)
        flat = param.reshape(-1)
        most = flat[:0] if max_exp_avg_sqs is None else max_exp_avg_sqs[i].reshape(-1)
        real = param.dtype.type
        arrays = flat, grad, exp_avgs[i].reshape(-1), exp_avg_sqs[i].reshape(-1), most
        shrink, decay = (real(1 - lr * weight_decay), real(0)) if decoupled else (real(1), real(weight_decay))
        numbers = (
            real(1 - beta1),
            real(beta2),
            real(1 - beta2),
            real(root),
            real(rate),
            real(eps),
            shrink,
            decay,
        )
        if flat.size <= CHUNK:
            _adam(0, *arrays, *numbers, maximize)
        else:
            _adam_all(-(-flat.size // CHUNK), *arrays, *numbers, maximize)


@kernel
def _adam(chunk, param, grad, mean, square, most, rest1, beta2, rest2, root, rate, eps, shrink, decay, maximize):
    part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
    param, grad, mean, square, most = param[part], grad[part], mean[part], square[part], most[part]
    for i in range(param.size):
        slope = -grad[i] if maximize else grad[i]
        weight = param[i] * shrink
        slope += decay * weight
        mean[i] += (slope - mean[i]) * rest1
        second = square[i] * beta2 + rest2 * slope * slope
        square[i] = second
        if most.size:
            second = second if not second <= most[i] else most[i]
            most[i] = second
        param[i] = weight - rate * (mean[i] / (np.sqrt(second) / root + eps))


@parallel_kernel
def _adam_all(chunks, param, grad, mean, square, most, rest1, beta2, rest2, root, rate, eps, shrink, decay, maximize):
    for chunk in prange(chunks):
        _adam(
            chunk,
            param,
            grad,
            mean,
            square,
            most,
            rest1,
            beta2,
            rest2,
            root,
            rate,
            eps,
            shrink,
            decay,
            maximize,
        )
