"""`Trainer`: `fit`, `evaluate` and `predict`."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from trainkit.callbacks import TRAIN_ENDED, Callback, ClipGradNorm, EpochTable, History, ProgressBar
from trainkit.data.nested import concatenate
from trainkit.engine import Engine, EngineError, Events, Priority, RemovableEventHandle
from trainkit.engine.child import validate
from trainkit.engine.status import Status
from trainkit.errors import ArgumentError
from trainkit.nn import Module
from trainkit.random import manual_seed
from trainkit.trainer.batches import as_batches, split_off
from trainkit.trainer.saving import SavedTrainer

__all__ = ["Trainer"]

_LAST = 10**9  # the band behind all others


class Trainer(SavedTrainer):
    """Train, evaluate and use a model.

    All it does is handlers on two engines, `trainer.engine` and `trainer.evaluator`, open to your own.

    Args:
        model: the module.
        optimizer: an optimizer on its parameters, a name such as "adam", or a name with options:
            `("sgd", {"lr": 0.1})`.
        loss: `loss(y_pred, y)`, a mean over the batch, or a name such as "cross_entropy"; a dict or list of losses
            goes to the outputs of the same name or place, and is added up.
        metrics: metrics, names such as "accuracy", or functions `f(y_pred, y)` whose mean over examples is taken; in
            a list, or as a dict under names of your own.
        device: "cpu".
        callbacks: those that take part in every run.

    Raises:
        ArgumentError: a name is unknown, or something is of the wrong kind.

    >>> import trainkit as tk
    >>> tk.manual_seed(0)  # doctest: +ELLIPSIS
    <...>
    >>> net = tk.nn.Linear(2, 2)
    >>> trainer = Trainer(net, ("sgd", {"lr": 0.5}), "cross_entropy", ["accuracy"])
    >>> x = tk.randn(64, 2)
    >>> history = trainer.fit(x, (x[:, 0] > 0).long(), epochs=20, verbose=0)
    >>> history[-1]["accuracy"] > 0.9
    True
    """

    def __init__(
        self,
        model: Module,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | Mapping[str, Any] = (),
        *,
        device: Any = "cpu",
        callbacks: Iterable[Callback] = (),
    ) -> None:
        self.history = History()
        self._active: list[Callback] = []
        self._epochs_done = 0
        self._validates = False
        super().__init__(model, optimizer, loss, metrics, device=device, callbacks=callbacks)
        self._active = list(self.callbacks)

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int = 32,
        epochs: int = 1,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        callbacks: Iterable[Callback] = (),
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        accumulate: int = 1,
        clip_grad_norm: float | None = None,
        seed: int | None = None,
        resume: Any = None,
        verbose: int | str = "auto",
    ) -> History:
        """Train for `epochs` epochs; return one dict of metrics for each.

        All means are over examples: of a short last batch, of batches that make one step, of weighed examples.

        Args:
            x: arrays or tensors, or tuples and dicts of them (with `y`); a data set, a DataLoader, or any iterable of
                batches. A batch is (input, target) or (input, target, weight).
            y: the targets, where `x` is arrays.
            batch_size: of arrays and data sets; a loader has its own.
            epochs: how often to go through all of it, those of a resumed run included.
            validation_data: (x, y), a data set, a DataLoader or an iterable, evaluated after every epoch; its
                metrics are named "val_...".
            validation_split: instead, the last part of arrays or of a data set, as a fraction of 1.
            shuffle: arrays and data sets, anew in every epoch.
            callbacks: those that take part in this run.
            sample_weight: (N,), with `y`: a factor for the loss of each example.
            steps_per_epoch: batches that make an epoch; by default all there are.
            validation_steps: batches that make a validation; by default all there are.
            accumulate: batches that make one step of the optimizer; its gradient is that of all their examples.
            clip_grad_norm: the largest norm of the gradients together, when they are final.
            seed: seeds the default generator first, so that the run repeats.
            resume: goes on with the next epoch of an earlier run: from a checkpoint's file, from the newest in a
                folder, or with True from the newest of the ModelCheckpoint among the callbacks. A folder without one
                begins anew.
            verbose: 0 is silent, 1 or "auto" a bar and a table, 2 the table alone.

        Raises:
            ArgumentError: the trainer has no optimizer or no loss, or the arguments do not fit each other.
            CheckpointError: there is nothing to resume from in a file, or it does not fit.
        """
        self._must_be_ready("fit()")
        if self.engine.status in (Status.RUNNING, Status.EPOCH):
            raise EngineError("fit() was called within fit(); let the one end first, or use another Trainer")
        if verbose not in ("auto", 0, 1, 2):
            raise ArgumentError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}")
        if validation_split:
            if validation_data is not None:
                raise ArgumentError("give validation_data or validation_split, not both")
            x, validation_data = split_off(x, y, sample_weight, validation_split)
            y = sample_weight = None
        loader = as_batches(x, y, sample_weight, batch_size=batch_size, shuffle=shuffle)
        valid = None if validation_data is None else as_batches(validation_data, batch_size=batch_size)
        clipping = [] if clip_grad_norm is None else [ClipGradNorm(clip_grad_norm)]
        given = [*clipping, *callbacks]
        former, self.accumulate = self.accumulate, accumulate
        if seed is not None:
            manual_seed(seed)
        self.history, self._epochs_done, self._validates = History(), 0, valid is not None
        with ExitStack() as stack:
            stack.callback(setattr, self, "accumulate", former)
            for callback in (self.history, *_shown(verbose), *given):
                stack.enter_context(self._attach(callback))
            for handle in self._bookkeeping(valid, validation_steps):
                stack.enter_context(handle)
            self._active = [*self.callbacks, *given]
            found = None if resume is None else self._find(resume)
            if found is not None:
                if not self._go_on(found, epochs):
                    return self.history
                stack.enter_context(self._resuming(found))
            self.engine.state.metrics.clear()
            try:
                self.engine.run(loader, epochs, epoch_length=steps_per_epoch, resume=found is not None)
            except KeyboardInterrupt as error:
                error.add_note(
                    "fit() begins a new run, from the weights as they are now; fit(resume=folder) goes on from a "
                    "checkpoint; trainer.engine.run() goes on with this run, without what was given to fit()"
                )
                raise
            finally:
                self.engine.fire_event(TRAIN_ENDED)
        return self.history

    def _bookkeeping(self, valid: Any, validation_steps: int | None) -> list[RemovableEventHandle]:
        """What `fit` itself does at the begin and end of each epoch."""
        begun = [time.perf_counter()]
        metrics = self.engine.state.metrics

        def begin() -> None:
            begun[0] = time.perf_counter()

        def check(engine: Engine) -> None:
            with self._evaluating("valid"), self.evaluator.attach(self.valid_metrics):
                validate(engine, self.evaluator, valid, epoch_length=validation_steps)

        def finish(engine: Engine) -> None:
            metrics["lr"] = self.optimizer.param_groups[0]["lr"]
            metrics["seconds"] = time.perf_counter() - begun[0]
            self._epochs_done = engine.state.epoch

        on, end = self.engine.add_event_handler, Events.EPOCH_COMPLETED
        handles = [on(Events.EPOCH_STARTED, begin, priority=Priority.METRICS)]
        if valid is not None:
            handles.append(on(end, check, priority=Priority.VALIDATION))
        return [*handles, on(end, finish, priority=Priority.VALIDATION)]

    def _resuming(self, found: Mapping[str, Any]) -> RemovableEventHandle:
        """Give the callbacks their states back when they have begun."""
        self._epochs_done = self.engine.state.epoch
        epochs = self.history.epochs
        return self.engine.add_event_handler(
            Events.STARTED, lambda: self._restore_callbacks(found, epochs), priority=_LAST
        )

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int = 256,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] = (),
    ) -> dict[str, Any]:
        """Return loss and metrics over all examples; `x` and `y` as for `fit`, `steps` batches at most."""
        batches = as_batches(x, y, sample_weight, batch_size=batch_size)
        with self._evaluating("test", callbacks), self.evaluator.attach(self.valid_metrics):
            return dict(self.evaluator.run(batches, epoch_length=steps, resume=False).metrics)

    def predict(
        self, x: Any, *, batch_size: int = 256, steps: int | None = None, callbacks: Iterable[Callback] = ()
    ) -> Any:
        """Return the model's outputs for all of `x`, one after the other: a tensor, or a tuple or dict of tensors.

        A tuple or dict of arrays is the inputs of a model that takes several; targets in a data set or a loader are
        left aside.
        """
        parts: list[Any] = []

        def gather(engine: Engine) -> None:
            parts.append(engine.state.output.y_pred)

        batches = as_batches(x, batch_size=batch_size, only_inputs=True)
        with (
            self._evaluating("predict", callbacks),
            self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, gather, priority=Priority.METRICS),
        ):
            self.evaluator.run(batches, epoch_length=steps, resume=False)
        return concatenate(parts)

    @contextmanager
    def _evaluating(self, stage: str, callbacks: Iterable[Callback] = ()) -> Iterator[None]:
        """Let the evaluator run for a purpose, with callbacks for this once."""
        state: Any = self.evaluator.state
        if self.evaluator.status in (Status.RUNNING, Status.EPOCH):
            raise EngineError("the trainer evaluates already; let that end first, or use another Trainer")
        state.metrics.clear()
        state.stage = stage
        with ExitStack() as stack:
            for callback in callbacks:
                stack.enter_context(self._attach(callback))
            try:
                yield
            finally:
                state.batch = state.output = None
                state.stage = "test"

    # ---- what the figures are called ----

    def running_metrics(self) -> dict[str, Any]:
        """Return the training metrics over the part of the epoch that is done, but for those that take long."""
        return self.metrics.compute(only_quick=True)

    def metric_names(self) -> list[str]:
        """Return the names that an epoch of the present run has values for."""
        names = list(self.metrics)
        if self._validates:
            names += [f"val_{name}" for name in names]
        provided = [name for callback in self._active for name in callback.provides]
        return [*names, *provided, "lr", "seconds"]

    def higher_is_better(self, name: str) -> bool:
        """Tell whether more of a metric is better; the metric says so itself.

        Raises:
            ArgumentError: there is no such metric, or it does not say.
        """
        metric = self.metrics.get(name.removeprefix("val_"))
        if metric is None or metric.higher_is_better is None:
            what = "there is no such metric" if metric is None else "the metric does not say"
            raise ArgumentError(f"cannot tell whether a higher {name!r} is better: {what}; give mode='min' or 'max'")
        return metric.higher_is_better


def _shown(verbose: int | str) -> list[Callback]:
    """What the terminal shows."""
    return [] if verbose == 0 else [EpochTable()] if verbose == 2 else [ProgressBar(), EpochTable()]
