"""The harmonic mean of precision and recall."""

from typing import Any

import numpy as np

from trainkit.errors import ArgumentError
from trainkit.metrics.arrays import Array, array_of, plain
from trainkit.metrics.classes import share
from trainkit.metrics.metric import as_it_is
from trainkit.metrics.metrics_lambda import MetricsLambda
from trainkit.metrics.precision_recall import Precision, Recall

__all__ = ["Fbeta", "fbeta_of"]


def fbeta_of(beta: float, precision: Array, recall: Array) -> Array:
    """Return the F-score of numbers or arrays, 0 where both are 0."""
    return share((1.0 + beta**2) * precision * recall, beta**2 * precision + recall)


def Fbeta(  # noqa: N802
    beta: float,
    average: bool = True,
    precision: Precision | None = None,
    recall: Recall | None = None,
    output_transform: Any = None,
    device: Any = "cpu",
) -> MetricsLambda:
    """Make the metric (1 + beta²) · precision · recall / (beta² · precision + recall).

    Args:
        beta: how much more recall weighs than precision.
        average: True for the mean over classes (binary data: the score of class 1), False for each class.
        precision: a `Precision(average=False)` to read from; made where it is not given.
        recall: a `Recall(average=False)` to read from; made where it is not given.
        output_transform: makes the pair of the output of an engine, where no metric is given.
        device: as for `Metric`.

    Raises:
        ArgumentError: beta is not positive, a metric given is averaged, or one is given with an output_transform.

    Source: C. J. van Rijsbergen, Information Retrieval, 2nd edition, 1979.

    >>> f1 = Fbeta(1)
    >>> f1.update(([1, 1, 1, 0], [1, 0, 1, 1]))
    >>> round(f1.compute(), 4)
    0.6667
    """
    if not beta > 0:
        raise ArgumentError(f"Fbeta expected a beta above 0, got {beta}")
    for name, metric, kind in (("precision", precision, Precision), ("recall", recall, Recall)):
        if metric is not None and not isinstance(metric, kind):
            raise ArgumentError(f"Fbeta expected a {kind.__name__} as {name}, got {metric!r}")
        if metric is not None and metric.average:
            raise ArgumentError(f"Fbeta expected a {name} with average=False, got average={metric.average!r}")
        if metric is not None and output_transform is not None:
            raise ArgumentError(f"Fbeta expected no output_transform beside {name}, which has its own")
    transform = as_it_is if output_transform is None else output_transform
    if precision is None:
        precision = Precision(transform, device=device)
    if recall is None:
        recall = Recall(transform, device=device)

    def score(precision: Any, recall: Any) -> Any:
        each = fbeta_of(beta, array_of(precision, "Fbeta"), array_of(recall, "Fbeta"))
        return plain(np.mean(each) if average else each)

    fbeta = MetricsLambda(score, precision, recall)
    fbeta.higher_is_better = True
    return fbeta
