"""How far predicted and true classes agree beyond chance."""

import math
from typing import Any

import numpy as np

from trainkit.errors import ArgumentError, ShapeError
from trainkit.metrics.arrays import Array, pair_of
from trainkit.metrics.classes import class_labels, counted, labels_of_scores, zeros_and_ones
from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["CohenKappa", "MatthewsCorrCoef"]


class _Agreement(Metric):
    """Counts of pairs of classes, in a matrix that grows with the classes seen."""

    higher_is_better = True
    state_names = ("confusion_matrix",)

    def __init__(
        self,
        output_transform: Any = as_it_is,
        check_compute_fn: bool = False,
        device: Any = "cpu",
        skip_unrolling: bool = False,
        num_classes: int | None = None,
    ) -> None:
        if num_classes is not None and num_classes < 2:
            raise ArgumentError(f"{type(self).__name__} expected at least 2 classes, got num_classes={num_classes}")
        self.num_classes = num_classes
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        classes = self.num_classes or 0
        self.confusion_matrix = np.zeros((classes, classes), np.int64)

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: the shapes do not fit each other.
            ArgumentError: probabilities came where classes were expected.
            IndexRangeError: a label is negative or none of the classes.
        """
        name = type(self).__name__
        y_pred, y = pair_of(output, self)
        if y.ndim == 2 and y.shape[1] == 1 and y_pred.ndim < 3:
            y = y[:, 0]
        if y_pred.ndim == 2 and y_pred.shape[1] == 1:
            y_pred = y_pred[:, 0]
        if y.ndim == 1 and y_pred.shape == y.shape:
            found, classes = class_labels(name, "y_pred", y_pred, self.num_classes), self.num_classes
        elif y_pred.ndim == y.ndim + 1 and y_pred.shape[:1] + y_pred.shape[2:] == y.shape and y_pred.shape[1] > 1:
            found, classes = labels_of_scores(y_pred), y_pred.shape[1]
            if self.num_classes not in (None, classes):
                raise ShapeError(f"{name} expected scores (N, {self.num_classes}, ...), got {y_pred.shape}")
        else:
            raise ShapeError(
                f"{name} expected classes (N,) twice, or scores (N, C, ...) and classes (N, ...), "
                f"got {y_pred.shape} and {y.shape}"
            )
        true = class_labels(name, "y", y, classes)
        if not true.size:
            return
        size = max(len(self.confusion_matrix), int(true.max()) + 1, int(found.max()) + 1)
        matrix = counted(true, found, size)
        matrix[tuple(map(slice, self.confusion_matrix.shape))] += self.confusion_matrix
        self.confusion_matrix = matrix

    def _matrix(self) -> Array:
        """Return the counts as float64."""
        self._need(self.confusion_matrix.sum())
        return self.confusion_matrix.astype(np.float64)


class CohenKappa(_Agreement):
    """Cohen's kappa: 1 where predictions and targets agree, 0 where they agree as often as by chance.

    Classes (N,) as y_pred and as y, or scores (N, C, ...) against classes (N, ...). It is 0 where all examples are
    of one class and predicted so.

    Args:
        output_transform: makes the pair of the output of an engine.
        weights: None, or "linear" or "quadratic" where classes are ordered and far misses weigh more.
        check_compute_fn: has no effect.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.
        num_classes: C, to refuse other labels; None takes them as they come.

    Source: J. Cohen, A coefficient of agreement for nominal scales, 1960.

    >>> kappa = CohenKappa()
    >>> kappa.update(([0, 1, 1, 0], [0, 1, 0, 0]))
    >>> kappa.compute()
    0.5
    """

    def __init__(
        self,
        output_transform: Any = as_it_is,
        weights: str | None = None,
        check_compute_fn: bool = False,
        device: Any = "cpu",
        skip_unrolling: bool = False,
        num_classes: int | None = None,
    ) -> None:
        if weights not in (None, "linear", "quadratic"):
            raise ArgumentError(f"CohenKappa expected weights of None, 'linear' or 'quadratic', got {weights!r}")
        self.weights = weights
        super().__init__(output_transform, check_compute_fn, device, skip_unrolling, num_classes)

    def compute(self) -> float:
        """Return kappa, at most 1.

        Raises:
            NotComputableError: there was no example.
        """
        matrix = self._matrix()
        total = matrix.sum()
        by_chance = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / total
        steps = np.abs(np.subtract.outer(np.arange(len(matrix)), np.arange(len(matrix))))
        weights = {None: steps > 0, "linear": steps, "quadratic": steps**2}[self.weights]
        missed, expected = float((weights * matrix).sum()), float((weights * by_chance).sum())
        return 1.0 - missed / expected if expected else 0.0


class MatthewsCorrCoef(_Agreement):
    """The correlation of predicted and true classes, Matthews' for two, Gorodkin's for more: -1 to 1.

    Classes (N,) as y_pred and as y, scores (N, C, ...) against classes (N, ...), or scores against rows (N, C) with
    a single one. It is 0 where all predictions or all targets are of one class.

    Args:
        output_transform: makes the pair of the output of an engine.
        check_compute_fn: has no effect.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.
        num_classes: C, to refuse other labels; None takes them as they come.

    Source: J. Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004.

    >>> correlation = MatthewsCorrCoef()
    >>> correlation.update(([0, 1, 1, 0], [0, 1, 0, 0]))
    >>> round(correlation.compute(), 4)
    0.5774
    """

    def update(self, output: Any) -> None:
        """Take in predictions and targets; errors as for `CohenKappa`."""
        y_pred, y = pair_of(output, self)
        if y.ndim == 2 and y.shape == y_pred.shape and y.shape[1] > 1:
            y = zeros_and_ones("MatthewsCorrCoef", "y", y).argmax(axis=1)
        super().update((y_pred, y))

    def compute(self) -> float:
        """Return the correlation.

        Raises:
            NotComputableError: there was no example.
        """
        matrix = self._matrix()
        total, right = matrix.sum(), np.trace(matrix)
        true, found = matrix.sum(axis=1), matrix.sum(axis=0)
        spread = (total**2 - found @ found) * (total**2 - true @ true)
        return float((right * total - true @ found) / math.sqrt(spread)) if spread else 0.0
