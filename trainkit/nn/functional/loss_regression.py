"""Losses of regression: of numbers, or of distributions of numbers, against numbers."""

import math

from trainkit.autograd import Tensor, full_like
from trainkit.autograd import functions as _functions
from trainkit.autograd.ops.choose import where as _where
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn.functional.reduction import at_least, reduced, same_shape

__all__ = ["gaussian_nll_loss", "huber_loss", "l1_loss", "mse_loss", "poisson_nll_loss", "smooth_l1_loss"]


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Squared difference, of two tensors of one shape.

    Differs from PyTorch: `size_average` and `reduce` are gone; shapes that differ raise instead of warning.

    Args:
        input: any numbers.
        target: any numbers.
        reduction: "mean", "sum" or "none".
        weight: a factor for each element; the mean divides by their sum.

    Raises:
        ShapeError: the shapes differ; broadcasting here is nearly always a mistake.
    """
    same_shape("mse_loss", input, target)
    difference = input - target
    return _averaged("mse_loss", difference * difference, weight, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Absolute difference, of two tensors of one shape; arguments, errors and what differs as for `mse_loss`."""
    same_shape("l1_loss", input, target)
    return _averaged("l1_loss", abs(input - target), weight, reduction)


def _averaged(name: str, losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    losses = _weighed(name, losses, weight)
    if weight is not None and reduction == "mean":
        return losses.sum() / weight.sum()
    return reduced(losses, reduction)


def _weighed(name: str, losses: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return losses
    if weight.shape != losses.shape:
        raise ShapeError(f"{name} needs a weight of the input's shape, {losses.shape}, got {weight.shape}")
    return losses * weight


def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Absolute difference, but half its square divided by `beta` where it is less than that.

    Source: Girshick, 2015, https://arxiv.org/abs/1504.08083.

    Differs from PyTorch: `size_average` and `reduce` are gone; shapes that differ raise instead of warning.

    Raises:
        ShapeError: the shapes differ.
        ArgumentError: `beta` is negative.
    """
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss needs a beta of 0 or more, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    same_shape("smooth_l1_loss", input, target)
    difference = input - target
    size = abs(difference)
    losses = _where(size < beta, difference * difference * (0.5 / beta), size - 0.5 * beta)
    return reduced(losses, reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the squared difference, which goes on as a line where the difference is `delta` or more.

    Source: Huber, 1964, https://doi.org/10.1214/aoms/1177703732. With `weight`, a factor for each element, the mean
    divides by the number of elements all the same, as in PyTorch.

    Differs from PyTorch: shapes that differ raise instead of warning.

    Raises:
        ShapeError: the shapes differ.
        ArgumentError: `delta` is not positive.
    """
    if delta <= 0:
        raise ArgumentError(f"huber_loss needs a delta of more than 0, got {delta}")
    same_shape("huber_loss", input, target)
    difference = input - target
    size = abs(difference)
    losses = _where(size < delta, difference * difference * 0.5, (size - 0.5 * delta) * delta)
    return reduced(_weighed("huber_loss", losses, weight), reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of `target` under normal distributions of mean `input` and variance `var`.

    Source: Nix and Weigend, 1994, https://doi.org/10.1109/ICNN.1994.374138.

    Args:
        input: means.
        target: of the shape of `input`.
        var: variances, of that shape, or without its last dimension, or with 1 for it; or one number.
        full: add the constant log(2 pi) / 2.
        eps: the least variance.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes do not fit.
        ArgumentError: a variance is negative, or `eps` not positive.
    """
    name = "gaussian_nll_loss"
    if eps <= 0:
        raise ArgumentError(f"{name} needs an eps of more than 0, got {eps}")
    same_shape(name, input, target)
    spread = var if isinstance(var, Tensor) else full_like(input, var)
    if spread.shape != input.shape:
        if spread.shape == input.shape[:-1]:
            spread = spread.unsqueeze(-1)
        elif spread.shape != (*input.shape[:-1], 1):
            raise ShapeError(
                f"{name} needs var of the input's shape, {input.shape}, or with 1 for its last size, got {spread.shape}"
            )
    if spread.array.size and spread.array.min() < 0:
        raise ArgumentError(f"{name} got a negative variance, {spread.array.min():.4g}; pass exp() or softplus() of it")
    spread = at_least(spread, eps)
    difference = input - target
    losses = (_functions.log(spread) + difference * difference / spread) * 0.5
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts under Poisson distributions.

    Differs from PyTorch: `size_average` and `reduce` are gone, what follows `full` is given by name.

    Args:
        input: the logarithm of the expected counts; with `log_input=False` these themselves.
        target: counts; the two broadcast.
        log_input: see `input`.
        full: add Stirling's approximation of log(target!) where the count is more than 1.
        eps: added to an expected count before its logarithm is taken.
        reduction: "mean", "sum" or "none".
    """
    mean = _functions.exp(input) if log_input else input
    losses = mean - target * (input if log_input else _functions.log(input + eps))
    if full:
        large = target > 1
        count = _where(large, target, 1.0)
        stirling = count * _functions.log(count) - count + 0.5 * _functions.log(count * (2 * math.pi))
        losses = losses + _where(large, stirling, 0.0)
    return reduced(losses, reduction)
