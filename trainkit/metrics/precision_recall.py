"""How many of the examples found are right, and how many of the right ones are found."""

from typing import Any, ClassVar

import numpy as np

from trainkit.errors import ArgumentError
from trainkit.metrics.arrays import Array, pair_of, plain
from trainkit.metrics.classes import Classification, class_labels, labels_of_scores, share, zeros_and_ones
from trainkit.metrics.metric import as_it_is

__all__ = ["Precision", "Recall"]

Average = bool | str | None
AVERAGES: tuple[Average, ...] = (False, None, True, "macro", "micro", "weighted", "samples")


class _PrecisionRecall(Classification):
    """Counts for each class: right predictions, predictions, examples."""

    higher_is_better = True
    state_names = ("hits", "predicted", "actual", "total", "count", "num_classes")
    _whole: ClassVar[str]

    def __init__(
        self,
        output_transform: Any = as_it_is,
        average: Average = False,
        is_multilabel: bool = False,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        if average not in AVERAGES:
            raise ArgumentError(
                f"{type(self).__name__} expected an average of False, None, True, 'macro', 'micro', 'weighted' or "
                f"'samples', got {average!r}"
            )
        self.average: Average = "macro" if average is True else average
        super().__init__(output_transform, is_multilabel, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        super().reset()
        self.hits = self.predicted = self.actual = np.zeros(1, np.int64)
        self.total = 0.0

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: the shapes do not fit each other, or not the batches before.
            ArgumentError: the labels are none, or `average="samples"` without several labels an example.
            IndexRangeError: a label is none of the classes.
        """
        y_pred, y = pair_of(output, self)
        name = type(self).__name__
        if self.average == "samples" and not self.is_multilabel:
            raise ArgumentError(f"{name}(average='samples') needs is_multilabel=True: other data have one label each")
        classes = self._classes(y_pred, y)
        if self.is_multilabel:
            counts = self._count_labels(zeros_and_ones(name, "y_pred", y_pred), zeros_and_ones(name, "y", y))
        else:
            if classes == 1:
                classes = 2
                found = zeros_and_ones(name, "y_pred", y_pred).ravel().astype(np.intp)
                labels = zeros_and_ones(name, "y", y).ravel().astype(np.intp)
            else:
                found, labels = labels_of_scores(y_pred), class_labels(name, "y", y, classes)
            counts = [np.bincount(part, minlength=classes) for part in (labels[found == labels], found, labels)]
            self.count += labels.size
        hits, predicted, actual = counts
        self.hits, self.predicted, self.actual = self.hits + hits, self.predicted + predicted, self.actual + actual

    def _count_labels(self, y_pred: Array, y: Array) -> list[Array]:
        """Count (N, C, ...) by label, and by example where the average asks for it."""
        parts = [np.moveaxis(part, 1, -1).reshape(-1, y.shape[1]) for part in (y_pred & y, y_pred, y)]
        if self.average == "samples":
            hits, predicted, actual = (np.count_nonzero(part, axis=1) for part in parts)
            self.total += float(share(hits, predicted if self._whole == "predicted" else actual).sum())
        self.count += len(parts[0])
        return [np.count_nonzero(part, axis=0) for part in parts]

    def compute(self) -> Any:
        """Return a number, or without an average an array with one for each class; 0 where there is nothing.

        Without an average binary data give two numbers with `average=None` and that of class 1 with `average=False`.

        Raises:
            NotComputableError: there was no example.
        """
        self._need(self.count)
        if self.average == "samples":
            return self.total / self.count
        whole: Array = getattr(self, self._whole)
        if self.average == "micro":
            return float(share(self.hits.sum(), whole.sum()))
        each = share(self.hits, whole)
        if self.average == "weighted":
            return float(share(each @ self.actual, self.actual.sum()))
        if self.average == "macro":
            return float(each.mean())
        return plain(each[1] if self.average is False and self.num_classes == 1 else each)


class Precision(_PrecisionRecall):
    """Of the examples predicted to be of a class, the share that is: TP / (TP + FP).

    Scores y_pred (N, C, ...) against classes y (N, ...), zeros and ones of one shape, or with `is_multilabel` zeros
    and ones (N, C, ...). A class that was never predicted has precision 0.

    Args:
        output_transform: makes the pair of the output of an engine.
        average: False or None for each class on its own (binary: False is class 1 alone), "macro" or True for the
            mean over classes, "weighted" for the mean weighed by the examples of each class, "micro" for all counts
            together, "samples" for the mean over examples (multilabel).
        is_multilabel: each example has C labels that are there or not.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.

    >>> precision = Precision()
    >>> precision.update(([1, 1, 1, 0], [1, 0, 1, 1]))
    >>> round(precision.compute(), 4)
    0.6667
    """

    _whole = "predicted"


class Recall(_PrecisionRecall):
    """Of the examples of a class, the share that is predicted: TP / (TP + FN).

    Shapes as for `Precision`. A class without examples has recall 0.

    Args:
        output_transform: makes the pair of the output of an engine.
        average: as for `Precision`.
        is_multilabel: each example has C labels that are there or not.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.

    >>> recall = Recall(average="macro")
    >>> recall.update(([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]))
    >>> recall.compute()
    0.75
    """

    _whole = "actual"
