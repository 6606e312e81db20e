"""What is read off scores at every threshold: ROC, precision against recall, and the areas under them."""

from typing import Any

import numpy as np

from trainkit.errors import ArgumentError, ShapeError
from trainkit.metrics.arrays import Array, pair_of
from trainkit.metrics.classes import class_labels, share, zeros_and_ones
from trainkit.metrics.metric import Metric, as_it_is

__all__ = ["ROC_AUC", "AveragePrecision", "PrecisionRecallCurve", "RocCurve"]


class _Scores(Metric):
    """Scores and labels of all examples, or counts of both kinds in bins of the score.

    `_columns` gives for each label the thresholds, falling, and how many negatives and positives lie at or above.
    """

    state_names = ("scores", "labels", "counts")
    is_quick = False  # it sorts all scores

    def __init__(
        self,
        output_transform: Any = as_it_is,
        check_compute_fn: bool = False,
        device: Any = "cpu",
        skip_unrolling: bool = False,
        *,
        bins: int | None = None,
    ) -> None:
        if bins is not None and bins < 2:
            raise ArgumentError(f"{type(self).__name__} expected at least 2 bins, got {bins}")
        self.bins = bins
        super().__init__(output_transform, device, skip_unrolling)

    def reset(self) -> None:
        """Forget all examples."""
        self.scores: list[Array] = []
        self.labels: list[Array] = []
        self.counts = np.zeros((1, 2, self.bins or 0), np.int64)

    def update(self, output: Any) -> None:
        """Take in scores and labels.

        Raises:
            ShapeError: the shapes do not fit each other or the batches before.
            ArgumentError: y is not zeros and ones, a score is NaN, or with `bins` outside [0, 1].
            IndexRangeError: a label is none of the classes.
        """
        scores, labels = self._pair(*pair_of(output, self))
        if not len(scores):
            return
        if np.isnan(scores).any():
            raise ArgumentError(f"{type(self).__name__} expected scores that can be ordered, got NaN in y_pred")
        before = len(self.counts) if self.bins and self.counts.any() else self.scores[0].shape[1] if self.scores else 0
        if before not in (0, scores.shape[1]):
            raise ShapeError(
                f"{type(self).__name__} expected {before} scores an example as before, got {scores.shape[1]}"
            )
        if self.bins:
            self.counts = self.counts + self._binned(scores, labels, self.bins)
            return
        # Arrays double in size towards the front: few of them, and each number is copied a few times at most.
        while self.scores and len(self.scores[-1]) <= len(scores):
            scores = np.concatenate([self.scores.pop(), scores])
            labels = np.concatenate([self.labels.pop(), labels])
        self.scores.append(scores)
        self.labels.append(labels)

    def _pair(self, y_pred: Array, y: Array) -> tuple[Array, Array]:
        """Return copies (N, C) of both, scores as floats and labels as booleans."""
        name = type(self).__name__
        y_pred, y = (part[:, 0] if part.ndim == 2 and part.shape[1] == 1 else part for part in (y_pred, y))
        if y_pred.shape == y.shape and y.ndim in (1, 2):
            labels = zeros_and_ones(name, "y", y)
        elif y_pred.ndim == 2 and y_pred.shape[:1] == y.shape:
            classes = y_pred.shape[1]
            labels = class_labels(name, "y", y, classes)[:, None] == np.arange(classes)
        else:
            raise ShapeError(
                f"{name} expected scores and labels (N,) or (N, C), or scores (N, C) and classes (N,), "
                f"got {y_pred.shape} and {y.shape}"
            )
        kind = np.float64 if y_pred.dtype.itemsize > 4 else np.float32
        size = (len(y), 1) if y_pred.ndim == 1 else y_pred.shape
        return y_pred.astype(kind).reshape(size), labels.astype(np.bool_).reshape(size)

    def _binned(self, scores: Array, labels: Array, bins: int) -> Array:
        """Return counts (C, 2, bins) of negatives and positives."""
        if scores.min() < 0 or scores.max() > 1:
            raise ArgumentError(
                f"{type(self).__name__}(bins={bins}) expected probabilities from 0 to 1 in y_pred, got "
                f"{scores.min() if scores.min() < 0 else scores.max()}; apply sigmoid or softmax in output_transform"
            )
        columns = scores.shape[1]
        places = np.minimum((scores * bins).astype(np.intp), bins - 1)
        places += (2 * np.arange(columns) + labels) * bins
        return np.bincount(places.ravel(), minlength=2 * columns * bins).reshape(columns, 2, bins)

    def _columns(self) -> list[tuple[Array, Array, Array]]:
        self._need(len(self.scores) + self.counts.sum())
        if self.bins:
            return [self._of_bins(counts) for counts in self.counts]
        self.scores, self.labels = [np.concatenate(self.scores)], [np.concatenate(self.labels)]
        return [_at_thresholds(*column) for column in zip(self.scores[0].T, self.labels[0].T, strict=True)]

    def _of_bins(self, counts: Array) -> tuple[Array, Array, Array]:
        taken = np.flatnonzero(counts.any(axis=0))[::-1]
        return taken / counts.shape[1], counts[0, taken].cumsum(), counts[1, taken].cumsum()

    def _column(self) -> tuple[Array, Array, Array]:
        """Return the only column there is."""
        columns = self._columns()
        if len(columns) > 1:
            raise ShapeError(
                f"{type(self).__name__} expected binary data, scores and labels (N,), got {len(columns)} scores an "
                "example; choose one in output_transform"
            )
        return columns[0]


