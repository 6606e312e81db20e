"""Losses of classification: of scores or probabilities against classes or probabilities."""

import math
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd import functions as _functions
from trainkit.autograd.ops import activation as _activation
from trainkit.autograd.ops import loss as _loss
from trainkit.autograd.ops.choose import masked as _masked
from trainkit.autograd.ops.index import gather as _gather
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.nn.functional.reduction import check_classes, check_reduction, check_weight, reduced, same_shape

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "soft_margin_loss",
]


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax and negative log-likelihood of logits (N, C, *), or (C,), against classes (N, *) or probabilities.

    Differs from PyTorch: `size_average` and `reduce` are gone, what follows `weight` is given by name; the classes may
    be of any integer dtype.

    Args:
        input: logits, without softmax.
        target: classes, integers of the shape of `input` without C; or probabilities, of the shape of `input`.
        weight: (C,), a factor for each class. With classes the mean divides by the sum of the factors.
        ignore_index: a class that counts for nothing.
        reduction: "mean" (of nothing: NaN), "sum" or "none".
        label_smoothing: how much of each target is spread evenly over all classes. Source: Szegedy et al., 2015,
            https://arxiv.org/abs/1512.00567.

    Raises:
        ShapeError: the shapes do not fit.
        DTypeError: the target holds neither integers nor floats, or the input no floats.
        IndexRangeError: a label is outside [0, C - 1].
        ArgumentError: `label_smoothing` is not in [0, 1].

    >>> import trainkit as tk
    >>> cross_entropy(tk.zeros(2, 10), tk.tensor([3, 7]))
    tensor(2.3026)
    """
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    shape = input.array.shape
    if target.array.shape == shape and target.array.dtype.kind == "f":
        return _against_probabilities(input, target, weight, reduction, label_smoothing)
    labels, kept = check_classes("cross_entropy", input, target, ignore_index)
    if weight is not None:
        check_weight("cross_entropy", weight, shape[1 if len(shape) > 1 else 0])
    rows = input if len(shape) == 2 else _rows(input)
    if len(shape) != 2:
        labels = labels.reshape(-1)
    half = rows.array.dtype.char == "e"
    rows = rows.float() if half else rows
    if weight is kept is None and not label_smoothing and reduction != "none":
        check_reduction(reduction)
        number = 1.0 if reduction == "sum" else len(rows.array) or math.nan
        out = _loss.cross_entropy(rows, labels, number)
        return out.half() if half else out
    if label_smoothing:
        factors: Any = np.ones(rows.array.shape[1]) if weight is None else weight.array
        losses = _loss.smooth_cross_entropy(rows, labels, factors, float(label_smoothing))
    else:
        losses = _loss.cross_entropy_rows(rows, labels)
    total = None
    if weight is not None or kept is not None:
        of_rows = _factors(weight, labels, kept)
        total = float(of_rows.sum())
        if weight is not None and not label_smoothing:
            losses = losses * of_rows.astype(losses.array.dtype)
    losses = losses if len(shape) == 2 else losses.reshape(target.array.shape)
    out = reduced(losses, reduction, total)
    return out.half() if half else out


def _rows(input: Tensor) -> Tensor:
    """Make a matrix of logits (C,) or (N, C, *): a row for each target."""
    classes = input.array.shape[1 if input.ndim > 1 else 0]
    if input.ndim <= 2:
        return input.reshape(-1, classes)
    moved = _functions.movedim(input, 1, -1)
    return moved.reshape(moved.array.size // max(classes, 1) if classes else 0, classes)


def _factors(weight: Tensor | None, labels: Any, kept: Any) -> Any:
    """The factor of each loss: its class's weight or 1, and 0 for what is ignored."""
    labels = getattr(labels, "array", labels)
    kept = True if kept is None else kept.reshape(labels.shape)
    factors = np.ones(labels.shape) if weight is None else weight.array.astype(np.float64)[np.where(kept, labels, 0)]
    return np.where(kept, factors, 0.0)


