"""When a metric is reset, updated and computed, as three events of an engine."""

from typing import Any

from trainkit.engine import Events
from trainkit.engine.events import Event
from trainkit.errors import ArgumentError

__all__ = [
    "BatchFiltered",
    "BatchWise",
    "EpochWise",
    "MetricUsage",
    "RunningBatchWise",
    "RunningEpochWise",
    "SingleEpochRunningBatchWise",
    "usage_of",
]


class MetricUsage:
    """The three events of a metric; a usage of your own is an object of this class.

    Args:
        started: the metric forgets everything.
        completed: its value goes into `engine.state.metrics`.
        iteration_completed: it takes in the engine's output.

    >>> MetricUsage(Events.STARTED, Events.COMPLETED, Events.ITERATION_COMPLETED)
    MetricUsage(Events.STARTED, Events.COMPLETED, Events.ITERATION_COMPLETED)
    """

    usage_name = ""

    def __init__(self, started: Event, completed: Event, iteration_completed: Event) -> None:
        self.STARTED = started
        self.COMPLETED = completed
        self.ITERATION_COMPLETED = iteration_completed

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.STARTED!r}, {self.COMPLETED!r}, {self.ITERATION_COMPLETED!r})"


class EpochWise(MetricUsage):
    """Over each epoch: the usage where none is named.

    >>> EpochWise().usage_name
    'epoch_wise'
    """

    usage_name = "epoch_wise"

    def __init__(self) -> None:
        super().__init__(Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED)


class RunningEpochWise(EpochWise):
    """Over the run, taking in something at the end of each epoch.

    >>> RunningEpochWise().usage_name
    'running_epoch_wise'
    """

    usage_name = "running_epoch_wise"

    def __init__(self) -> None:
        MetricUsage.__init__(self, Events.STARTED, Events.EPOCH_COMPLETED, Events.EPOCH_COMPLETED)


class BatchWise(MetricUsage):
    """Over each batch alone.

    >>> BatchWise().usage_name
    'batch_wise'
    """

    usage_name = "batch_wise"

    def __init__(self) -> None:
        super().__init__(Events.ITERATION_STARTED, Events.ITERATION_COMPLETED, Events.ITERATION_COMPLETED)


class RunningBatchWise(BatchWise):
    """Over the run so far, with a value after every batch.

    >>> RunningBatchWise().usage_name
    'running_batch_wise'
    """

    usage_name = "running_batch_wise"

    def __init__(self) -> None:
        MetricUsage.__init__(self, Events.STARTED, Events.ITERATION_COMPLETED, Events.ITERATION_COMPLETED)


class SingleEpochRunningBatchWise(BatchWise):
    """Over the epoch so far, with a value after every batch.

    >>> SingleEpochRunningBatchWise().usage_name
    'single_epoch_running_batch_wise'
    """

    usage_name = "single_epoch_running_batch_wise"

    def __init__(self) -> None:
        MetricUsage.__init__(self, Events.EPOCH_STARTED, Events.ITERATION_COMPLETED, Events.ITERATION_COMPLETED)


class BatchFiltered(MetricUsage):
    """Over some batches of each epoch; the arguments are those of a filtered event.

    >>> BatchFiltered(every=2).ITERATION_COMPLETED
    Events.ITERATION_COMPLETED(every=2)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED(*args, **kwargs))


_NAMED: dict[str, type[EpochWise] | type[BatchWise]] = {
    cls.usage_name: cls
    for cls in (EpochWise, RunningEpochWise, BatchWise, RunningBatchWise, SingleEpochRunningBatchWise)
}


def usage_of(usage: Any) -> MetricUsage:
    """Return the usage that a name or an object means.

    Raises:
        ArgumentError: it is neither.
    """
    if isinstance(usage, MetricUsage):
        return usage
    if isinstance(usage, str) and usage in _NAMED:
        return _NAMED[usage]()
    hint = "; make one: add the brackets" if isinstance(usage, type) else ""
    raise ArgumentError(f"usage expected a MetricUsage or one of {', '.join(_NAMED)}, got {usage!r}{hint}")