def _at_thresholds(scores: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Return the distinct scores, falling, and how many negatives and positives have at least that score."""
    order = np.argsort(scores, kind="stable")[::-1]
    scores, labels = scores[order], labels[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    positives = labels.cumsum(dtype=np.int64)[last]
    return scores[last].astype(np.float64), last + 1 - positives, positives


class ROC_AUC(_Scores):  # noqa: N801
    """The area under the ROC curve: how often a positive example scores above a negative one, ties counting half.

    Scores and zeros and ones, (N,) both; with (N, C) both it is the mean over C labels, and with scores (N, C) and
    classes (N,) the mean over classes, each against the rest. NaN where a label is on all examples or on none.
    All scores are kept until `reset`: memory grows with the data, by five bytes for each float32 score.

    Args:
        output_transform: makes the pair of the output of an engine.
        check_compute_fn: has no effect.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.
        bins: count probabilities in that many bins instead, in bounded memory; two in one bin are a tie.

    >>> auc = ROC_AUC()
    >>> auc.update(([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    >>> auc.compute()
    0.75
    """

    higher_is_better = True

    def compute(self) -> float:
        """Return the area, 0 to 1.

        Raises:
            NotComputableError: there was no example.
        """
        areas = []
        for _, negatives, positives in self._columns():
            pairs = int(negatives[-1]) * int(positives[-1])
            doubled = int((np.diff(negatives, prepend=0) * (positives + np.append(0, positives[:-1]))).sum())
            areas.append(doubled / (2 * pairs) if pairs else np.nan)
        return float(np.mean(areas))


class AveragePrecision(_Scores):
    """The mean of precision over the steps of recall: the area under the precision-recall curve without interpolation.

    Shapes, means over labels and classes, and memory as for `ROC_AUC`. 0 where a label is on no example.

    Args:
        output_transform: makes the pair of the output of an engine.
        check_compute_fn: has no effect.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.
        bins: count probabilities in that many bins instead, in bounded memory; two in one bin are a tie.

    >>> average = AveragePrecision()
    >>> average.update(([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    >>> round(average.compute(), 4)
    0.8333
    """

    higher_is_better = True

    def compute(self) -> float:
        """Return the mean, 0 to 1.

        Raises:
            NotComputableError: there was no example.
        """
        means = []
        for _, negatives, positives in self._columns():
            precision = positives / (negatives + positives)
            means.append(share(np.diff(positives, prepend=0) @ precision, positives[-1]))
        return float(np.mean(means))


class RocCurve(_Scores):
    """The ROC curve of binary data: (false positive rates, true positive rates, thresholds), from (0, 0) to (1, 1).

    Scores and zeros and ones, (N,) both. Points between others on a line are left out; the first threshold is
    infinite. Rates of what there is nothing of are NaN. Memory as for `ROC_AUC`.

    Args:
        output_transform: makes the pair of the output of an engine.
        check_compute_fn: has no effect.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.
        bins: count probabilities in that many bins instead, in bounded memory.

    >>> curve = RocCurve()
    >>> curve.update(([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    >>> [part.tolist() for part in curve.compute()[:2]]
    [[0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0]]
    """

    def compute(self) -> tuple[Array, ...]:
        """Return three arrays of one length.

        Raises:
            NotComputableError: there was no example.
            ShapeError: the data are not binary.
        """
        thresholds, negatives, positives = self._column()
        if len(thresholds) > 2:
            corner = (np.diff(negatives, 2) != 0) | (np.diff(positives, 2) != 0)
            kept = np.concatenate([[True], corner, [True]])
            thresholds, negatives, positives = thresholds[kept], negatives[kept], positives[kept]
        rates = (
            np.append(0, counts) / counts[-1] if counts[-1] else np.full(len(counts) + 1, np.nan)
            for counts in (negatives, positives)
        )
        return *rates, np.append(np.inf, thresholds)


class PrecisionRecallCurve(_Scores):
    """The precision-recall curve of binary data: (precision, recall, thresholds), recall falling.

    Scores and zeros and ones, (N,) both. Precision 1 at recall 0 ends the curve, without a threshold. Recall is 1
    where no example is positive. Memory as for `ROC_AUC`.

    Args:
        output_transform: makes the pair of the output of an engine.
        check_compute_fn: has no effect.
        device: as for `Metric`.
        skip_unrolling: as for `Metric`.
        bins: count probabilities in that many bins instead, in bounded memory.

    >>> curve = PrecisionRecallCurve()
    >>> curve.update(([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    >>> [part.tolist() for part in curve.compute()[1:]]
    [[1.0, 1.0, 0.5, 0.5, 0.0], [0.1, 0.35, 0.4, 0.8]]
    """

    def compute(self) -> tuple[Array, ...]:
        """Return three arrays, thresholds one shorter than the others.

        Raises:
            NotComputableError: there was no example.
            ShapeError: the data are not binary.
        """
        thresholds, negatives, positives = self._column()
        precision = positives / (negatives + positives)
        recall = positives / positives[-1] if positives[-1] else np.ones(len(positives))
        return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1]
