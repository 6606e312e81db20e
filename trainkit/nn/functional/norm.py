"""Normalisation by mean and variance."""

from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.ops import norm as _norm
from trainkit.errors import ArgumentError, ShapeError

__all__ = ["batch_norm"]


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of (N, C, *): in training by the batch's statistics, which update the running ones.

    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167. The running variance is the unbiased one.

    Raises:
        ShapeError: there is but one value per channel to take statistics of.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError("batch_norm needs running_mean and running_var outside training")
        inv_std = 1.0 / np.sqrt(running_var.array + running_var.dtype.type(eps))
        return _norm.scale_shift(x, running_mean.array, inv_std, weight, bias)
    count = x.numel() // max(x.shape[1], 1)
    if count == 1:
        raise ShapeError(
            f"BatchNorm in training needs more than one value per channel, got shape {x.shape}; use a larger batch "
            "(drop_last=True drops a last batch of one) or eval()"
        )
    out, mean, var = _norm.batch_norm(x, weight, bias, eps)
    if running_mean is not None and running_var is not None and count:
        _decay(running_mean, mean.array, momentum)
        _decay(running_var, var.array * (count / (count - 1)), momentum)
    return out


def _decay(running: Tensor, value: Any, momentum: float) -> None:
    running.array *= 1 - momentum
    running.array += momentum * value
    running.version[0] += 1
