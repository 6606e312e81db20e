"""Means over examples."""

import math
from typing import Any

from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["Average", "Loss"]


class Average(Metric):
    """The mean of numbers, each with a weight: `update(number)` or `update((number, weight))`.

    Over nothing it is NaN.

    >>> mean = Average()
    >>> mean.update((1.0, 3))
    >>> mean.update((5.0, 1))
    >>> mean.compute()
    2.0
    """

    def reset(self) -> None:
        """Forget all numbers."""
        self.total = self.weight = 0.0

    def update(self, output: Any) -> None:
        """Take in a number, or a pair of a number and its weight."""
        value, weight = output if isinstance(output, tuple) else (output, 1)
        self.total += float(value) * weight
        self.weight += weight

    def compute(self) -> float:
        """Return the weighed mean."""
        return self.total / self.weight if self.weight else math.nan


class Loss(Average):
    """The mean of a loss over examples: `update((y_pred, y))`; batches of different sizes count by their size.

    Args:
        loss_fn: `loss_fn(y_pred, y)`, a mean over the batch.
        output_transform: makes the pair of the output of an engine.
    """

    higher_is_better = False

    def __init__(self, loss_fn: Any, output_transform: Any = as_it_is) -> None:
        self.loss_fn = loss_fn
        super().__init__(output_transform)

    def update(self, output: Any) -> None:
        """Take in predictions and targets."""
        y_pred, y = output
        super().update((self.loss_fn(y_pred, y).item(), len(y)))