def _against_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    if input.ndim == 0:
        raise ShapeError("cross_entropy expected logits of shape (N, C, *) or (C,), got a number")
    at = 1 if input.ndim > 1 else 0
    classes = input.array.shape[at]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    if weight is not None:
        check_weight("cross_entropy", weight, classes)
        target = target * weight.reshape(classes, *[1] * (input.ndim - at - 1))
    return reduced(-(_functions.log_softmax(input, at) * target).sum(at), reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of classes (N, *) under log-probabilities (N, C, *), or of one class under (C,).

    Differs from PyTorch: `size_average` and `reduce` are gone, what follows `weight` is given by name; the classes may
    be of any integer dtype. Arguments and errors are those of `cross_entropy`.
    """
    labels, kept = check_classes("nll_loss", input, target, ignore_index)
    at = 1 if input.ndim > 1 else 0
    places = np.asarray(getattr(labels, "array", labels), np.int64)
    places = places if kept is None else np.where(kept, places, 0)
    losses = -_gather(input, at, np.expand_dims(places, at)).reshape(target.array.shape)
    if kept is not None:
        losses = _masked(losses, kept)  # not a product: what is ignored may be infinite
    total = None
    if weight is not None:
        check_weight("nll_loss", weight, input.array.shape[at])
    if weight is not None or kept is not None:
        factors = _factors(weight, labels, kept)
        total = float(factors.sum())
        if weight is not None:
            losses = losses * factors.astype(losses.array.dtype)
    return reduced(losses, reduction, total)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Cross-entropy of probabilities against probabilities of one shape; a logarithm counts as -100 at the least.

    Differs from PyTorch: `size_average` and `reduce` are gone.

    Args:
        input: probabilities, from 0 to 1; for logits there is `binary_cross_entropy_with_logits`.
        target: probabilities, or 0 and 1.
        weight: factors, which broadcast to the shape of the others.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        DTypeError: the dtypes differ, or are no floats.
        ArgumentError: a value is outside [0, 1], or NaN.

    >>> import trainkit as tk
    >>> binary_cross_entropy(tk.tensor([0.5, 0.0]), tk.tensor([1.0, 1.0]), reduction="none")
    tensor([  0.6931, 100.0000])
    """
    name = "binary_cross_entropy"
    same_shape(name, input, target)
    if input.array.dtype.kind != "f" or target.array.dtype != input.array.dtype:
        raise DTypeError(
            f"{name} expected floats of one dtype, got input {input.dtype} and target {target.dtype}; "
            "cast the target with .to(input.dtype)"
        )
    for what, values in (("input", input.array), ("target", target.array)):
        if values.size and not (values.min() >= 0 and values.max() <= 1):  # NaN fails too
            hint = f"; for logits there is {name}_with_logits" if what == "input" else ""
            raise ArgumentError(
                f"{name} expected {what} as probabilities, 0 to 1, got values from {values.min():.4g} to "
                f"{values.max():.4g}{hint}"
            )
    return reduced(_weighed(name, _loss.binary_cross_entropy(input, target), weight), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Sigmoid and cross-entropy of logits against probabilities of one shape, precise where sigmoid is 0 or 1.

    Differs from PyTorch: `size_average` and `reduce` are gone.

    Args:
        input: logits, without sigmoid.
        target: probabilities, or 0 and 1.
        weight: factors, which broadcast to the shape of the others.
        reduction: "mean", "sum" or "none".
        pos_weight: factors of what is positive in the target, which broadcast likewise.

    Raises:
        ShapeError: the shapes do not fit.
        DTypeError: a tensor holds no floats.

    >>> import trainkit as tk
    >>> binary_cross_entropy_with_logits(tk.tensor([0.0, 800.0]), tk.tensor([1.0, 1.0]), reduction="none")
    tensor([0.6931, 0.0000])
    """
    name = "binary_cross_entropy_with_logits"
    same_shape(name, input, target)
    _check_floats(name, input, target)
    if pos_weight is None and input.array.dtype == target.array.dtype and input.array.dtype.char in "fd":
        losses = _loss.logistic_loss(input, target)
    else:
        # -log sigmoid(x) is 0 where x is large, log(1 - sigmoid(x)) is -x less
        unlikely = _activation.logsigmoid(input)
        if pos_weight is not None:
            _check_broadcast(name, "pos_weight", pos_weight, input)
            unlikely = unlikely * ((pos_weight - 1) * target + 1)
        losses = (1 - target) * input - unlikely
    return reduced(_weighed(name, losses, weight), reduction)


def _check_floats(name: str, input: Tensor, target: Tensor) -> None:
    for what, tensor in (("input", input), ("target", target)):
        if tensor.array.dtype.kind != "f":
            raise DTypeError(f"{name} expected {what} as floats, got {tensor.dtype}; cast it with .float()")


def _check_broadcast(name: str, what: str, factors: Any, input: Tensor) -> None:
    try:
        fits = np.broadcast_shapes(factors.array.shape, input.array.shape) == input.array.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{name}: {what} of shape {factors.shape} does not broadcast to the input's, {input.shape}")


def _weighed(name: str, losses: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return losses
    _check_broadcast(name, "weight", weight, losses)
    return losses * weight


def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The Kullback-Leibler divergence of `target`, probabilities, from `input`, log-probabilities, element by element.

    Differs from PyTorch: `size_average` and `reduce` are gone; that "mean" divides by all elements, and only
    "batchmean" gives the divergence as it is defined, is said here and not by a warning.

    Args:
        input: log-probabilities.
        target: probabilities; log-probabilities with `log_target`. The two broadcast.
        reduction: "batchmean" (the sum divided by the first size), "mean", "sum" or "none".
        log_target: whether the target is given by its logarithm.
    """
    _check_floats("kl_div", input, target)
    if log_target:
        losses = _functions.exp(target) * (target - input)
    else:
        losses = _functions.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return losses.sum() / input.array.shape[0] if input.ndim else losses.sum()
    return reduced(losses, reduction)


def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target input)) of scores against -1 and 1.

    Differs from PyTorch: `size_average` and `reduce` are gone; large scores do not overflow.

    Raises:
        ShapeError: the shapes differ.
    """
    same_shape("soft_margin_loss", input, target)
    return reduced(-_activation.logsigmoid(input * target), reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy of logits (*, C) against 0 and 1, averaged over the classes: one loss for each example.

    Differs from PyTorch: `size_average` and `reduce` are gone.

    Args:
        input: logits, without sigmoid.
        target: probabilities, or 0 and 1, of one shape with `input`.
        weight: (C,), a factor for each class.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes do not fit.
    """
    name = "multilabel_soft_margin_loss"
    losses = binary_cross_entropy_with_logits(input, target.to(input.dtype), weight, reduction="none")
    if input.ndim == 0:
        raise ShapeError(f"{name} expected scores of shape (*, C), got a number")
    return reduced(losses.mean(-1), reduction)
