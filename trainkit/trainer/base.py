"""A Trainer before it fits: the model with its optimizer, loss and metrics, the two engines, and single batches."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

from trainkit.autograd import no_grad, set_grad_enabled
from trainkit.autograd.device import check_device
from trainkit.callbacks import TRAIN_ENDED, Callback
from trainkit.engine import Engine, Span
from trainkit.engine.step import BatchGroup, StepEvents, count_examples
from trainkit.engine.supervised import in_mode
from trainkit.errors import ArgumentError
from trainkit.nn import Module
from trainkit.trainer.batches import unpack
from trainkit.trainer.losses import BatchLoss
from trainkit.trainer.names import find_loss, find_metrics, find_optimizer
from trainkit.trainer.step import StepOutput, alive, evaluation_process, training_process

__all__ = ["TrainerBase"]


class TrainerBase:
    """What `Trainer` is made of; its docstring tells the arguments."""

    def __init__(
        self,
        model: Any,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Sequence[Any] | Mapping[str, Any] = (),
        *,
        device: Any = "cpu",
        callbacks: Iterable[Callback] = (),
    ) -> None:
        if not isinstance(model, Module):
            hint = "; make one: add the brackets" if isinstance(model, type) else ""
            raise ArgumentError(f"the model must be a Module, got {model!r}{hint}")
        check_device(device)
        self.model: Module = model
        self._group = BatchGroup(None, 1, False)
        self.optimizer = find_optimizer(optimizer, model)
        self.loss = find_loss(loss)
        self.metrics = find_metrics(metrics)
        self.valid_metrics = copy.deepcopy(self.metrics)
        self._batch_metrics = copy.deepcopy(self.metrics)
        self.stage: str | None = None
        me = ref(self)
        self._train = training_process(me, self._group)
        self._evaluate = evaluation_process(me)
        self.engine = Engine(self._train)
        self.engine.register_events(*StepEvents, event_to_attr=dict.fromkeys(StepEvents, "iteration"))
        self.engine.register_events(TRAIN_ENDED)
        self.engine.add_event_handler(Span.RUN, _around_training, me)
        self._group.attach(self.engine)
        self.engine.attach(self.metrics)
        self.evaluator = Engine(self._evaluate)
        self.evaluator.state.stage = "test"  # type: ignore[attr-defined]
        self.evaluator.add_event_handler(Span.RUN, _around_evaluation, me)
        self.callbacks: list[Callback] = []
        for callback in callbacks:
            self._attach(callback)
            self.callbacks.append(callback)

    @property
    def optimizer(self) -> Any:
        """The optimizer, or None; another may take its place between two runs."""
        return self._group.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Any) -> None:
        self._group.optimizer = optimizer

    @property
    def loss(self) -> Any:
        """The loss as it was given; another may take its place between two runs."""
        return self.batch_loss.loss

    @loss.setter
    def loss(self, loss: Any) -> None:
        self.batch_loss = BatchLoss(loss)
        self._group.summed = self.batch_loss.summed

    @property
    def accumulate(self) -> int:
        """How many batches make one step of the optimizer; a change holds from the next step on."""
        return self._group.size

    @accumulate.setter
    def accumulate(self, batches: int) -> None:
        if not isinstance(batches, int) or isinstance(batches, bool) or batches < 1:
            raise ArgumentError(f"accumulate must be an integer of at least 1, got {batches!r}")
        self._group.size = batches

    # ---- a step: to be overridden ----

    def forward(self, x: Any) -> Any:
        """Call the model; in training `on_forward_end` follows. A step of your own calls this, not the model."""
        y_pred = self.model(x)
        if self.stage == "train":
            self.engine.fire_event(StepEvents.FORWARD_COMPLETED)
        return y_pred

    def training_step(self, batch: Any) -> Any:
        """Compute the loss of a batch with its graph: backward and the optimizer's step follow.

        Override it where `loss(model(x), y)` is not what you train with. Return the loss, a tensor of one element, or
        a `StepOutput` with prediction and target, which the metrics need, and the number of examples.

        >>> import trainkit as tk
        >>> class Autoencoder(tk.Trainer):
        ...     def training_step(self, batch):
        ...         x, *_ = batch
        ...         y_pred = self.forward(x)
        ...         return tk.StepOutput((y_pred - x).square().mean(), y_pred, x, len(x))
        >>> history = Autoencoder(tk.nn.Linear(2, 2), "sgd", metrics=["mse"]).fit(tk.zeros(4, 2), verbose=0)
        """
        x, y, weight = unpack(batch)
        y_pred = self.forward(x)
        if self.loss is None or y is None:
            lacks = "a loss: Trainer(model, optimizer, loss)" if self.loss is None else "targets: batches of (x, y)"
            raise ArgumentError(f"training needs {lacks}; or override training_step")
        return StepOutput(self.batch_loss(y_pred, y, weight), y_pred, y, count_examples(x))

    def evaluation_step(self, batch: Any) -> Any:
        """Predict, and compute the loss where there are targets; returns what `training_step` returns."""
        x, y, weight = unpack(batch)
        y_pred = self.forward(x)
        known = self.loss is not None and y is not None and self.stage != "predict"
        return StepOutput(self.batch_loss(y_pred, y, weight) if known else math.nan, y_pred, y, count_examples(x))

    # ---- single batches ----

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None) -> dict[str, Any]:
        """Take one step of the optimizer; return loss and metrics of this batch.

        The events of the step are fired, those of runs, epochs and iterations are not.

        >>> import trainkit as tk
        >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
        >>> list(trainer.train_on_batch(tk.ones(4, 1), tk.zeros(4, 1)))
        ['loss']
        """
        self._must_be_ready("train_on_batch()")
        size, self._group.size = self._group.size, 1
        self._group.drop()
        try:
            with _mode(self, "train"):
                output = self._train(self.engine, _batch(x, y, sample_weight))
        finally:
            self._group.size = size
        return self._measured(output)

    def evaluate_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None) -> dict[str, Any]:
        """Return loss and metrics of one batch."""
        with _mode(self, "test"):
            return self._measured(self._evaluate(self.evaluator, _batch(x, y, sample_weight)))

    def predict_on_batch(self, x: Any) -> Any:
        """Return the model's outputs for one batch of inputs."""
        with _mode(self, "predict"):
            return self._evaluate(self.evaluator, _batch(x, None, None)).y_pred

    def _measured(self, output: StepOutput) -> dict[str, Any]:
        self._batch_metrics.reset()
        self._batch_metrics.update(output)
        return self._batch_metrics.compute()

    def _must_be_ready(self, what: str) -> None:
        own_step = type(self).training_step is not TrainerBase.training_step
        if self.optimizer is None or (self.loss is None and not own_step):
            lacks = "an optimizer" if self.optimizer is None else "a loss"
            raise ArgumentError(f"{what} needs {lacks}: Trainer(model, optimizer, loss)")

    # ---- callbacks ----

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


def _batch(x: Any, y: Any, weight: Any) -> tuple[Any, ...]:
    if weight is not None and y is None:
        raise ArgumentError("sample_weight goes with y")
    return tuple(part for part in (x, y, weight) if part is not None)


@contextmanager
def _mode(trainer: TrainerBase, stage: str) -> Iterator[None]:
    """Set the model's mode, the gradient mode and the stage, and put back what was before."""
    former, trainer.stage = trainer.stage, stage
    training = stage == "train"
    try:
        with set_grad_enabled(True) if training else no_grad():
            yield from in_mode(trainer.model, training)
    finally:
        trainer.stage = former


def _around_training(me: ReferenceType[TrainerBase]) -> Iterator[None]:
    with _mode(alive(me), "train"):
        yield


def _around_evaluation(me: ReferenceType[TrainerBase]) -> Iterator[None]:
    trainer = alive(me)
    with _mode(trainer, trainer.evaluator.state.stage):
        yield
