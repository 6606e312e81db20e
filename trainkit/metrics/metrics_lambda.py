"""`MetricsLambda`: a metric that is made of others."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainkit.engine import Engine
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.metrics.metric import Metric
from trainkit.metrics.usage import MetricUsage

__all__ = ["MetricsLambda"]


class MetricsLambda(Metric):
    """A function of the values of other metrics; it gathers nothing itself.

    Attached or updated, it lets every part gather, each once.

    Args:
        f: takes the values of the metrics among `args` and `kwargs`, and the others as they are.
        args: metrics and constants.
        skip_unrolling: has no effect: parts have their own.
        metrics_result_mode: as for `Metric`.
        kwargs: metrics and constants by name.

    Raises:
        ArgumentError: `f` is not callable.

    >>> from trainkit.metrics import Average
    >>> spread = MetricsLambda(lambda a, b: a - b, Average(lambda x: x * 2), Average())
    >>> engine = Engine(lambda engine, batch: batch)
    >>> spread.attach(engine, "spread")
    >>> engine.run([1.0, 2.0]).metrics
    {'spread': 1.5}
    """

    def __init__(
        self,
        f: Callable[..., Any],
        *args: Any,
        skip_unrolling: bool = False,
        metrics_result_mode: str = "both",
        **kwargs: Any,
    ) -> None:
        if not callable(f):
            raise ArgumentError(f"MetricsLambda expected a function of metrics, got {f!r}")
        self.function = f
        self.args = list(args)
        self.kwargs = kwargs
        self._made = False
        super().__init__(skip_unrolling=skip_unrolling, metrics_result_mode=metrics_result_mode)
        self._made = True

    def reset(self) -> None:
        """Reset every part; being made, the new metric leaves them as they are."""
        for source in self._sources() if self._made else ():
            source.reset()

    def update(self, output: Any) -> None:
        """Update every part, each once."""
        for source in self._sources():
            source.update(output)

    def take(self, output: Any) -> None:
        """Let every part take in an engine's output, each once and through its own transform."""
        for source in self._sources():
            source.take(output)

    def compute(self) -> Any:
        """Return the function of the parts' values."""
        args = [_value(part) for part in self.args]
        return self.function(*args, **{name: _value(part) for name, part in self.kwargs.items()})

    def default_transform(self, output_transform: Callable[[Any], Any]) -> None:
        """Let every part take outputs through `output_transform` that was given no transform."""
        for source in self._sources():
            source.default_transform(output_transform)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the parts."""
        return {"parts": [source.state_dict() for source in self._sources()]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            CheckpointError: the parts are not the same.
        """
        parts = state_dict.get("parts") if isinstance(state_dict, Mapping) else None
        sources = list(self._sources())
        if not isinstance(parts, list) or len(parts) != len(sources):
            raise CheckpointError(
                f"the state of this MetricsLambda has the parts {', '.join(type(s).__name__ for s in sources)}; got "
                f"{len(parts) if isinstance(parts, list) else 'no'} parts"
            )
        for source, part in zip(sources, parts, strict=True):
            source.load_state_dict(part)

    def _sources(self) -> Iterator[Metric]:
        seen: dict[int, Metric] = {}
        for part in (*self.args, *self.kwargs.values()):
            if isinstance(part, Metric):
                seen |= {id(source): source for source in part._sources()}
        yield from seen.values()

    def _listeners(self) -> Iterator[Metric]:
        for source in self._sources():
            yield from source._listeners()

    def _listen(self, engine: Engine, usage: MetricUsage) -> None:
        for source in self._sources():
            source._listen(engine, usage)

    def _listens(self, engine: Engine, usage: MetricUsage) -> bool:
        return all(source._listens(engine, usage) for source in self._sources())


def _value(part: Any) -> Any:
    return part.compute() if isinstance(part, Metric) else part
