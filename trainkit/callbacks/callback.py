"""`Callback`: Keras' face of the event mechanism. Each hook that a class overrides becomes one handler."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from trainkit.engine import Engine, Events, Priority, Span, State
from trainkit.engine.supervised import StepEvents
from trainkit.errors import ArgumentError

__all__ = ["TRAIN_ENDED", "Callback"]

TRAIN_ENDED = "train_ended"
"""Fired by a Trainer when `fit` ends in whatever way; an engine of its own ends with COMPLETED."""

_TRAINING = {
    "on_train_begin": Events.STARTED,
    "on_epoch_begin": Events.EPOCH_STARTED,
    "on_train_batch_begin": Events.ITERATION_STARTED,
    "on_forward_end": StepEvents.FORWARD_COMPLETED,
    "on_backward_end": StepEvents.BACKWARD_COMPLETED,
    "on_before_optimizer_step": StepEvents.OPTIMIZER_STARTED,
    "on_after_optimizer_step": StepEvents.OPTIMIZER_COMPLETED,
    "on_train_batch_end": Events.ITERATION_COMPLETED,
    "on_epoch_end": Events.EPOCH_COMPLETED,
    "on_interrupt": Events.INTERRUPT,
}
_SPANS = {"around_train": Span.RUN, "around_epoch": Span.EPOCH, "around_train_batch": Span.ITERATION}
_EVALUATION = {
    "begin": Events.STARTED,
    "batch_begin": Events.ITERATION_STARTED,
    "batch_end": Events.ITERATION_COMPLETED,
    "end": Events.COMPLETED,
}
_STAGES = ("valid", "test", "predict")


class Callback:
    """The base of callbacks: override the hooks that you need; the others cost nothing.

    A callback may be given to `Trainer(callbacks=...)`, where it stays, to `fit(callbacks=...)` for one run, or be
    attached to a bare engine with `engine.attach(callback)`. Hooks take no arguments: what there is to know stands in
    `self.trainer` and `self.state`. Epoch and iteration count from 1. Metrics of an epoch, those of the validation
    under "val_" names, are in `self.state.metrics` when `on_epoch_end` is called.

    Attributes:
        trainer: whose run it is; None on a bare engine.
        engine: the engine that trains.
        evaluator: the engine that evaluates, where there is one.
        priority: the band of its handlers; later bands run later at the same event.
        provides: the names of values that it writes into `self.state.metrics`, which others may then monitor.

    >>> import trainkit as tk
    >>> class Epochs(tk.callbacks.Callback):
    ...     def on_epoch_end(self):
    ...         print("epoch", self.state.epoch)
    >>> engine = tk.engine.Engine(lambda engine, batch: None)
    >>> handle = engine.attach(Epochs())
    >>> state = engine.run([1, 2], max_epochs=2)
    epoch 1
    epoch 2
    """

    priority: ClassVar[int] = Priority.HANDLERS
    provides: Sequence[str] = ()
    trainer: Any = None
    engine: Engine
    evaluator: Engine | None = None

    @property
    def state(self) -> State:
        """The state of the engine that trains."""
        return self.engine.state

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the overridden hooks with an engine, and those of evaluation with another.

        Raises:
            ArgumentError: a method is named like a hook but is none.
        """
        self._check_names()
        self.engine, self.evaluator = engine, evaluator
        if self._overrides("on_exception"):
            engine.add_event_handler(Span.RUN, self._watch, priority=self.priority)
        for around, span in _SPANS.items():
            if self._overrides(around):
                engine.add_event_handler(span, getattr(self, around), priority=self.priority)
        for hook, event in _TRAINING.items():
            if self._overrides(hook):
                if not engine.has_registered_events(event):
                    raise ArgumentError(
                        f"{type(self).__name__} has {hook}, a moment inside a step that this engine does not tell of; "
                        "attach it to a Trainer, or to an engine of create_supervised_trainer()"
                    )
                engine.add_event_handler(event, getattr(self, hook), priority=self.priority)
        if self._overrides("on_train_end"):
            end = TRAIN_ENDED if engine.has_registered_events(TRAIN_ENDED) else Events.COMPLETED
            engine.add_event_handler(end, self.on_train_end, priority=self.priority)
        if evaluator is None:
            return
        if self._overrides("around_valid"):
            within = Span.RUN(event_filter=_Stage("valid"))
            evaluator.add_event_handler(within, self.around_valid, priority=self.priority)
        for stage in _STAGES:
            for moment, event in _EVALUATION.items():
                if self._overrides(f"on_{stage}_{moment}"):
                    within = event(event_filter=_Stage(stage))
                    evaluator.add_event_handler(within, getattr(self, f"on_{stage}_{moment}"), priority=self.priority)

    def _overrides(self, hook: str) -> bool:
        return hook in vars(self) or getattr(type(self), hook) is not getattr(Callback, hook)

    def _check_names(self) -> None:
        prefixes = ("on_", "around_")
        unknown = [name for name in dir(type(self)) if name.startswith(prefixes) and not hasattr(Callback, name)]
        if unknown:
            known = ", ".join(name for name in dir(Callback) if name.startswith(prefixes))
            raise ArgumentError(
                f"{type(self).__name__} has {', '.join(unknown)}, which is no hook; the hooks are {known}"
            )

    def _watch(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.on_exception(error)
            raise

    def state_dict(self) -> dict[str, Any]:
        """Return what the callback needs to go on in a later run; nothing, if it is not overridden."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""

    def around_train(self) -> Iterator[None]:
        """A generator that yields once, while all epochs run: what comes after sees to it in whatever way they end."""
        yield

    def around_epoch(self) -> Iterator[None]:
        """A generator that yields once, while the batches of an epoch run."""
        yield

    def around_train_batch(self) -> Iterator[None]:
        """A generator that yields once, while a step runs."""
        yield

    def around_valid(self) -> Iterator[None]:
        """A generator that yields once, while a validation runs."""
        yield

    def on_train_begin(self) -> None:
        """When `fit` begins."""

    def on_train_end(self) -> None:
        """When `fit` ends, also after an exception."""

    def on_epoch_begin(self) -> None:
        """Before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """When an epoch's metrics, validation included, are there."""

    def on_train_batch_begin(self) -> None:
        """When a batch has been fetched: `self.state.batch`."""

    def on_forward_end(self) -> None:
        """When the model has predicted."""

    def on_backward_end(self) -> None:
        """When the gradients of a batch are there."""

    def on_before_optimizer_step(self) -> None:
        """When the gradients are final: the place to clip them."""

    def on_after_optimizer_step(self) -> None:
        """When the optimizer has changed the parameters."""

    def on_train_batch_end(self) -> None:
        """When the step is done: `self.state.output`."""

    def on_valid_begin(self) -> None:
        """When the validation of an epoch begins."""

    def on_valid_end(self) -> None:
        """When the validation of an epoch ends."""

    def on_valid_batch_begin(self) -> None:
        """Before a batch of the validation."""

    def on_valid_batch_end(self) -> None:
        """After a batch of the validation."""

    def on_test_begin(self) -> None:
        """When `evaluate` begins."""

    def on_test_end(self) -> None:
        """When `evaluate` ends."""

    def on_test_batch_begin(self) -> None:
        """Before a batch of `evaluate`."""

    def on_test_batch_end(self) -> None:
        """After a batch of `evaluate`."""

    def on_predict_begin(self) -> None:
        """When `predict` begins."""

    def on_predict_end(self) -> None:
        """When `predict` ends."""

    def on_predict_batch_begin(self) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self) -> None:
        """After a batch of `predict`."""

    def on_interrupt(self) -> None:
        """When the run is left by `interrupt()` or Ctrl-C, in the place where it could go on: save what there is."""

    def on_exception(self, error: BaseException) -> None:
        """When the run is about to end with an error, Ctrl-C included; it goes on its way afterwards."""


class _Stage:
    """A filter: the evaluator runs for this purpose."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __call__(self, engine: Engine, count: int) -> bool:
        return getattr(engine.state, "stage", None) == self.stage

    def __repr__(self) -> str:
        return self.stage
