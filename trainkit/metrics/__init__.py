"""Numbers over many batches: reset, update, compute, attach."""

from trainkit.metrics.accuracy import Accuracy
from trainkit.metrics.average import Average, Loss
from trainkit.metrics.collection import MetricCollection
from trainkit.metrics.metric import Metric

__all__ = ["Accuracy", "Average", "Loss", "Metric", "MetricCollection"]
