"""Several metrics by name, attached together."""

from collections.abc import Mapping
from typing import Any

from trainkit.engine import Engine
from trainkit.metrics.metric import Metric

__all__ = ["MetricCollection"]


class MetricCollection(dict[str, Metric]):
    """A dict of metrics that attaches as one, each under its name."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        super().__init__(metrics)

    def attach(self, engine: Engine) -> None:
        """Attach every metric to `engine`."""
        for name, metric in self.items():
            metric.attach(engine, name)

    def compute(self) -> dict[str, Any]:
        """Return what every metric has gathered so far."""
        return {name: metric.compute() for name, metric in self.items()}
