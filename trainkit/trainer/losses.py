"""The loss of a batch: one or several, of one or several outputs, with or without a weight for each example."""

import copy
from collections.abc import Mapping
from typing import Any

from trainkit.autograd import Tensor, as_tensor
from trainkit.callbacks import MixedTarget
from trainkit.errors import ArgumentError, ShapeError

__all__ = ["BatchLoss"]


class BatchLoss:
    """A loss as the mean over the examples of a batch.

    Several losses, in a list or a dict, go to the outputs of the same place or name, and are added up. Weights, one
    for each example, multiply the losses of the examples before the mean is taken, so that an example of weight 2
    counts as two in a batch that is not longer.

    Args:
        loss: a function of prediction and target, or a list or dict of such.

    >>> import trainkit as tk
    >>> loss = BatchLoss({"a": tk.nn.MSELoss(), "b": tk.nn.MSELoss()})
    >>> loss({"a": tk.ones(4, 1), "b": tk.ones(4, 1)}, {"a": tk.zeros(4, 1), "b": tk.ones(4, 1)})
    tensor(1.)
    """

    def __init__(self, loss: Any) -> None:
        self.loss = loss
        self.parts: dict[Any, BatchLoss] = {}
        if isinstance(loss, Mapping):
            self.parts = {key: BatchLoss(part) for key, part in loss.items()}
        elif isinstance(loss, list):
            self.parts = {i: BatchLoss(part) for i, part in enumerate(loss)}
        self.summed: bool = (
            any(part.summed for part in self.parts.values()) or getattr(loss, "reduction", None) == "sum"
        )
        self._each: Any = None

    def __call__(self, y_pred: Any, y: Any, weight: Any = None) -> Any:
        """Return a tensor of one element."""
        if isinstance(y, MixedTarget):
            return y.loss(self, y_pred)
        if self.parts:
            return self._sum(y_pred, y, weight)
        if weight is not None:
            return self._weigh(y_pred, y, weight)
        value = self.loss(y_pred, y)
        if not isinstance(value, Tensor):
            return as_tensor(value)
        return value.mean() if value.ndim else value

    def _sum(self, y_pred: Any, y: Any, weight: Any) -> Any:
        total: Any = None
        for key, part in self.parts.items():
            try:
                prediction, target = y_pred[key], y[key]
            except (KeyError, IndexError, TypeError) as error:
                raise ArgumentError(
                    f"the loss of output {key!r} found none of that name or place: the model returned "
                    f"{_form(y_pred)}, the target is {_form(y)}"
                ) from error
            value = part(prediction, target, weight)
            total = value if total is None else total + value
        return total

    def _weigh(self, y_pred: Any, y: Any, weight: Any) -> Any:
        if self._each is None:
            self._each = self.loss
            if getattr(self.loss, "reduction", "none") != "none":
                self._each = copy.copy(self.loss)
                self._each.reduction = "none"
        losses = self._each(y_pred, y)
        weight = as_tensor(weight)
        if not losses.ndim:
            raise ArgumentError(
                "sample weights need a loss for each example, but the loss returned one number; give a loss with "
                "a `reduction`, or a function that returns a row an example"
            )
        if weight.shape != losses.shape[:1]:
            raise ShapeError(
                f"sample weights must have one number for each of the {len(losses)} examples, got shape {weight.shape}"
            )
        each = losses.flatten(1).mean(1) if losses.ndim > 1 else losses
        weighed = each * weight.to(each.dtype)
        return weighed.sum() if self.summed else weighed.mean()


def _form(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dict with {', '.join(map(repr, value))}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"one {type(value).__name__}"
