"""Optimizer steps that divide by running sizes of the gradient: Adamax, RMSprop, Adagrad, Adadelta. See `update`."""

import numpy as np

from trainkit.kernels.fused import first, launch, past, piece
from trainkit.kernels.jit import inner_kernel
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.update import Arrays

__all__ = ["adadelta_step", "adagrad_step", "adamax_step", "rmsprop_step"]


def adamax_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_infs: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
    step: int,
) -> None:
    """One step of Adamax (Kingma and Ba 2015, section 7.1); `step` counts from 1."""
    numbers = (lr / (1 - beta1**step), 1 - beta1, beta2, eps, weight_decay, -1 if maximize else 1)
    launch(_adamax_all, (params, grads, exp_avgs, exp_infs), numbers)


@inner_kernel
def _adamax(task, table, ends, values):
    rate, rest1, beta2, eps, decay, sign = values[0], values[1], values[2], values[3], values[4], values[5]
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        mean, size = piece(task, 2, p, table, ends, values), piece(task, 3, p, table, ends, values)
        for i in range(param.size):
            slope = sign * grad[i] + decay * param[i]
            # The last read comes before the first write: where arrays lie alike, it would wait for that.
            old, new = size[i] * beta2, abs(slope) + eps
            average = mean[i] + (slope - mean[i]) * rest1
            mean[i] = average
            largest = new if not new <= old else old  # a NaN in either comes out
            largest = largest if old == old else old
            size[i] = largest
            param[i] -= rate * average / largest


_adamax_all = parallel_kernel(_adamax)


def rmsprop_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    grad_avgs: Arrays | None,
    momentum_buffers: Arrays | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """One step of RMSprop (Tieleman and Hinton 2012), with averages of the gradient: centered (Graves 2013)."""
    centered, buffered = grad_avgs is not None, momentum_buffers is not None
    numbers = (lr, alpha, 1 - alpha, eps, weight_decay, -1 if maximize else 1, momentum, centered, buffered)
    rows = (params, grads, square_avgs, grad_avgs or params, momentum_buffers or params)
    launch(_rmsprop_all, rows, numbers)


@inner_kernel
def _rmsprop(task, table, ends, values):
    lr, alpha, rest, eps, decay, sign = values[0], values[1], values[2], values[3], values[4], values[5]
    momentum, centered, buffered = values[6], values[7] != 0, values[8] != 0
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        square, mean = piece(task, 2, p, table, ends, values), piece(task, 3, p, table, ends, values)
        buffer = piece(task, 4, p, table, ends, values)
        for i in range(param.size):
            slope = sign * grad[i] + decay * param[i]
            second = square[i] * alpha + rest * slope * slope
            square[i] = second
            if centered:
                average = mean[i] + (slope - mean[i]) * rest
                mean[i] = average
                second -= average * average
            slope /= np.sqrt(second) + eps
            if buffered:
                slope += momentum * buffer[i]
                buffer[i] = slope
            param[i] -= lr * slope


_rmsprop_all = parallel_kernel(_rmsprop)


def adagrad_step(
    params: Arrays,
    grads: Arrays,
    sums: Arrays,
    lr: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Adagrad (Duchi et al. 2011); the caller lets `lr` fall."""
    launch(_adagrad_all, (params, grads, sums), (lr, eps, weight_decay, -1 if maximize else 1))


@inner_kernel
def _adagrad(task, table, ends, values):
    lr, eps, decay, sign = values[0], values[1], values[2], values[3]
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        total = piece(task, 2, p, table, ends, values)
        for i in range(param.size):
            slope = sign * grad[i] + decay * param[i]
            total[i] += slope * slope
            param[i] -= lr * slope / (np.sqrt(total[i]) + eps)


_adagrad_all = parallel_kernel(_adagrad)


def adadelta_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    acc_deltas: Arrays,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Adadelta (Zeiler 2012): the rate is the ratio of the sizes of past steps and past gradients."""
    numbers = (lr, rho, 1 - rho, eps, weight_decay, -1 if maximize else 1)
    launch(_adadelta_all, (params, grads, square_avgs, acc_deltas), numbers)


@inner_kernel
def _adadelta(task, table, ends, values):
    lr, rho, rest, eps, decay, sign = values[0], values[1], values[2], values[3], values[4], values[5]
    for p in range(first(task, ends), past(task, ends)):
        param, grad = piece(task, 0, p, table, ends, values), piece(task, 1, p, table, ends, values)
        square, moved = piece(task, 2, p, table, ends, values), piece(task, 3, p, table, ends, values)
        for i in range(param.size):
            slope = sign * grad[i] + decay * param[i]
            second = square[i] * rho + rest * slope * slope
            square[i] = second
            delta = np.sqrt((moved[i] + eps) / (second + eps)) * slope
            moved[i] = moved[i] * rho + rest * delta * delta
            param[i] -= lr * delta


_adadelta_all = parallel_kernel(_adadelta)
