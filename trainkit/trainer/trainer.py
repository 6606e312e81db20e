"""`Trainer`: `fit`, `evaluate` and `predict` as a thin face over two engines."""

import copy
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np

from trainkit import autograd, nn, optim, serialize
from trainkit.autograd import Tensor
from trainkit.autograd.functions.join import cat
from trainkit.callbacks import TRAIN_ENDED, Callback, EpochTable, History, ProgressBar
from trainkit.data import DataLoader, TensorDataset
from trainkit.engine import Engine, Events, Priority, RemovableEventHandle
from trainkit.engine.child import validate
from trainkit.engine.supervised import create_supervised_evaluator, create_supervised_trainer
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.metrics import Accuracy, Average, Metric, MetricCollection
from trainkit.metrics.metric import as_it_is
from trainkit.random import manual_seed

__all__ = ["StepOutput", "Trainer"]

_OPTIMIZERS = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
_LOSSES = {"cross_entropy": nn.CrossEntropyLoss, "mse": nn.MSELoss, "nll": nn.NLLLoss}
_METRICS = {"accuracy": Accuracy}


class StepOutput(NamedTuple):
    """What a step leaves in `engine.state.output`; printed, it is the loss."""

    loss: float
    y_pred: Any
    y: Any
    size: int

    def __float__(self) -> float:
        return self.loss

    def __repr__(self) -> str:
        return f"StepOutput(loss={self.loss:.4g}, size={self.size})"


