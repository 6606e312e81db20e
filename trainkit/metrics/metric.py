"""`Metric`: a number gathered over many batches, alone or attached to an engine."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from trainkit.autograd import Tensor, no_grad
from trainkit.autograd.device import check_device
from trainkit.engine import Engine, Priority
from trainkit.engine.events import Event, EventsList, FilteredEvent
from trainkit.errors import ArgumentError, CheckpointError, NotComputableError
from trainkit.metrics.arithmetic import Arithmetic
from trainkit.metrics.arrays import plain
from trainkit.metrics.usage import MetricUsage, usage_of

__all__ = ["Metric", "as_it_is"]

_MODES = ("flatten", "named", "both")


def as_it_is(output: Any) -> Any:
    """Return the output: the transform of a metric that was given none."""
    return output


class Metric(Arithmetic):
    """The base of metrics: a subclass has `reset`, `update` and `compute`.

    Operators, indexing and methods make a new metric of it: `1 - accuracy`, `recall[0]`, `precision.mean()`.

    Args:
        output_transform: makes the argument of `update` of the output of an engine.
        device: where the metric computes; the CPU is all there is.
        skip_unrolling: a pair of lists, `([a, b], [c, d])`, is otherwise taken in as examples, (a, c) and then (b, d).
        metrics_result_mode: where a dict goes in `engine.state.metrics`: its items ("flatten"), the dict under the
            metric's name ("named"), or both.

    Attributes:
        higher_is_better: True, False, or None where neither holds; what "the best" means to a callback.
        required_output_keys: of an output that is a dict, the items that make the argument of `update`; None: it takes
            no dict.
        is_quick: compute() costs no more than an update, so that a progress bar may ask for it.
        state_names: the attributes that hold what was gathered: numbers, arrays, None, and lists of these.

    Raises:
        ArgumentError: an argument is of the wrong kind.

    >>> class Largest(Metric):
    ...     state_names = ("largest",)
    ...     def reset(self):
    ...         self.largest = 0.0
    ...     def update(self, output):
    ...         self.largest = max(self.largest, output)
    ...     def compute(self):
    ...         return self.largest
    >>> engine = Engine(lambda engine, batch: batch)
    >>> Largest().attach(engine, "largest")
    >>> (Largest() * 2).attach(engine, "twice")
    >>> engine.run([1.0, 3.0, 2.0]).metrics
    {'largest': 3.0, 'twice': 6.0}
    """

    higher_is_better: bool | None = None
    required_output_keys: tuple[str, ...] | None = ("y_pred", "y")
    is_quick: bool = True
    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
        metrics_result_mode: str = "both",
    ) -> None:
        if not callable(output_transform):
            raise ArgumentError(f"output_transform expected a callable, got {output_transform!r}")
        if metrics_result_mode not in _MODES:
            raise ArgumentError(f"metrics_result_mode expected one of {', '.join(_MODES)}, got {metrics_result_mode!r}")
        check_device(device)
        self.output_transform = output_transform
        self.skip_unrolling = skip_unrolling
        self.metrics_result_mode = metrics_result_mode
        self.reset()

    def reset(self) -> None:
        """Forget everything; an epoch begins with it."""
        raise NotImplementedError(f"{type(self).__name__} has no reset()")

    def update(self, output: Any) -> None:
        """Take in one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    def compute(self) -> Any:
        """Return the value over all that was taken in: a number, an array where it is several, or a dict of these.

        Raises:
            NotComputableError: nothing was taken in.
        """
        raise NotImplementedError(f"{type(self).__name__} has no compute()")

    def started(self, engine: Engine) -> None:
        """Forget everything: the handler of a usage's first event."""
        self.reset()

    def iteration_completed(self, engine: Engine) -> None:
        """Take in the engine's output: the handler of the event at which a usage updates."""
        self.take(engine.state.output)

    def take(self, output: Any) -> None:
        """Take in an output as an engine gives it: through `output_transform`, a dict by its keys, lists unrolled.

        Raises:
            ArgumentError: the output is a dict that lacks a key, or lists of different lengths.
        """
        output = self.output_transform(output)
        # A pair is by far the most frequent output: it is asked the fewest questions.
        if not isinstance(output, tuple) and isinstance(output, Mapping):
            output = self._pick(output)
        with no_grad():
            if not self.skip_unrolling and _are_lists(output):
                for example in _unrolled(output, type(self).__name__):
                    self.update(example)
            else:
                self.update(output)

    def completed(self, engine: Engine, name: str) -> None:
        """Put the value into `engine.state.metrics`: the handler of a usage's last event.

        Raises:
            ArgumentError: the value is a dict with the metric's own name among its keys.
        """
        result = self.compute()
        metrics = engine.state.metrics
        if not isinstance(result, Mapping):
            metrics[name] = plain(result)
            return
        if self.metrics_result_mode != "flatten" and name in result:
            raise ArgumentError(
                f"the value of {type(self).__name__} is a dict with a key {name!r}, the name that it was attached "
                "under; attach it under another"
            )
        result = {key: plain(value) for key, value in result.items()}
        if self.metrics_result_mode != "named":
            metrics.update(result)
        if self.metrics_result_mode != "flatten":
            metrics[name] = result

    def attach(self, engine: Engine, name: str, usage: str | MetricUsage = "epoch_wise") -> None:
        """Gather over each epoch of `engine`; its value stands in `engine.state.metrics[name]` when one ends.

        It is there before other handlers of the same event run: metrics are the first band. Other usages are
        "batch_wise", "running_batch_wise", "single_epoch_running_batch_wise", "running_epoch_wise", and objects.

        Raises:
            ArgumentError: there is no such usage, or the metric gathers on this engine under another.
        """
        usage = usage_of(usage)
        self._listen(engine, usage)
        engine.add_event_handler(usage.COMPLETED, self.completed, name, priority=Priority.METRICS)

    def detach(self, engine: Engine, usage: str | MetricUsage = "epoch_wise") -> None:
        """Take back what `attach` did, except for parts that another attached metric needs."""
        usage = usage_of(usage)
        if engine.has_event_handler(self.completed, usage.COMPLETED):
            engine.remove_event_handler(self.completed, usage.COMPLETED)
        needed = {id(listener) for metric in _attached(engine) for listener in metric._listeners()}
        for listener in self._listeners():
            if id(listener) not in needed:
                listener._deafen(engine)

    def is_attached(self, engine: Engine, usage: str | MetricUsage = "epoch_wise") -> bool:
        """Tell whether the metric writes its value into `engine.state.metrics` under this usage."""
        usage = usage_of(usage)
        return engine.has_event_handler(self.completed, usage.COMPLETED) and self._listens(engine, usage)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what was gathered, to be saved by `trainkit.serialize`."""
        return {name: copy.deepcopy(getattr(self, name)) for name in self.state_names}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            CheckpointError: it is that of another kind of metric.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != set(self.state_names):
            got = ", ".join(map(str, state_dict)) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            names = ", ".join(self.state_names) or "nothing"
            raise CheckpointError(f"the state of {type(self).__name__} has {names}, got {got or 'nothing'}")
        for name in self.state_names:
            setattr(self, name, copy.deepcopy(state_dict[name]))

    def default_transform(self, output_transform: Callable[[Any], Any]) -> None:
        """Take outputs through `output_transform` unless one was given; parts of the metric likewise."""
        if self.output_transform is as_it_is:
            self.output_transform = output_transform

    def _pick(self, output: Mapping[str, Any]) -> Any:
        """Return the argument of update() out of a dict."""
        name = type(self).__name__
        if self.required_output_keys is None:
            raise ArgumentError(
                f"{name} takes no dict, got one with {', '.join(map(str, output))}; choose with output_transform"
            )
        if missing := [key for key in self.required_output_keys if key not in output]:
            raise ArgumentError(
                f"{name} expected an output with {', '.join(self.required_output_keys)}, got one with "
                f"{', '.join(map(str, output)) or 'nothing'}; {', '.join(missing)} not among them"
            )
        return tuple(output[key] for key in self.required_output_keys)

    def _need(self, count: float) -> None:
        """Raise the error of a metric that has seen nothing, if the count of what it has seen is 0."""
        if not count:
            raise NotComputableError(f"{type(self).__name__} has seen no example yet; update() comes before compute()")

    def _combined(self, function: Callable[..., Any], *parts: Any) -> "Metric":
        from trainkit.metrics.metrics_lambda import MetricsLambda  # which is a Metric itself

        return MetricsLambda(function, *parts)

    def _sources(self) -> "Iterator[Metric]":
        """Give the metrics to reset and to update in the place of this one, each once."""
        yield self

    def _listeners(self) -> "Iterator[Metric]":
        """Give the metrics that have handlers on an engine that this one is attached to."""
        yield self

    def _listen(self, engine: Engine, usage: MetricUsage) -> None:
        """Register the handlers that gather, once, however often the metric is used."""
        if self._listens(engine, usage):
            return
        if engine.has_event_handler(self.started) or engine.has_event_handler(self.iteration_completed):
            raise ArgumentError(
                f"this {type(self).__name__} gathers on this engine already, but not as {usage!r} would; it can be "
                "reset in one way only: make a second one"
            )
        engine.add_event_handler(usage.STARTED, self.started, priority=Priority.METRICS)
        engine.add_event_handler(usage.ITERATION_COMPLETED, self.iteration_completed, priority=Priority.METRICS)

    def _listens(self, engine: Engine, usage: MetricUsage) -> bool:
        return _is_handled(engine, usage.STARTED, self.started) and _is_handled(
            engine, usage.ITERATION_COMPLETED, self.iteration_completed
        )

    def _deafen(self, engine: Engine) -> None:
        """Take back the handlers that gather."""
        for slot in engine._slots.values():
            slot.remove(lambda entry: entry.is_for(self.started) or entry.is_for(self.iteration_completed))


def _attached(engine: Engine) -> Iterator[Metric]:
    """Give the metrics that write a value into the metrics of an engine."""
    for slot in engine._slots.values():
        for entry in slot.handlers:
            owner = getattr(entry.function, "__self__", None)
            if isinstance(owner, Metric) and entry.is_for(owner.completed):
                yield owner


def _is_handled(engine: Engine, event: Event, handler: Callable[..., Any]) -> bool:
    """Tell whether a handler is registered at an event, or at every one of a list, under the same filter."""
    if isinstance(event, EventsList):
        return all(_is_handled(engine, one, handler) for one in event)
    rule = event if isinstance(event, FilteredEvent) else None
    return any(entry.is_for(handler) and entry.rule == rule for entry in engine._slot(event).handlers)


def _are_lists(output: Any) -> bool:
    """Tell whether an output is made of lists of tensors, arrays or numbers, one a part."""
    return (
        isinstance(output, (tuple, list))
        and len(output) > 0
        and isinstance(output[0], (tuple, list))  # most outputs end here
        and all(isinstance(part, (tuple, list)) for part in output)
        and all(isinstance(item, (Tensor, np.ndarray, np.number, int, float)) for part in output for item in part)
    )


def _unrolled(output: Any, name: str) -> Iterator[tuple[Any, ...]]:
    """Give the examples of a pair of lists, each as a batch of one."""
    lengths = [len(part) for part in output]
    if len(lengths) != 2 or lengths[0] != lengths[1]:
        raise ArgumentError(
            f"{name} expected two lists of one length, got {len(lengths)} of {', '.join(map(str, lengths))}; "
            "skip_unrolling=True takes the lists as they are"
        )
    for pair in zip(*output, strict=True):
        yield tuple(item.unsqueeze(0) if isinstance(item, Tensor) else np.expand_dims(item, 0) for item in pair)
