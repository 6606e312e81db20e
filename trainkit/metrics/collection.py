"""Several metrics by name, attached together."""

from collections.abc import Mapping
from typing import Any

from trainkit.engine import Engine
from trainkit.errors import CheckpointError, NotComputableError
from trainkit.metrics.metric import Metric

__all__ = ["MetricCollection"]


class MetricCollection(dict[str, Metric]):
    """A dict of metrics that attaches as one, each under its name.

    >>> from trainkit.metrics import Average
    >>> collection = MetricCollection({"mean": Average()})
    >>> collection.update(3.0)
    >>> collection.compute()
    {'mean': 3.0}
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        super().__init__(metrics)

    def attach(self, engine: Engine) -> None:
        """Attach every metric to `engine`."""
        for name, metric in self.items():
            metric.attach(engine, name)

    def reset(self) -> None:
        """Let every metric forget everything."""
        for metric in self.values():
            metric.reset()

    def update(self, output: Any) -> None:  # type: ignore[override]
        """Let every metric take in what an engine would give; of a part that several share, once."""
        sources = {id(source): source for metric in self.values() for source in metric._sources()}
        for source in sources.values():
            source.take(output)

    def compute(self, only_quick: bool = False) -> dict[str, Any]:
        """Return what every metric has gathered so far, or those that are quick; one without an example is left out."""
        values = {}
        for name, metric in self.items():
            if only_quick and not all(source.is_quick for source in metric._sources()):
                continue
            try:
                values[name] = metric.compute()
            except NotComputableError:
                continue
        return values

    def state_dict(self) -> dict[str, Any]:
        """Return the state of every metric by name."""
        return {name: metric.state_dict() for name, metric in self.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            CheckpointError: the names are others, or a state does not fit its metric.
        """
        if set(state_dict) != set(self):
            raise CheckpointError(
                f"the metrics are {', '.join(self) or 'none'}; the state has {', '.join(state_dict) or 'none'}"
            )
        for name, metric in self.items():
            metric.load_state_dict(state_dict[name])