class Trainer:
    """Train, evaluate and use a model.

    All it does is handlers on two engines, `trainer.engine` and `trainer.evaluator`, open to your own.

    Args:
        model: the module.
        optimizer: an optimizer on its parameters, a name ("adam", "adamw", "sgd"), or a name with options:
            `("sgd", {"lr": 0.1})`.
        loss: `loss(y_pred, y)`, a mean over the batch, or a name ("cross_entropy", "mse", "nll").
        metrics: metrics, or names ("accuracy"), in a list or as a dict under names of your own.
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
        model: nn.Module,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | Mapping[str, Any] = (),
        *,
        callbacks: Iterable[Callback] = (),
    ) -> None:
        self.model = model
        self.optimizer = _resolve_optimizer(optimizer, model)
        self.loss = _LOSSES[loss]() if isinstance(loss, str) and _known("loss", loss, _LOSSES) else loss
        self.metrics = _collect(metrics)
        self.valid_metrics = copy.deepcopy(self.metrics)
        self.history = History()
        self._validates = False
        self.engine = self._training_engine()
        self.evaluator = create_supervised_evaluator(
            model, prepare_batch=_input_and_target, output_transform=_evaluation_output(self.loss)
        )
        self.callbacks: list[Callback] = []
        for callback in callbacks:
            self._attach(callback)
            self.callbacks.append(callback)

    def _training_engine(self) -> Engine:
        engine = create_supervised_trainer(
            self.model,
            self.optimizer,
            self.loss,
            prepare_batch=_input_and_target,
            output_transform=lambda x, y, y_pred, loss: StepOutput(loss.item(), y_pred.detach(), y, len(y)),
        )
        engine.register_events(TRAIN_ENDED)
        engine.attach(self.metrics)
        return engine

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int = 32,
        epochs: int = 1,
        validation_data: Any = None,
        shuffle: bool = True,
        callbacks: Iterable[Callback] = (),
        seed: int | None = None,
        verbose: int | str = "auto",
    ) -> History:
        """Train for `epochs` epochs; return one dict of metrics for each.

        Args:
            x: arrays or tensors (with `y`), a data set, a DataLoader, or any iterable of (input, target) batches.
            y: the targets, where `x` is an array or a tensor.
            batch_size: of arrays and data sets; a loader has its own.
            epochs: how often to go through all of it.
            validation_data: (x, y), a data set, a DataLoader or an iterable, evaluated after every epoch; its
                metrics are named "val_...".
            shuffle: arrays and data sets, anew in every epoch.
            callbacks: those that take part in this run.
            seed: seeds the default generator first, so that the run repeats.
            verbose: 0 is silent, 1 or "auto" a bar and a table, 2 the table alone.

        Raises:
            ArgumentError: the trainer has no optimizer or no loss, or the arguments do not fit each other.
        """
        if self.optimizer is None or self.loss is None:
            lacks = "an optimizer" if self.optimizer is None else "a loss"
            raise ArgumentError(f"fit() needs {lacks}: Trainer(model, optimizer, loss)")
        if verbose not in ("auto", 0, 1, 2):
            raise ArgumentError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}")
        if seed is not None:
            manual_seed(seed)
        loader = _as_batches(x, y, batch_size, shuffle)
        shown: list[Callback] = (
            [] if verbose == 0 else [EpochTable()] if verbose == 2 else [ProgressBar(), EpochTable()]
        )
        self.history = History()
        with ExitStack() as stack:
            for callback in (self.history, *shown, *callbacks):
                stack.enter_context(self._attach(callback))
            for handle in self._bookkeeping(validation_data, batch_size):
                stack.enter_context(handle)
            self.engine.state.metrics.clear()
            try:
                self.engine.run(loader, max_epochs=epochs, resume=False)
            except KeyboardInterrupt as error:
                error.add_note(
                    "fit() begins a new run, from the weights as they are now; trainer.engine.run() goes on with this "
                    "one, without what was given to fit()"
                )
                raise
            finally:
                self.engine.fire_event(TRAIN_ENDED)
        return self.history

    def _bookkeeping(self, validation_data: Any, batch_size: int) -> list[RemovableEventHandle]:
        """What `fit` itself does at the begin and end of each epoch."""
        self._validates = validation_data is not None
        begun = [time.perf_counter()]
        metrics = self.engine.state.metrics

        def begin() -> None:
            begun[0] = time.perf_counter()

        def check(engine: Engine) -> None:
            with self._evaluating("valid"), self.evaluator.attach(self.valid_metrics):
                validate(engine, self.evaluator, _as_batches(validation_data, None, batch_size, False))

        def finish() -> None:
            metrics["lr"] = self.optimizer.param_groups[0]["lr"]
            metrics["seconds"] = time.perf_counter() - begun[0]

        on, end = self.engine.add_event_handler, Events.EPOCH_COMPLETED
        handles = [on(Events.EPOCH_STARTED, begin, priority=Priority.METRICS)]
        if self._validates:
            handles.append(on(end, check, priority=Priority.VALIDATION))
        return [*handles, on(end, finish, priority=Priority.VALIDATION)]

    def evaluate(self, x: Any, y: Any = None, *, batch_size: int = 256) -> dict[str, Any]:
        """Return loss and metrics over all examples; `x` and `y` as for `fit`."""
        batches = _as_batches(x, y, batch_size, False)
        with self._evaluating("test"), self.evaluator.attach(self.valid_metrics):
            return dict(self.evaluator.run(batches, resume=False).metrics)

    def predict(self, x: Any, *, batch_size: int = 256) -> Tensor:
        """Return the model's outputs for all of `x`, one after the other; targets in it are left aside."""
        parts: list[Any] = []

        def gather(engine: Engine) -> None:
            parts.append(engine.state.output.y_pred)

        batches = _as_batches(x, None, batch_size, False)
        with self._evaluating("predict"), self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, gather):
            self.evaluator.run(batches, resume=False)
        return cat(parts)

    @contextmanager
    def _evaluating(self, stage: str) -> Iterator[None]:
        """Let the evaluator run for a purpose."""
        state = self.evaluator.state
        state.metrics.clear()
        state.stage = stage  # type: ignore[attr-defined]
        try:
            yield
        finally:
            state.batch = state.output = None

    def running_metrics(self) -> dict[str, Any]:
        """Return the training metrics over the part of the epoch that is done."""
        return self.metrics.compute()

    def metric_names(self) -> list[str]:
        """Return the names that an epoch of the present run has values for."""
        names = list(self.metrics)
        return names + [f"val_{name}" for name in names] if self._validates else names

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

    def state_dict(self) -> dict[str, Any]:
        """Return model, frozen names, optimizer, history and the number of epochs and iterations done."""
        state = self.engine.state
        return {
            "model": self.model.state_dict(),
            "frozen": nn.frozen_names(self.model),
            "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            "epoch": state.epoch,
            "iteration": state.iteration,
            "history": self.history.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over model, what of it is frozen, optimizer and history.

        Raises:
            CheckpointError: they do not fit this trainer's.
        """
        if "model" not in state_dict:
            raise CheckpointError(f"this is no trainer's state: it has no 'model', but {', '.join(state_dict)}")
        self.model.load_state_dict(state_dict["model"])
        if "frozen" in state_dict:  # files of former versions tell nothing
            nn.load_frozen_names(self.model, state_dict["frozen"])
        if self.optimizer is not None and state_dict.get("optimizer") is not None:
            self.optimizer.load_state_dict(state_dict["optimizer"])
        self.history.load_state_dict(state_dict.get("history", {"epochs": []}))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `state_dict()` to a safetensors file, whole or not at all."""
        serialize.save(self.state_dict(), path)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what `save` wrote."""
        self.load_state_dict(serialize.load(path))

    def _attach(self, callback: Callback) -> ExitStack:
        """Attach a callback to both engines; closing what is returned detaches it from both."""
        if not isinstance(callback, Callback):
            raise ArgumentError(
                f"callbacks must be Callback objects, got {callback!r}"
                + ("; make one: add the brackets" if isinstance(callback, type) else "")
            )
        callback.trainer = self
        handles = ExitStack()
        # One inside the other, so that each engine collects what is registered with it.
        inner = _Attaching(lambda evaluator: callback.attach(self.engine, evaluator))
        outer = _Attaching(lambda engine: handles.enter_context(self.evaluator.attach(inner)))
        handles.enter_context(self.engine.attach(outer))
        return handles


class _Attaching(NamedTuple):
    """What an engine attaches by calling a function."""

    attach: Callable[[Engine], Any]


def _evaluation_output(loss: Callable[..., Any] | None) -> Callable[[Any, Any, Any], StepOutput]:
    def output(x: Any, y: Any, y_pred: Any) -> StepOutput:
        if y is None:
            return StepOutput(float("nan"), y_pred, None, len(y_pred))
        return StepOutput(float("nan") if loss is None else loss(y_pred, y).item(), y_pred, y, len(y))

    return output


def _input_and_target(batch: Any) -> tuple[Any, Any]:
    """Take a batch apart: (input, target), or an input alone."""
    if isinstance(batch, (tuple, list)):
        if len(batch) == 1:
            return _tensor(batch[0]), None
        if len(batch) == 2:
            return _tensor(batch[0]), _tensor(batch[1])
        raise ArgumentError(f"expected batches of (input, target), got {len(batch)} parts")
    return _tensor(batch), None


def _tensor(part: Any) -> Any:
    return autograd.as_tensor(_default_dtype(part)) if isinstance(part, np.ndarray) else part


def _default_dtype(array: Any) -> Any:
    """Give float64 arrays, which numpy makes unasked, the dtype of the model's weights."""
    wide = isinstance(array, np.ndarray) and array.dtype == np.float64
    return array.astype(autograd.get_default_dtype()) if wide else array


def _as_batches(x: Any, y: Any, batch_size: int, shuffle: bool) -> Any:
    """Make batches of arrays, pairs of them, data sets, loaders and iterables."""
    if y is None and isinstance(x, tuple) and len(x) == 2 and all(isinstance(a, (np.ndarray, Tensor)) for a in x):
        x, y = x
    if isinstance(x, (np.ndarray, Tensor)):
        return DataLoader(TensorDataset(*(_default_dtype(a) for a in (x, y) if a is not None)), batch_size, shuffle)
    if y is not None:
        raise ArgumentError(f"y goes with x as an array or a tensor; a {type(x).__name__} has its own targets")
    if isinstance(x, DataLoader):
        return x
    if hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, (list, tuple, dict, str)):
        return DataLoader(x, batch_size, shuffle)
    if isinstance(x, Iterable) and not isinstance(x, (dict, str)):
        return x
    raise ArgumentError(f"expected arrays, tensors, a data set, a DataLoader or an iterable, got {type(x).__name__}")


