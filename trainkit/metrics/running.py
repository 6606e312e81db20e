"""Averages that forget slowly, and rates."""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainkit.autograd import Tensor
from trainkit.engine import Engine, Events, Priority
from trainkit.engine.events import Event
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.metrics.arrays import array_of, plain
from trainkit.metrics.metric import Metric, as_it_is
from trainkit.metrics.usage import (
    BatchWise,
    EpochWise,
    MetricUsage,
    RunningBatchWise,
    SingleEpochRunningBatchWise,
    usage_of,
)

__all__ = ["Frequency", "RunningAverage"]


class RunningAverage(Metric):
    """The exponentially weighed average, `alpha * before + (1 - alpha) * now`, of a metric's value or of an output.

    The metric is that of each batch alone, or of each epoch if the usage is "running_epoch_wise".

    Args:
        src: the metric; None: the output of the engine.
        alpha: how much of the past is kept, above 0 and up to 1.
        output_transform: makes a number or an array of the output, where there is no metric.
        epoch_bound: True begins anew in every epoch, False does not; None leaves it to the usage.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    Raises:
        ArgumentError: alpha is out of range, both a metric and a transform were given, or neither.

    >>> engine = Engine(lambda engine, batch: batch)
    >>> RunningAverage(output_transform=float, alpha=0.75).attach(engine, "smooth")
    >>> engine.run([0, 4, 4]).metrics
    {'smooth': 1.75}
    """

    required_output_keys = None
    state_names = ("value",)

    def __init__(
        self,
        src: Metric | None = None,
        alpha: float = 0.98,
        output_transform: Callable[[Any], Any] | None = None,
        epoch_bound: bool | None = None,
        device: Any = None,
        skip_unrolling: bool = False,
    ) -> None:
        if src is not None and not isinstance(src, Metric):
            raise ArgumentError(f"src expected a Metric or None, got {src!r}")
        if not 0.0 < alpha <= 1.0:
            raise ArgumentError(f"alpha expected a number above 0 and up to 1, got {alpha!r}")
        if (src is None) == (output_transform is None):
            got = "neither" if src is None else "both"
            raise ArgumentError(f"RunningAverage expected a metric or an output_transform, got {got}")
        self.src: Metric | None = None  # being made, it leaves the metric as it is
        self.alpha = alpha
        self.epoch_bound = epoch_bound
        super().__init__(output_transform or as_it_is, device, skip_unrolling)
        if src is not None:
            self.src = src
            self.higher_is_better = src.higher_is_better

    def reset(self) -> None:
        """Forget the past."""
        self.value: Any = None
        if self.src is not None:
            self.src.reset()

    def update(self, output: Any) -> None:
        """Take in the value for one batch: a number, an array, or what the metric takes.

        Raises:
            DTypeError: it is no number.
        """
        if self.src is None:
            self._fold(output)
        else:
            self.src.reset()
            self.src.update(output)
            self._fold(self.src.compute())

    def take(self, output: Any) -> None:
        """Take in an engine's output, a metric by its own transform."""
        if self.src is None:
            super().take(output)
        else:
            self.src.reset()
            self.src.take(output)
            self._fold(self.src.compute())

    def iteration_completed(self, engine: Engine) -> None:
        """Take in the engine's output, or the value of the metric, which has a handler of its own."""
        if self.src is None:
            self.take(engine.state.output)
        else:
            self._fold(self.src.compute())

    def compute(self) -> Any:
        """Return the average.

        Raises:
            NotComputableError: there was no value.
        """
        self._need(self.value is not None)
        return self.value

    def attach(self, engine: Engine, name: str, usage: str | MetricUsage = "running_batch_wise") -> None:
        """Keep `engine.state.metrics[name]` up to date, after every batch by default; `usage` as for `Metric`."""
        super().attach(engine, name, self._bound(usage))

    def detach(self, engine: Engine, usage: str | MetricUsage = "running_batch_wise") -> None:
        """Take back what `attach` did."""
        super().detach(engine, self._bound(usage))

    def is_attached(self, engine: Engine, usage: str | MetricUsage = "running_batch_wise") -> bool:
        """Tell whether it writes its value into `engine.state.metrics`."""
        return super().is_attached(engine, self._bound(usage))

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the state of the metric."""
        return {**super().state_dict(), "src": None if self.src is None else self.src.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            CheckpointError: it is that of another kind of metric.
        """
        state = dict(state_dict)
        src = state.pop("src", None)
        if (src is None) != (self.src is None):
            raise CheckpointError("the state of a RunningAverage with a metric fits no other, and the reverse")
        super().load_state_dict(state)
        if self.src is not None:
            self.src.load_state_dict(src)

    def default_transform(self, output_transform: Callable[[Any], Any]) -> None:
        """Take outputs through `output_transform`, unless one was given, to this average or to its metric."""
        if self.src is None:
            super().default_transform(output_transform)
        else:
            self.src.default_transform(output_transform)

    def _fold(self, value: Any) -> None:
        value = plain(array_of(value, "RunningAverage").copy()) if isinstance(value, Tensor) else plain(value)
        array_of(value, "RunningAverage")  # which says so if it is no number
        if self.value is None:
            self.value = copy.copy(value)
        else:
            self.value = self.value * self.alpha + (1.0 - self.alpha) * value

    def _bound(self, usage: str | MetricUsage) -> MetricUsage:
        if self.epoch_bound is None:
            return usage_of(usage)
        return SingleEpochRunningBatchWise() if self.epoch_bound else RunningBatchWise()

    def _listeners(self) -> Iterator[Metric]:
        if self.src is not None:
            yield from self.src._listeners()
        yield self

    def _listen(self, engine: Engine, usage: MetricUsage) -> None:
        if self.src is not None:
            self.src._listen(engine, _usage_within(usage))
        super()._listen(engine, usage)

    def _listens(self, engine: Engine, usage: MetricUsage) -> bool:
        within = self.src is None or self.src._listens(engine, _usage_within(usage))
        return within and super()._listens(engine, usage)


