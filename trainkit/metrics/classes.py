"""What the metrics of classes share: which kind of task the shapes mean, labels, zeros and ones, shares."""

from typing import Any

import numpy as np

from trainkit.errors import ArgumentError, IndexRangeError, ShapeError
from trainkit.metrics.arrays import Array
from trainkit.metrics.metric import Metric, as_it_is
from trainkit.metrics.metrics_lambda import MetricsLambda

__all__ = [
    "Classification",
    "class_labels",
    "classes_by_shape",
    "counted",
    "labels_of_scores",
    "mean_over_classes",
    "share",
    "zeros_and_ones",
]


def classes_by_shape(name: str, y_pred: Array, y: Array, is_multilabel: bool = False) -> int:
    """Return the number of classes that the shapes tell: 1 where the task is binary.

    Raises:
        ShapeError: the shapes fit neither each other nor, where it was asked for, several labels an example.
    """
    if is_multilabel:
        if y_pred.shape != y.shape or y.ndim < 2 or y.shape[1] < 2:
            raise ShapeError(
                f"{name}(is_multilabel=True) expected y_pred and y of one shape (N, C, ...) with C at least 2, "
                f"got {y_pred.shape} and {y.shape}"
            )
        return int(y.shape[1])
    if y_pred.ndim == y.ndim + 1 and y_pred.shape[:1] + y_pred.shape[2:] == y.shape and y_pred.shape[1]:
        return int(y_pred.shape[1])
    if y_pred.shape != y.shape:
        raise ShapeError(
            f"{name} expected scores (N, C, ...) and classes (N, ...), or two of one shape, "
            f"got {y_pred.shape} and {y.shape}"
        )
    return 1


def zeros_and_ones(name: str, what: str, array: Array) -> Array:
    """Return booleans of an array that holds zeros and ones only.

    Raises:
        ArgumentError: it holds other numbers.
    """
    if array.dtype == np.bool_:
        return array
    ones: Array = array != 0
    other = ones & (array != 1)
    if other.any():
        hint = "of probabilities, output_transform=lambda output: (output[0] > 0.5, output[1]) makes them"
        if array.dtype.kind in "iu":
            hint = "of more than two classes, give y_pred as scores (N, C, ...) and y as classes (N, ...)"
        raise ArgumentError(f"{name} expected zeros and ones in {what}, got {array[other][0]}; {hint}")
    return ones


def class_labels(name: str, what: str, array: Array, num_classes: int | None = None) -> Array:
    """Return class labels as one row of integers.

    Raises:
        ArgumentError: they are no whole numbers.
        IndexRangeError: they are negative, or not below `num_classes`.
    """
    labels: Array = array.ravel()
    if labels.dtype.kind not in "iub":
        whole = labels == np.floor(labels)
        if not whole.all():
            raise ArgumentError(
                f"{name} expected class labels in {what}, got {labels[~whole][0]}; "
                "scores or probabilities have a dimension of classes, (N, C, ...)"
            )
    labels = labels.astype(np.intp, copy=False)
    if labels.size and (labels.min() < 0 or (num_classes is not None and labels.max() >= num_classes)):
        worst = labels.min() if labels.min() < 0 else labels.max()
        span = "at least 0" if num_classes is None else f"from 0 to {num_classes - 1}"
        raise IndexRangeError(f"{name} expected class labels {span} in {what}, got {worst}")
    return labels


def labels_of_scores(scores: Array) -> Array:
    """Return the classes with the highest scores, of (N, C, ...), as one row."""
    labels: Array = scores.argmax(axis=1).ravel()
    return labels


def counted(true: Array, predicted: Array, num_classes: int) -> Array:
    """Return the matrix of counts: a row for each true class, a column for each predicted one."""
    pairs = np.bincount(true * num_classes + predicted, minlength=num_classes * num_classes)
    matrix: Array = pairs.reshape(num_classes, num_classes).astype(np.int64, copy=False)
    return matrix


def share(part: Any, whole: Any) -> Array:
    """Return part / whole in float64, 0 where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    shares: Array = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    np.divide(part, whole, out=shares, where=whole != 0)
    return shares


def mean_over_classes(metric: Metric) -> MetricsLambda:
    """Make the metric of the mean of another's numbers; one number alone stays as it is."""
    mean = MetricsLambda(lambda each: float(np.mean(each)), metric)
    mean.higher_is_better = metric.higher_is_better
    return mean


class Classification(Metric):
    """The base of metrics that tell binary, multiclass and multilabel data apart by their shapes.

    Scores (N, C, ...) against classes (N, ...) are multiclass, of C = 1 or of one shape binary; of one shape
    (N, C, ...) and `is_multilabel`, each of the C labels is there or not.
    """

    def __init__(
        self,
        output_transform: Any = as_it_is,
        is_multilabel: bool = False,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        self.is_multilabel = is_multilabel
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        self.num_classes = self.count = 0

    def _classes(self, y_pred: Array, y: Array) -> int:
        """Return the number of classes, 1 for binary data, and hold it against the batches before."""
        name = type(self).__name__
        classes = classes_by_shape(name, y_pred, y, self.is_multilabel)
        if self.num_classes not in (0, classes):
            before, now = ("binary data" if n == 1 else f"{n} classes" for n in (self.num_classes, classes))
            raise ShapeError(f"{name} expected {before} as in the batches before, got {now}; reset() begins anew")
        self.num_classes = classes
        return classes