def _known(what: str, name: str, table: Mapping[str, Any]) -> bool:
    if name not in table:
        raise ArgumentError(f"there is no {what} named {name!r}; there are {', '.join(table)}, or give an object")
    return True


def _resolve_optimizer(optimizer: Any, model: nn.Module) -> Any:
    if isinstance(optimizer, str):
        optimizer = (optimizer, {})
    if isinstance(optimizer, tuple):
        name, options = optimizer
        _known("optimizer", name, _OPTIMIZERS)
        return _OPTIMIZERS[name](model.parameters(), **options)
    return optimizer


def _collect(metrics: Sequence[Any] | Mapping[str, Any]) -> MetricCollection:
    """Name the metrics and put the loss, weighed by examples, in front."""
    named = dict(metrics) if isinstance(metrics, Mapping) else {}
    for metric in [] if isinstance(metrics, Mapping) else metrics:
        name = metric if isinstance(metric, str) else type(metric).__name__.lower()
        if name in named:
            raise ArgumentError(f"two metrics are named {name!r}; give a dict with names of your own")
        named[name] = metric
    collection = MetricCollection({"loss": _MeanLoss()})
    for name, metric in named.items():
        made = _METRICS[metric]() if isinstance(metric, str) and _known("metric", metric, _METRICS) else metric
        if not isinstance(made, Metric):
            raise ArgumentError(f"metrics must be names or Metric objects, got {made!r}")
        collection[name] = _of_step(copy.deepcopy(made))
    return collection


class _MeanLoss(Average):
    """The mean of the steps' losses over examples."""

    higher_is_better = False

    def __init__(self) -> None:
        super().__init__(lambda output: (output.loss, output.size))


def _of_step(metric: Metric) -> Metric:
    """Let a metric that transforms nothing take prediction and target of a step."""
    if metric.output_transform is as_it_is:
        metric.output_transform = lambda output: (output.y_pred, output.y)
    return metric