def _usage_within(usage: MetricUsage) -> MetricUsage:
    """Return over what the metric of a running average gathers."""
    return EpochWise() if usage.ITERATION_COMPLETED == Events.EPOCH_COMPLETED else BatchWise()


class Frequency(Metric):
    """Examples, tokens, whatever is counted, per second of the epoch: `update(count)`.

    Args:
        output_transform: makes the count of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    >>> frequency = Frequency(output_transform=len)
    >>> frequency.update(32)
    >>> frequency.compute() > 0
    True
    """

    higher_is_better = True
    state_names = ("count", "seconds")

    def reset(self) -> None:
        """Begin to count and to measure the time."""
        self.count = 0
        self.seconds = 0.0
        self._begun = time.perf_counter()

    def update(self, output: Any) -> None:
        """Take in a count.

        Raises:
            DTypeError: it is no number.
        """
        self.count += int(array_of(output, "Frequency"))
        self.seconds = time.perf_counter() - self._begun

    def compute(self) -> float:
        """Return the count per second up to the last update.

        Raises:
            NotComputableError: nothing was counted.
        """
        self._need(self.count)
        return self.count / max(self.seconds, 1e-9)  # a clock may stand still between two looks at it

    def completed(self, engine: Engine, name: str) -> None:
        """Put the rate, as an integer, into `engine.state.metrics`."""
        engine.state.metrics[name] = int(self.compute())

    def attach(  # type: ignore[override]
        self, engine: Engine, name: str, event_name: Event = Events.ITERATION_COMPLETED
    ) -> None:
        """Measure each epoch of `engine` and write the rate at `event_name`."""
        self._listen(engine, EpochWise())
        engine.add_event_handler(event_name, self.completed, name, priority=Priority.METRICS)

    def detach(  # type: ignore[override]
        self, engine: Engine, event_name: Event = Events.ITERATION_COMPLETED
    ) -> None:
        """Take back what `attach` did."""
        super().detach(engine, _at(event_name))

    def is_attached(  # type: ignore[override]
        self, engine: Engine, event_name: Event = Events.ITERATION_COMPLETED
    ) -> bool:
        """Tell whether it writes the rate at `event_name`."""
        return super().is_attached(engine, _at(event_name))

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; the time between is not counted.

        Raises:
            CheckpointError: it is that of another kind of metric.
        """
        super().load_state_dict(state_dict)
        self._begun = time.perf_counter() - self.seconds


def _at(event: Event) -> MetricUsage:
    return MetricUsage(Events.EPOCH_STARTED, event, Events.ITERATION_COMPLETED)
