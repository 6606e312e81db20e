"""How often the prediction is right."""

from typing import Any

import numpy as np

from trainkit.errors import ArgumentError, ShapeError
from trainkit.metrics.arrays import pair_of
from trainkit.metrics.classes import Classification, class_labels, zeros_and_ones
from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["Accuracy", "TopKCategoricalAccuracy"]


class Accuracy(Classification):
    """The share of examples whose class is predicted: `update((y_pred, y))`.

    Scores y_pred (N, C, ...) against classes y (N, ...): the class with the highest score counts. Of the same shape
    as y, y_pred holds zeros and ones, or classes as integers. With `is_multilabel` both are zeros and ones of shape
    (N, C, ...), and an example is right where all of its C labels are.

    Args:
        output_transform: makes the pair of the output of an engine.
        is_multilabel: each example has C labels that are there or not.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.

    >>> import trainkit as tk
    >>> accuracy = Accuracy()
    >>> accuracy.update((tk.tensor([[0.1, 0.9], [0.8, 0.2]]), tk.tensor([1, 1])))
    >>> accuracy.compute()
    0.5
    """

    higher_is_better = True
    state_names = ("right", "count", "num_classes")

    def reset(self) -> None:
        """Forget all examples."""
        super().reset()
        self.right = 0

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: the shapes do not fit each other, or not the batches before.
            ArgumentError: probabilities came where zeros and ones were expected.
        """
        y_pred, y = pair_of(output, self)
        if self._classes(y_pred, y) > 1 and not self.is_multilabel:
            right = y_pred.argmax(axis=1) == y
        else:
            y_pred = y_pred.reshape(y.shape)
            if self.is_multilabel or y_pred.dtype.kind not in "iub" or y.dtype.kind not in "iub":
                y_pred = zeros_and_ones("Accuracy", "y_pred", y_pred)
                y = zeros_and_ones("Accuracy", "y", y)
            right = (y_pred == y).all(axis=1) if self.is_multilabel else y_pred == y
        self.right += int(np.count_nonzero(right))
        self.count += right.size

    def compute(self) -> float:
        """Return the share, 0 to 1.

        Raises:
            NotComputableError: there was no example.
        """
        self._need(self.count)
        return self.right / self.count


class TopKCategoricalAccuracy(Metric):
    """The share of examples whose class is among the k with the highest scores: `update((y_pred, y))`.

    Scores y_pred (N, C, ...) against classes y (N, ...). Of equal scores the class with the lower number comes first.

    Args:
        k: how many classes are looked at.
        output_transform: makes the pair of the output of an engine.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.

    >>> import numpy as np
    >>> top2 = TopKCategoricalAccuracy(k=2)
    >>> top2.update((np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), np.array([1, 0])))
    >>> top2.compute()
    0.5
    """

    higher_is_better = True
    state_names = ("right", "count")

    def __init__(
        self, k: int = 5, output_transform: Any = as_it_is, device: Any = "cpu", skip_unrolling: bool = False
    ) -> None:
        if k < 1:
            raise ArgumentError(f"TopKCategoricalAccuracy expected a k of at least 1, got {k}")
        self.k = k
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        self.right = self.count = 0

    def update(self, output: Any) -> None:
        """Take in scores and classes.

        Raises:
            ShapeError: the shapes do not fit each other.
            ArgumentError: there are fewer than k classes.
            IndexRangeError: a label is none of the classes.
        """
        scores, y = pair_of(output, self)
        if scores.ndim != y.ndim + 1 or scores.shape[:1] + scores.shape[2:] != y.shape:
            raise ShapeError(
                "TopKCategoricalAccuracy expected scores (N, C, ...) and classes (N, ...), "
                f"got {scores.shape} and {y.shape}"
            )
        classes = scores.shape[1]
        if classes < self.k:
            raise ArgumentError(f"TopKCategoricalAccuracy(k={self.k}) needs at least {self.k} classes, got {classes}")
        labels = class_labels("TopKCategoricalAccuracy", "y", y, classes)[:, None]
        scores = np.moveaxis(scores, 1, -1).reshape(-1, classes)
        if scores.size and np.isnan(scores.max()):  # NaN is the greatest, as in argmax
            scores = np.where(np.isnan(scores), np.inf, scores)
        own = np.take_along_axis(scores, labels, 1)
        ahead = np.count_nonzero(scores > own, axis=1)
        near = np.flatnonzero(ahead < self.k)
        tied = (scores[near] == own[near]) & (np.arange(classes) < labels[near])
        self.right += int(np.count_nonzero(ahead[near] + np.count_nonzero(tied, axis=1) < self.k))
        self.count += len(labels)

    def compute(self) -> float:
        """Return the share, 0 to 1.

        Raises:
            NotComputableError: there was no example.
        """
        self._need(self.count)
        return self.right / self.count
