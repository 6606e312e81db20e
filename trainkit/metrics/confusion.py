"""Which classes are taken for which, and what is made of these counts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.errors import ArgumentError, ShapeError
from trainkit.metrics.arrays import Array, array_of, pair_of, plain
from trainkit.metrics.classes import class_labels, counted, labels_of_scores, share, zeros_and_ones
from trainkit.metrics.metric import Metric, as_it_is
from trainkit.metrics.metrics_lambda import MetricsLambda

__all__ = [
    "ConfusionMatrix",
    "DiceCoefficient",
    "IoU",
    "JaccardIndex",
    "MultiLabelConfusionMatrix",
    "cmAccuracy",
    "cmPrecision",
    "cmRecall",
    "mIoU",
]


class ConfusionMatrix(Metric):
    """Counts of examples: a row for each true class, a column for each predicted one.

    Scores y_pred (N, C, ...) against classes y (N, ...), pixels of images (N, C, H, W) included. Labels that are
    none of the classes are left out, as 255 or -1 often mark what shall not count.

    Args:
        num_classes: C; None takes it from the first batch.
        average: None for counts, "samples" for counts divided by N, "recall" for shares of each row, "precision"
            for shares of each column; 0 where there is nothing.
        output_transform: makes the pair of the output of an engine.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.

    >>> import numpy as np
    >>> matrix = ConfusionMatrix(num_classes=2)
    >>> matrix.update((np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), np.array([0, 0, 1])))
    >>> matrix.compute().tolist()
    [[1, 1], [0, 1]]
    """

    state_names = ("confusion_matrix", "count")

    def __init__(
        self,
        num_classes: int | None = None,
        average: str | None = None,
        output_transform: Any = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = True,
    ) -> None:
        if num_classes is not None and num_classes < 2:
            raise ArgumentError(f"ConfusionMatrix expected at least 2 classes, got num_classes={num_classes}")
        if average not in (None, "samples", "recall", "precision"):
            raise ArgumentError(
                f"ConfusionMatrix expected an average of None, 'samples', 'recall' or 'precision', got {average!r}"
            )
        self.num_classes, self.average = num_classes, average
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        classes = self.num_classes or 0
        self.confusion_matrix = np.zeros((classes, classes), np.int64)
        self.count = 0

    def update(self, output: Any) -> None:
        """Take in scores and classes.

        Raises:
            ShapeError: the shapes do not fit each other or the number of classes.
            ArgumentError: y holds no class labels.
        """
        y_pred, y = pair_of(output, self)
        classes = len(self.confusion_matrix)
        expected = classes or "C"
        if y_pred.ndim != y.ndim + 1 or y_pred.shape[:1] + y_pred.shape[2:] != y.shape:
            raise ShapeError(
                f"ConfusionMatrix expected scores (N, {expected}, ...) and classes (N, ...), "
                f"got {y_pred.shape} and {y.shape}"
            )
        if y_pred.shape[1] < 2 or classes not in (0, y_pred.shape[1]):
            raise ShapeError(
                f"ConfusionMatrix expected scores of {classes or 'at least 2'} classes, (N, {expected}, ...), "
                f"got {y_pred.shape}"
            )
        if not classes:
            classes = y_pred.shape[1]
            self.confusion_matrix = np.zeros((classes, classes), np.int64)
        known = (y >= 0) & (y < classes)
        found, known = labels_of_scores(y_pred), known.ravel()
        y = y.ravel()
        if not known.all():
            found, y = found[known], y[known]
        self.confusion_matrix = self.confusion_matrix + counted(class_labels("ConfusionMatrix", "y", y), found, classes)
        self.count += len(y_pred)

    def compute(self) -> Array:
        """Return the matrix (C, C).

        Raises:
            NotComputableError: there was no example.
        """
        self._need(self.count)
        if self.average == "samples":
            return self.confusion_matrix / self.count
        if self.average is not None:
            return self.normalize(self.confusion_matrix, self.average)
        return self.confusion_matrix.copy()

    @staticmethod
    def normalize(matrix: Any, average: str) -> Array:
        """Return shares of each row, for "recall", or of each column, for "precision".

        Raises:
            ArgumentError: `average` is neither.
        """
        if average not in ("recall", "precision"):
            raise ArgumentError(f"normalize() expected an average of 'recall' or 'precision', got {average!r}")
        matrix = array_of(matrix, "normalize")
        return share(matrix, matrix.sum(axis=1 if average == "recall" else 0, keepdims=True))


def _made_of(
    name: str,
    formula: Callable[[Array, Array, Array], Array],
    cm: ConfusionMatrix,
    ignore_index: int | None = None,
    mean: bool = False,
) -> MetricsLambda:
    """Make a metric of the diagonal, the rows' sums and the columns' sums of a matrix of counts."""
    if not isinstance(cm, ConfusionMatrix):
        raise ArgumentError(f"{name} expected a ConfusionMatrix, got {type(cm).__name__}")
    if cm.average not in (None, "samples"):
        raise ArgumentError(
            f"{name} needs counts: a ConfusionMatrix with average None or 'samples', got {cm.average!r}"
        )
    if ignore_index is not None:
        _check_class(name, ignore_index, cm.num_classes)

    def computed(value: Any) -> Any:
        matrix = array_of(value, name)
        each = formula(np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0))
        if ignore_index is not None:
            _check_class(name, ignore_index, len(matrix))
            each = np.delete(each, ignore_index)
        return plain(each.mean() if mean else each)

    metric = MetricsLambda(computed, cm)
    metric.higher_is_better = True
    return metric


def _check_class(name: str, ignore_index: Any, classes: int | None) -> None:
    if not isinstance(ignore_index, (int, np.integer)) or ignore_index < 0 or ignore_index >= (classes or np.inf):
        span = f"from 0 to {classes - 1}" if classes else "of at least 0"
        raise ArgumentError(f"{name} expected an ignore_index {span}, got {ignore_index!r}")


def IoU(cm: ConfusionMatrix, ignore_index: int | None = None) -> MetricsLambda:  # noqa: N802
    """Make the metric of intersection over union, TP / (TP + FP + FN), an array with one number for each class.

    Args:
        cm: counts, a `ConfusionMatrix` with average None or "samples".
        ignore_index: a class that is left out.

    Raises:
        ArgumentError: `cm` is no such matrix, or `ignore_index` none of its classes.

    >>> iou = IoU(ConfusionMatrix(2))
    >>> iou.update(([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]))
    >>> iou.compute().tolist()
    [0.5, 0.5]
    """
    return _made_of("IoU", lambda hits, rows, columns: share(hits, rows + columns - hits), cm, ignore_index)


def mIoU(cm: ConfusionMatrix, ignore_index: int | None = None) -> MetricsLambda:  # noqa: N802
    """Make the metric of the mean of `IoU` over classes; arguments and errors as there.

    >>> miou = mIoU(ConfusionMatrix(2))
    >>> miou.update(([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]))
    >>> miou.compute()
    0.5
    """
    return _made_of("mIoU", lambda hits, rows, columns: share(hits, rows + columns - hits), cm, ignore_index, True)


def JaccardIndex(cm: ConfusionMatrix, ignore_index: int | None = None) -> MetricsLambda:  # noqa: N802
    """Make the metric `IoU` under its other name."""
    return IoU(cm, ignore_index)


def DiceCoefficient(cm: ConfusionMatrix, ignore_index: int | None = None) -> MetricsLambda:  # noqa: N802
    """Make the metric 2 TP / (2 TP + FP + FN), an array with one number for each class.

    Arguments and errors as for `IoU`.

    >>> dice = DiceCoefficient(ConfusionMatrix(2), ignore_index=0)
    >>> dice.update(([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 1, 1]))
    >>> dice.compute().tolist()
    [1.0]
    """
    return _made_of("DiceCoefficient", lambda hits, rows, columns: share(2 * hits, rows + columns), cm, ignore_index)


def cmAccuracy(cm: ConfusionMatrix) -> MetricsLambda:  # noqa: N802
    """Make the metric of the share of examples on the diagonal of `cm`; errors as for `IoU`."""
    return _made_of("cmAccuracy", lambda hits, rows, columns: share(hits.sum(), rows.sum()), cm, mean=True)


def cmPrecision(cm: ConfusionMatrix, average: bool = True) -> MetricsLambda:  # noqa: N802
    """Make the metric of precision by the counts of `cm`: the mean over classes, or one number for each.

    Errors as for `IoU`.
    """
    return _made_of("cmPrecision", lambda hits, rows, columns: share(hits, columns), cm, mean=average)


def cmRecall(cm: ConfusionMatrix, average: bool = True) -> MetricsLambda:  # noqa: N802
    """Make the metric of recall by the counts of `cm`: the mean over classes, or one number for each.

    Errors as for `IoU`.
    """
    return _made_of("cmRecall", lambda hits, rows, columns: share(hits, rows), cm, mean=average)


class MultiLabelConfusionMatrix(Metric):
    """For each label the counts [[TN, FP], [FN, TP]], an array (C, 2, 2).

    y_pred and y hold zeros and ones and are of one shape (N, C, ...).

    Args:
        num_classes: C, the number of labels.
        output_transform: makes the pair of the output of an engine.
        device: as for `Metric`.
        normalized: divide by the number of examples.
        skip_unrolling: as for `Metric`.

    >>> matrix = MultiLabelConfusionMatrix(num_classes=2)
    >>> matrix.update(([[1, 0], [1, 1]], [[1, 0], [0, 1]]))
    >>> matrix.compute().tolist()
    [[[0, 1], [0, 1]], [[1, 0], [0, 1]]]
    """

    state_names = ("confusion_matrix", "count")

    def __init__(
        self,
        num_classes: int,
        output_transform: Any = as_it_is,
        device: Any = "cpu",
        normalized: bool = False,
        skip_unrolling: bool = False,
    ) -> None:
        if num_classes < 2:
            raise ArgumentError(f"MultiLabelConfusionMatrix expected at least 2 labels, got num_classes={num_classes}")
        self.num_classes, self.normalized = num_classes, normalized
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        self.confusion_matrix = np.zeros((self.num_classes, 2, 2), np.int64)
        self.count = 0

    def update(self, output: Any) -> None:
        """Take in predictions and targets.

        Raises:
            ShapeError: the shapes differ or do not have `num_classes` labels.
            ArgumentError: there are other numbers than zeros and ones.
        """
        y_pred, y = pair_of(output, self)
        if y_pred.shape != y.shape or y.ndim < 2 or y.shape[1] != self.num_classes:
            raise ShapeError(
                "MultiLabelConfusionMatrix expected y_pred and y of one shape "
                f"(N, {self.num_classes}, ...), got {y_pred.shape} and {y.shape}"
            )
        found = zeros_and_ones("MultiLabelConfusionMatrix", "y_pred", y_pred)
        labels = zeros_and_ones("MultiLabelConfusionMatrix", "y", y)
        rest = tuple(axis for axis in range(y.ndim) if axis != 1)
        hits, predicted, actual = (np.count_nonzero(part, axis=rest) for part in (found & labels, found, labels))
        missed, wrong = actual - hits, predicted - hits
        absent = y.size // self.num_classes - hits - missed - wrong
        counts = np.stack([absent, wrong, missed, hits], axis=1).reshape(-1, 2, 2)
        self.confusion_matrix = self.confusion_matrix + counts
        self.count += len(y)

    def compute(self) -> Array:
        """Return the counts, or shares where `normalized` was asked for, (C, 2, 2).

        Raises:
            NotComputableError: there was no example.
        """
        self._need(self.count)
        if self.normalized:
            return share(self.confusion_matrix, self.confusion_matrix.sum(axis=(1, 2), keepdims=True))
        return self.confusion_matrix.copy()
