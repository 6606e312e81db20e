"""The supervised step: forward, loss, backward, update, as the process function of an engine.

The engines made here set the model's mode and the gradient mode for the length of a run and restore what was before,
also after an exception: every module gets back the mode that it had.
"""

from collections.abc import Callable, Iterator
from typing import Any

from trainkit.autograd import no_grad, set_grad_enabled
from trainkit.engine.engine import Engine
from trainkit.engine.events import EventEnum
from trainkit.engine.spans import Span
from trainkit.errors import ArgumentError, DataError

__all__ = [
    "StepEvents",
    "create_supervised_evaluator",
    "create_supervised_trainer",
    "prepare_batch",
    "supervised_evaluation_step",
    "supervised_training_step",
]

Step = Callable[[Engine, Any], Any]


class StepEvents(EventEnum):
    """The moments inside a supervised training step; filters on them count iterations.

    OPTIMIZER_STARTED comes once for each step of the optimizer, with the gradients final: the place to clip them.
    """

    FORWARD_COMPLETED = "forward_completed"
    LOSS_COMPLETED = "loss_completed"
    BACKWARD_COMPLETED = "backward_completed"
    OPTIMIZER_STARTED = "optimizer_started"
    OPTIMIZER_COMPLETED = "optimizer_completed"


def prepare_batch(batch: Any) -> tuple[Any, Any]:
    """Return input and target of a batch, which must be a pair.

    Raises:
        DataError: it is something else.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    what = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else f"a {type(batch).__name__}"
    raise DataError(f"expected batches of (input, target), got {what}; pass prepare_batch to take them apart")


def supervised_training_step(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any],
    prepare_batch: Callable[[Any], tuple[Any, Any]] = prepare_batch,
    model_transform: Callable[[Any], Any] = lambda output: output,
    output_transform: Callable[..., Any] = lambda x, y, y_pred, loss: loss.item(),
    gradient_accumulation_steps: int = 1,
) -> Step:
    """Return the process function of a training engine.

    Args:
        model: called with the input; it is put into training mode where something has taken it out.
        optimizer: its `step()` follows each group of batches, its `zero_grad()` comes before.
        loss_fn: `loss_fn(y_pred, y)`, a tensor of one element.
        prepare_batch: makes (x, y) of a batch.
        model_transform: makes the prediction of what the model returns.
        output_transform: `output_transform(x, y, y_pred, loss)` makes the engine's output.
        gradient_accumulation_steps: batches whose gradients are averaged before the optimizer steps.
    """
    group = gradient_accumulation_steps
    if not isinstance(group, int) or group < 1:
        raise ArgumentError(f"gradient_accumulation_steps must be an integer of at least 1, got {group!r}")

    def step(engine: Engine, batch: Any) -> Any:
        if not model.training:
            model.train()
        done = engine.state.iteration - 1
        if done % group == 0:
            optimizer.zero_grad()
        x, y = prepare_batch(batch)
        y_pred = model_transform(model(x))
        engine.fire_event(StepEvents.FORWARD_COMPLETED)
        loss = loss_fn(y_pred, y)
        engine.fire_event(StepEvents.LOSS_COMPLETED)
        (loss if group == 1 else loss / group).backward()
        engine.fire_event(StepEvents.BACKWARD_COMPLETED)
        if (done + 1) % group == 0:
            engine.fire_event(StepEvents.OPTIMIZER_STARTED)
            optimizer.step()
            engine.fire_event(StepEvents.OPTIMIZER_COMPLETED)
        return output_transform(x, y, y_pred, loss)

    return step


def supervised_evaluation_step(
    model: Any,
    prepare_batch: Callable[[Any], tuple[Any, Any]] = prepare_batch,
    model_transform: Callable[[Any], Any] = lambda output: output,
    output_transform: Callable[..., Any] = lambda x, y, y_pred: (y_pred, y),
) -> Step:
    """Return the process function of an evaluating engine; arguments as for `supervised_training_step`."""

    def step(engine: Engine, batch: Any) -> Any:
        if model.training:
            model.eval()
        x, y = prepare_batch(batch)
        return output_transform(x, y, model_transform(model(x)))

    return step


def create_supervised_trainer(model: Any, optimizer: Any, loss_fn: Callable[..., Any], **options: Any) -> Engine:
    """Make an engine that trains; options as for `supervised_training_step`.

    >>> import trainkit as tk
    >>> net = tk.nn.Linear(1, 1)
    >>> trainer = create_supervised_trainer(net, tk.optim.SGD(net.parameters(), lr=0.1), tk.nn.MSELoss())
    >>> state = trainer.run([(tk.ones(4, 1), tk.zeros(4, 1))] * 50)
    >>> state.output < 1e-3
    True
    """
    engine = Engine(supervised_training_step(model, optimizer, loss_fn, **options))
    engine.register_events(*StepEvents, event_to_attr=dict.fromkeys(StepEvents, "iteration"))
    engine.add_event_handler(Span.RUN, _training, model)
    return engine


def create_supervised_evaluator(model: Any, metrics: dict[str, Any] | None = None, **options: Any) -> Engine:
    """Make an engine that evaluates, with `metrics` attached by name; options as for `supervised_evaluation_step`."""
    engine = Engine(supervised_evaluation_step(model, **options))
    engine.add_event_handler(Span.RUN, _evaluating, model)
    for name, metric in (metrics or {}).items():
        metric.attach(engine, name)
    return engine


def _training(model: Any) -> Iterator[None]:
    with set_grad_enabled(True):
        yield from _in_mode(model, True)


def _evaluating(model: Any) -> Iterator[None]:
    with no_grad():
        yield from _in_mode(model, False)


def _in_mode(model: Any, training: bool) -> Iterator[None]:
    former = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in former:
            module.training = mode
