"""What losses share as modules, and what they say to numbers of the wrong kind."""

import warnings
from typing import Any

from trainkit.autograd import Tensor
from trainkit.nn.functional.reduction import check_reduction
from trainkit.nn.module import Module

__all__ = ["Loss", "log_probabilities_expected", "logits_expected"]

SOME = 64  # examples that are looked at
CLOSE = 1e-4  # of the sum of probabilities to 1
ROUNDING = 1e-3  # by which the logarithm of a probability may be more than 0


class Loss(Module):
    """A loss with a reduction: "mean", "sum" or "none".

    Logits and probabilities are easily mixed up, so that a loss may `look` at its first input, and at that alone.
    """

    _looked = False

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction

    def complain(self, complaint: str) -> None:
        """Warn whoever called the loss, if there is a complaint."""
        if complaint:
            warnings.warn(f"{type(self).__name__} {complaint}", UserWarning, stacklevel=4)


def last_op(x: Tensor) -> str:
    """Return the name of the op that made `x`, or nothing where that is not known."""
    return getattr(getattr(x.node, "op", None), "name", "")


def logits_expected(input: Tensor) -> str:
    """Return what is wrong with `input`, logits (N, C, *) or (C,), if these are certainly the result of softmax."""
    if last_op(input) != "softmax" and not _are_shares(input.array):
        return ""
    return (
        "takes logits, but its input are probabilities: each row adds up to 1; leave the softmax out, the loss does it "
        "itself (or use NLLLoss on log_softmax)"
    )


def _are_shares(array: Any) -> bool:
    """Tell whether all rows are probabilities; those of one 1 and of equal numbers are as likely logits."""
    at = 1 if array.ndim > 1 else 0
    if array.ndim == 0 or array.dtype.kind != "f" or not array.size or array.shape[at] < 2:
        return False
    some = array[:SOME] if at else array
    least, most = some.min(), some.max()
    return bool(0 <= least < most < 1 and abs(some.sum(at) - 1).max() < CLOSE)


def log_probabilities_expected(values: Tensor, what: str = "its input are") -> str:
    """Return what is wrong with log-probabilities, if they are none: some are more than 0."""
    some = values.array[:SOME] if values.ndim else values.array
    if not some.size or some.dtype.kind != "f" or not some.max() > ROUNDING:
        return ""
    return (
        f"takes log-probabilities, but {what} more than 0 in places, up to {some.max():.4g}; put log_softmax before it "
        "(nn.LogSoftmax(dim=1))"
    )
