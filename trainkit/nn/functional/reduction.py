"""What the losses share: checks of shapes, and the mean or the sum of them."""

from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd import Tensor, int64
from trainkit.autograd import functions as _functions
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

__all__ = ["REDUCTIONS", "at_least", "check_classes", "check_reduction", "check_weight", "reduced", "same_shape"]

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> None:
    """Raise unless it is one that `reduced` knows."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def reduced(losses: Tensor, reduction: str, total: float | None = None) -> Tensor:
    """Average (over nothing: NaN), sum, or leave the losses of a batch; the mean divides by `total` if it is given."""
    if reduction == "mean":
        return losses.mean() if total is None else losses.sum() / total
    if reduction == "sum":
        return losses.sum()
    check_reduction(reduction)
    return losses


def same_shape(name: str, input: Tensor, target: Tensor) -> None:
    """Raise unless two tensors have one shape: broadcasting in a loss is nearly always a mistake."""
    if input.shape != target.shape:
        raise ShapeError(f"{name} needs one shape, got input {input.shape} and target {target.shape}; reshape one")


def at_least(x: Tensor, least: float) -> Tensor:
    """Limit `x` from below, while its gradient passes as if it were not limited: what PyTorch does to a divisor."""
    plain = x.detach()
    return x + (_functions.clamp(plain, least) - plain)


def check_weight(name: str, weight: Any, classes: int) -> None:
    """Raise unless `weight` is a tensor of one number for each class."""
    if not isinstance(weight, Tensor):
        raise ArgumentError(f"{name} takes weight as a tensor of shape ({classes},), got {weight!r}")
    if weight.shape != (classes,):
        raise ShapeError(f"{name} needs a weight for each of {classes} classes, shape ({classes},), got {weight.shape}")
    if weight.requires_grad:
        raise DTypeError(f"{name} does not differentiate by the weight of classes; detach() it")


def check_classes(name: str, scores: Tensor, target: Tensor, ignore_index: int | None) -> tuple[Any, Any]:
    """Check classes (N, *) against scores (N, C, *), or one class against scores (C,).

    Returns:
        The classes as they came, or an array in which those to be ignored are -1; and which are not ignored, None
        where none is.

    Raises:
        ShapeError: the shapes do not fit.
        DTypeError: the classes are no integers.
        IndexRangeError: a class is neither 0 to C - 1 nor ignored.
    """
    shape = scores.array.shape
    at = 1 if len(shape) > 1 else 0
    labels = target.array
    if not shape or labels.shape != shape[:at] + shape[at + 1 :]:
        raise ShapeError(
            f"{name} expected scores of shape (N, C, *) and one class for each score vector, shape (N, *), or (C,) and "
            f"(), got {scores.shape} and {target.shape}"
        )
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"{name} expected classes as integers, got {target.dtype}; cast them with .long()")
    if scores.array.dtype.kind != "f":
        raise DTypeError(f"{name} expected scores as floats, got {scores.dtype}; cast them with .float()")
    classes = shape[at]
    if not labels.size:
        return target, None
    if labels.dtype == int64:
        inside = kernels.are_classes(labels, classes)
    else:
        inside = labels.min() >= 0 and labels.max() < classes
    if inside and (ignore_index is None or not 0 <= ignore_index < classes):
        return target, None
    ignored = np.zeros(labels.shape, bool) if ignore_index is None else np.asarray(labels == ignore_index)
    outside = np.asarray((labels < 0) | (labels >= classes)) & ~ignored
    if outside.any():
        wrong = labels[outside]
        raise IndexRangeError(
            f"{name} got label {wrong[0]} ({wrong.size} of {labels.size} labels are outside), expected 0 to "
            f"{classes - 1} for scores of {classes} classes; does the last layer have an output for each class?"
        )
    return (np.where(ignored, -1, labels.astype(np.int64)), ~ignored) if ignored.any() else (target, None)
