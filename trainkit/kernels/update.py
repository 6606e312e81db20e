"""Optimizer steps in place, all parameters of a group in one launch: SGD, Adam and its relatives, Lion.

Every array of a parameter is read and written once, arithmetic in registers. In all of them `maximize` turns the
gradient round, and the weight decay is added to the gradient, or, if it is `decoupled`, shrinks the parameter itself.
"""

from collections.abc import Sequence

import numpy as np

from trainkit.kernels.fused import first, launch, past, piece
from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["adam_step", "lion_step", "nadam_step", "radam_step", "sgd_step"]

Arrays = Sequence[Array]


def sgd_step(
    params: Arrays,
    grads: Arrays,
    momentum_buffers: Arrays | None,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    begin: bool = False,
) -> None:
    """One step of stochastic gradient descent on all parameters of a group, in PyTorch's order of operations.

    Momentum buffers (None: no momentum) are written too; with `begin` they must hold zeros, and become the gradient.
    """
    keep, fresh = (0.0, 1.0) if begin else (momentum, 1 - dampening)
    buffers = params if momentum_buffers is None else momentum_buffers
    numbers = (lr, momentum, keep, fresh, weight_decay, -1 if maximize else 1, momentum_buffers is not None, nesterov)
    launch(_sgd_all, (params, grads, buffers), numbers)


@inner_kernel
def _sgd(task, table, ends, values):
    lr, momentum, keep, fresh, decay, sign = values[0], values[1], values[2], values[3], values[4], values[5]
    buffered, nesterov = values[6] != 0, values[7] != 0
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        buffer = piece(task, 2, p, table, ends, values)
        for i in range(param.size):
            slope = sign * grad[i]
            if decay != 0:
                slope += decay * param[i]
            if buffered:
                velocity = keep * buffer[i] + fresh * slope
                buffer[i] = velocity
                slope = slope + momentum * velocity if nesterov else velocity
            param[i] -= lr * slope


_sgd_all = parallel_kernel(_sgd)


def adam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays | None,
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

    `step` counts from 1. `decoupled` is AdamW. `max_exp_avg_sqs` is AMSGrad's running maximum, or None.
    """
    root, rate = (1 - beta2**step) ** 0.5, lr / (1 - beta1**step)
    decay = _decay(lr, weight_decay, decoupled)
    arrays = params, grads, exp_avgs, exp_avg_sqs
    _launch_adam(arrays, max_exp_avg_sqs, (beta1, beta2), (root, rate, 0.0, eps), decay, maximize)


def nadam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    mean_rate: float,
    slope_rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    shrink: float,
    weight_decay: float,
    maximize: bool,
    step: int,
) -> None:
    """One step of NAdam (Dozat 2016): the rates of the average and of the gradient itself are the caller's schedule.

    The parameter is multiplied with `shrink` first; `weight_decay` is added to the gradient.
    """
    rates = (1 - beta2**step) ** 0.5, mean_rate, slope_rate, eps
    arrays = params, grads, exp_avgs, exp_avg_sqs
    _launch_adam(arrays, None, (beta1, beta2), rates, (shrink, weight_decay), maximize)


def radam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    step: int,
    decoupled: bool,
) -> None:
    """One step of RAdam (Liu et al. 2020): by the average alone until the variance of its scale is tractable."""
    left = 1 - beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / left
    rate = lr / (1 - beta1**step)
    root, floor = np.inf, 1.0  # what the average is divided with becomes 1
    if length > 5:
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        rate *= (left * rectified) ** 0.5
        root, floor = 1.0, eps
    decay = _decay(lr, weight_decay, decoupled)
    arrays = params, grads, exp_avgs, exp_avg_sqs
    _launch_adam(arrays, None, (beta1, beta2), (root, rate, 0.0, floor), decay, maximize)


def _decay(lr: float, weight_decay: float, decoupled: bool) -> tuple[float, float]:
    """What the parameter is multiplied with, and what of it is added to the gradient."""
    return (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)


def _launch_adam(
    arrays: Sequence[Arrays],
    maxima: Arrays | None,
    betas: tuple[float, float],
    rates: tuple[float, float, float, float],
    decay: tuple[float, float],
    maximize: bool,
) -> None:
    beta1, beta2 = betas
    numbers = (1 - beta1, beta2, 1 - beta2, *rates, *decay, -1 if maximize else 1, maxima is not None)
    launch(_adam_all, (*arrays, arrays[0] if maxima is None else maxima), numbers)


@inner_kernel
def _adam(task, table, ends, values):
    rest1, beta2, rest2 = values[0], values[1], values[2]
    root, mean_rate, slope_rate, eps = values[3], values[4], values[5], values[6]
    shrink, decay, sign, bounded = values[7], values[8], values[9], values[10] != 0
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        mean, square = piece(task, 2, p, table, ends, values), piece(task, 3, p, table, ends, values)
        most = piece(task, 4, p, table, ends, values)
        for i in range(param.size):
            weight = param[i] * shrink
            slope = sign * grad[i] + decay * weight
            average, second = mean[i], square[i]  # before anything is written: where arrays lie alike, reads would wait
            mean[i] = average + (slope - average) * rest1
            second = second * beta2 + rest2 * slope * slope
            square[i] = second
            if bounded:
                second = second if not second <= most[i] else most[i]
                most[i] = second
            param[i] = weight - (mean_rate * mean[i] + slope_rate * slope) / (np.sqrt(second) / root + eps)


_adam_all = parallel_kernel(_adam)


def lion_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Lion (Chen et al. 2023): by the sign of a mix of average and gradient; the decay is decoupled."""
    numbers = (lr, beta1, 1 - beta1, beta2, 1 - beta2, 1 - lr * weight_decay, -1 if maximize else 1)
    launch(_lion_all, (params, grads, exp_avgs), numbers)


@inner_kernel
def _lion(task, table, ends, values):
    lr, beta1, rest1, beta2, rest2 = values[0], values[1], values[2], values[3], values[4]
    shrink, sign = values[5], values[6]
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        mean = piece(task, 2, p, table, ends, values)
        for i in range(param.size):
            slope = sign * grad[i]
            mix = beta1 * mean[i] + rest1 * slope
            mean[i] = beta2 * mean[i] + rest2 * slope
            # 0 and NaN stay what they are
            param[i] = param[i] * shrink - (lr if mix > 0 else -lr if mix < 0 else mix)


_lion_all = parallel_kernel(_lion)
