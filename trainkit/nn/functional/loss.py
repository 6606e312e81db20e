"""What training makes small."""

from trainkit.autograd import Tensor
from trainkit.autograd.ops import loss as _loss
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

__all__ = ["cross_entropy", "mse_loss", "nll_loss"]


def cross_entropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Softmax and negative log-likelihood in one pass: logits (N, C) against classes (N,), int64.

    Raises:
        ShapeError: the shapes are not (N, C) and (N,).
        DTypeError: the target does not hold integers.
        IndexRangeError: a label is outside [0, C - 1].

    >>> import trainkit as tk
    >>> cross_entropy(tk.zeros(2, 10), tk.tensor([3, 7]))
    tensor(2.3026)
    """
    _check_classes("cross_entropy", input, target)
    return _reduce(_loss.cross_entropy(input, target), reduction)


def nll_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of classes (N,) under log-probabilities (N, C); errors as for `cross_entropy`."""
    _check_classes("nll_loss", input, target)
    picked = input.gather(1, target.to("int64").reshape(-1, 1))
    return _reduce(-picked.reshape(-1), reduction)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Squared difference, of two tensors of one shape.

    Raises:
        ShapeError: the shapes differ; broadcasting here is nearly always a mistake.
    """
    if input.shape != target.shape:
        raise ShapeError(f"mse_loss needs one shape, got input {input.shape} and target {target.shape}; reshape one")
    difference = input - target
    return _reduce(difference * difference, reduction)


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    """Average (over nothing: NaN), sum, or leave the losses of a batch."""
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ArgumentError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def _check_classes(name: str, scores: Tensor, target: Tensor) -> None:
    if scores.ndim != 2 or target.shape != scores.shape[:1]:
        raise ShapeError(
            f"{name} expected scores of shape (N, C) and one class for each row, shape (N,), "
            f"got {scores.shape} and {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise DTypeError(f"{name} expected classes as integers, got {target.dtype}; cast them with .long()")
    labels, classes = target.array, scores.shape[1]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = labels[(labels < 0) | (labels >= classes)]
        raise IndexRangeError(
            f"{name} got label {wrong[0]} ({wrong.size} of {labels.size} labels are outside), expected 0 to "
            f"{classes - 1} for scores of {classes} classes; does the last layer have an output for each class?"
        )
