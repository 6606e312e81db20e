"""Precision, recall and F-score of every class in one table."""

import json
from collections.abc import Sequence
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.metrics.arrays import array_of
from trainkit.metrics.fbeta import fbeta_of
from trainkit.metrics.metric import as_it_is
from trainkit.metrics.metrics_lambda import MetricsLambda
from trainkit.metrics.precision_recall import Precision, Recall

__all__ = ["ClassificationReport"]


def ClassificationReport(  # noqa: N802
    beta: float = 1,
    output_dict: bool = False,
    output_transform: Any = as_it_is,
    device: Any = "cpu",
    is_multilabel: bool = False,
    labels: Sequence[str] | None = None,
    metrics_result_mode: str = "both",
) -> MetricsLambda:
    """Make the metric of precision, recall and F-score of each class and of their means, "macro avg".

    Its value is a dict of dicts, or the same as JSON. Binary data have the classes 0 and 1.

    Args:
        beta: how much more recall weighs than precision in the F-score.
        output_dict: True for the dict, False for JSON.
        output_transform: makes the pair of the output of an engine.
        device: as for `Metric`.
        is_multilabel: each example has C labels that are there or not.
        labels: names of the classes, in order; else their numbers.
        metrics_result_mode: as for `Metric`.

    Raises:
        ArgumentError: beta is not positive; in `compute`, there are not as many labels as classes.

    >>> report = ClassificationReport(output_dict=True, labels=["cat", "dog"])
    >>> report.update(([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 1, 1]))
    >>> report.compute()["dog"]
    {'precision': 1.0, 'recall': 1.0, 'f1-score': 1.0}
    """
    if not beta > 0:
        raise ArgumentError(f"ClassificationReport expected a beta above 0, got {beta}")

    def table(*values: Any) -> Any:
        precision, recall = (array_of(value, "ClassificationReport") for value in values)
        scores = fbeta_of(beta, precision, recall)
        names = [str(number) for number in range(len(scores))] if labels is None else list(labels)
        if len(names) != len(scores):
            raise ArgumentError(
                f"ClassificationReport was given {len(names)} labels, {', '.join(names)}, but there are "
                f"{len(scores)} classes"
            )
        rows = [*zip(names, precision, recall, scores, strict=True)]
        rows.append(("macro avg", precision.mean(), recall.mean(), scores.mean()))
        report = {
            name: {"precision": float(p), "recall": float(r), f"f{beta}-score": float(f)} for name, p, r, f in rows
        }
        return report if output_dict else json.dumps(report)

    parts = (kind(output_transform, None, is_multilabel, device) for kind in (Precision, Recall))
    return MetricsLambda(table, *parts, metrics_result_mode=metrics_result_mode)
