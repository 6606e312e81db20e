"""How often the prediction is right."""

import math
from typing import Any

import numpy as np

from trainkit.errors import ShapeError
from trainkit.metrics.metric import Metric

__all__ = ["Accuracy"]


class Accuracy(Metric):
    """The share of examples whose class is predicted: `update((y_pred, y))`.

    Scores y_pred (N, C, ...) against classes y (N, ...): the class with the highest score counts. Of the same shape
    as y, y_pred holds zeros and ones.

    >>> import trainkit as tk
    >>> accuracy = Accuracy()
    >>> accuracy.update((tk.tensor([[0.1, 0.9], [0.8, 0.2]]), tk.tensor([1, 1])))
    >>> accuracy.compute()
    0.5
    """

    higher_is_better = True

    def reset(self) -> None:
        """Forget all examples."""
        self.right = self.count = 0

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: the shapes do not fit each other.
        """
        y_pred, y = (np.asarray(getattr(part, "array", part)) for part in output)
        if y_pred.ndim == y.ndim + 1 and y_pred.shape[:1] + y_pred.shape[2:] == y.shape:
            y_pred = y_pred.argmax(axis=1)
        elif y_pred.shape != y.shape:
            raise ShapeError(
                "Accuracy expected scores (N, C, ...) and classes (N, ...), or two of one shape, "
                f"got {y_pred.shape} and {y.shape}"
            )
        self.right += int(np.count_nonzero(y_pred == y))
        self.count += y.size

    def compute(self) -> float:
        """Return the share, 0 to 1; NaN over nothing."""
        return self.right / self.count if self.count else math.nan
