"""`Metric`: a number gathered over many batches, alone or attached to an engine."""

from collections.abc import Callable
from typing import Any, ClassVar

from trainkit.engine import Engine, Events, Priority

__all__ = ["Metric", "as_it_is"]


def as_it_is(output: Any) -> Any:
    """Return the output: the transform of a metric that was given none."""
    return output


class Metric:
    """The base of metrics: a subclass has `reset`, `update` and `compute`.

    Args:
        output_transform: makes the argument of `update` of the output of an engine.

    Attributes:
        higher_is_better: True, False, or None where neither holds; what "the best" means to a callback.
    """

    higher_is_better: ClassVar[bool | None] = None

    def __init__(self, output_transform: Callable[[Any], Any] = as_it_is) -> None:
        self.output_transform = output_transform
        self.reset()

    def reset(self) -> None:
        """Forget everything; an epoch begins with it."""
        raise NotImplementedError(f"{type(self).__name__} has no reset()")

    def update(self, output: Any) -> None:
        """Take in one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    def compute(self) -> Any:
        """Return the value over all that was taken in."""
        raise NotImplementedError(f"{type(self).__name__} has no compute()")

    def attach(self, engine: Engine, name: str) -> None:
        """Gather over each epoch of `engine`; its value stands in `engine.state.metrics[name]` when one ends.

        It is there before other handlers of the same event run: metrics are the first band.
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self.reset, priority=Priority.METRICS)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._gather, priority=Priority.METRICS)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._publish, name, priority=Priority.METRICS)

    def _gather(self, engine: Engine) -> None:
        self.update(self.output_transform(engine.state.output))

    def _publish(self, engine: Engine, name: str) -> None:
        engine.state.metrics[name] = self.compute()
