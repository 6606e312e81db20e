"""Metrics by name: those that need no arguments."""

from collections.abc import Callable

from trainkit.errors import ArgumentError
from trainkit.metrics.accuracy import Accuracy, TopKCategoricalAccuracy
from trainkit.metrics.agreement import CohenKappa, MatthewsCorrCoef
from trainkit.metrics.classes import mean_over_classes
from trainkit.metrics.confusion import ConfusionMatrix, DiceCoefficient, mIoU
from trainkit.metrics.curves import ROC_AUC, AveragePrecision
from trainkit.metrics.fbeta import Fbeta
from trainkit.metrics.metric import Metric
from trainkit.metrics.precision_recall import Precision, Recall
from trainkit.metrics.regression import (
    CosineSimilarity,
    MeanAbsoluteError,
    MeanSquaredError,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
)
from trainkit.metrics.text import Bleu, Perplexity

__all__ = ["get"]

_METRICS: dict[str, Callable[[], Metric]] = {
    "accuracy": Accuracy,
    "auc": ROC_AUC,
    "average_precision": AveragePrecision,
    "bleu": Bleu,
    "cohen_kappa": CohenKappa,
    "cosine_similarity": CosineSimilarity,
    "dice": lambda: mean_over_classes(DiceCoefficient(ConfusionMatrix())),
    "f1": lambda: Fbeta(1),
    "iou": lambda: mIoU(ConfusionMatrix()),
    "kappa": CohenKappa,
    "mae": lambda: MeanAbsoluteError(per_element=True),
    "mcc": MatthewsCorrCoef,
    "mse": lambda: MeanSquaredError(per_element=True),
    "pearson": PearsonCorrelation,
    "perplexity": Perplexity,
    "precision": lambda: mean_over_classes(Precision()),
    "r2": R2Score,
    "recall": lambda: mean_over_classes(Recall()),
    "rmse": lambda: RootMeanSquaredError(per_element=True),
    "top3": lambda: TopKCategoricalAccuracy(k=3),
    "top5": lambda: TopKCategoricalAccuracy(k=5),
}


def get(name: str) -> Metric:
    """Make the metric of a name.

    "precision", "recall", "f1", "iou" and "dice" are means over classes; of binary data the first three are those of
    class 1. "mse", "rmse" and "mae" are means over all numbers of an example, as the losses of these names are.

    Raises:
        ArgumentError: there is no such name; the message lists those there are.

    >>> get("accuracy").higher_is_better
    True
    """
    if not isinstance(name, str) or name not in _METRICS:
        raise ArgumentError(f"there is no metric named {name!r}; there are {', '.join(_METRICS)}, or give an object")
    return _METRICS[name]()
