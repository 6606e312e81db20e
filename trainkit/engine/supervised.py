"""The supervised step: forward, loss, backward, update, as the process function of an engine.

The engines made here set the model's mode and the gradient mode for the length of a run and restore what was before,
also after an exception: every module gets back the mode that it had.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from trainkit.autograd import is_grad_enabled, no_grad, set_grad_enabled
from trainkit.autograd.device import check_device
from trainkit.engine.deterministic import DeterministicEngine
from trainkit.engine.engine import Engine
from trainkit.engine.events import name_of, takes
from trainkit.engine.spans import Span
from trainkit.engine.step import BatchGroup, StepEvents, count_examples
from trainkit.errors import ArgumentError, DataError

__all__ = [
    "StepEvents",
    "create_supervised_evaluator",
    "create_supervised_trainer",
    "in_mode",
    "prepare_batch",
    "supervised_evaluation_step",
    "supervised_training_step",
]

Step = Callable[[Engine, Any], Any]


def prepare_batch(batch: Any, device: Any = None, non_blocking: bool = False) -> tuple[Any, Any]:
    """Return input and target of a batch, which must be a pair; they lie on the CPU, whatever the device says.

    Raises:
        DataError: it is something else.

    >>> prepare_batch([1, 2])
    (1, 2)
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    what = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else f"a {type(batch).__name__}"
    raise DataError(f"expected batches of (input, target), got {what}; pass prepare_batch to take them apart")


def _same(output: Any) -> Any:
    return output


def _call(model: Any, x: Any) -> Any:
    return model(x)


def supervised_training_step(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any],
    device: Any = None,
    non_blocking: bool = False,
    prepare_batch: Callable[..., Any] = prepare_batch,
    model_transform: Callable[[Any], Any] = _same,
    output_transform: Callable[..., Any] = lambda x, y, y_pred, loss: loss.item(),
    gradient_accumulation_steps: int = 1,
    model_fn: Callable[[Any, Any], Any] = _call,
    *,
    num_examples: Callable[[Any, Any], int] | None = None,
) -> Step:
    """Return the process function of a training engine.

    Several batches may make one step of the optimizer. Its gradient then is that of all their examples in one batch:
    each loss, a mean, counts by the number of its examples; a loss whose `reduction` is "sum" is added up. The group
    ends with the epoch at the latest.

    Args:
        model: called with the input; it is put into training mode where something has taken it out.
        optimizer: its `step()` follows each group of batches, its `zero_grad()` comes before.
        loss_fn: `loss_fn(y_pred, y)`, a tensor of one element.
        device: the CPU, or None.
        non_blocking: handed on to `prepare_batch`; there is nothing to wait for.
        prepare_batch: `prepare_batch(batch, device, non_blocking)`, or of the batch alone, makes (x, y) of it.
        model_transform: makes the prediction of what the model returns.
        output_transform: `output_transform(x, y, y_pred, loss)` makes the engine's output.
        gradient_accumulation_steps: batches that make one step of the optimizer.
        model_fn: `model_fn(model, x)`, where a call of the model with x will not do.
        num_examples: `num_examples(x, y)`; by default the first dimension of the first tensor in x.

    Raises:
        ArgumentError: an argument does not fit; the device is another.

    >>> import trainkit as tk
    >>> net, data = tk.nn.Linear(1, 1), [(tk.ones(4, 1), tk.zeros(4, 1))] * 3
    >>> step = supervised_training_step(net, tk.optim.SGD(net.parameters(), lr=0.1), tk.nn.MSELoss())
    >>> Engine(step).run(data, max_epochs=20).output < 1e-3
    True
    """
    group_size = gradient_accumulation_steps
    if not isinstance(group_size, int) or isinstance(group_size, bool) or group_size < 1:
        raise ArgumentError(f"gradient_accumulation_steps must be an integer of at least 1, got {group_size!r}")
    prepare = _prepare(prepare_batch, device, non_blocking)
    forward = _forward(model, model_transform, model_fn)
    known: Callable[[], Engine | None] = lambda: None  # noqa: E731 -- the last engine, weakly

    def single(engine: Engine, batch: Any) -> Any:
        nonlocal known
        if known() is not engine:
            known = _introduce(engine)
        if not model.training:
            model.train()
        optimizer.zero_grad()
        x, y = prepare(batch)
        y_pred = forward(x)
        engine.fire_event(StepEvents.FORWARD_COMPLETED)
        loss = loss_fn(y_pred, y)
        engine.fire_event(StepEvents.LOSS_COMPLETED)
        loss.backward()
        engine.fire_event(StepEvents.BACKWARD_COMPLETED)
        engine.fire_event(StepEvents.OPTIMIZER_STARTED)
        optimizer.step()
        engine.fire_event(StepEvents.OPTIMIZER_COMPLETED)
        return output_transform(x, y, y_pred, loss)

    if group_size == 1:
        return single
    keywords = loss_fn.keywords if isinstance(loss_fn, partial) else {}
    group = BatchGroup(optimizer, group_size, getattr(loss_fn, "reduction", keywords.get("reduction")) == "sum")

    def grouped(engine: Engine, batch: Any) -> Any:
        nonlocal known
        if known() is not engine:
            known = _introduce(engine, group)
        if not model.training:
            model.train()
        if not group.batches:
            optimizer.zero_grad()
        try:
            x, y = prepare(batch)
            y_pred = forward(x)
            engine.fire_event(StepEvents.FORWARD_COMPLETED)
            loss = loss_fn(y_pred, y)
            engine.fire_event(StepEvents.LOSS_COMPLETED)
            group.backward(loss, lambda: count_examples(x) if num_examples is None else num_examples(x, y))
            engine.fire_event(StepEvents.BACKWARD_COMPLETED)
        except BaseException:
            group.drop()  # of a batch that failed, part of the gradient may be there already
            raise
        if group.is_whole(engine):
            group.finish(engine)
        return output_transform(x, y, y_pred, loss)

    return grouped


def supervised_evaluation_step(
    model: Any,
    device: Any = None,
    non_blocking: bool = False,
    prepare_batch: Callable[..., Any] = prepare_batch,
    model_transform: Callable[[Any], Any] = _same,
    output_transform: Callable[..., Any] = lambda x, y, y_pred: (y_pred, y),
    model_fn: Callable[[Any, Any], Any] = _call,
) -> Step:
    """Return the process function of an evaluating engine; arguments as for `supervised_training_step`.

    >>> import trainkit as tk
    >>> step = supervised_evaluation_step(tk.nn.Identity(), output_transform=lambda x, y, y_pred: y_pred == y)
    >>> Engine(step).run([(tk.tensor([1, 2]), tk.tensor([1, 3]))]).output
    tensor([ True, False])
    """
    prepare = _prepare(prepare_batch, device, non_blocking)
    forward = _forward(model, model_transform, model_fn)

    def step(engine: Engine, batch: Any) -> Any:
        if model.training:
            model.eval()
        if is_grad_enabled():  # an engine that was made by hand
            with no_grad():
                return step(engine, batch)
        x, y = prepare(batch)
        return output_transform(x, y, forward(x))

    return step


def create_supervised_trainer(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any],
    device: Any = None,
    non_blocking: bool = False,
    prepare_batch: Callable[..., Any] = prepare_batch,
    model_transform: Callable[[Any], Any] = _same,
    output_transform: Callable[..., Any] = lambda x, y, y_pred, loss: loss.item(),
    deterministic: bool = False,
    amp_mode: str | None = None,
    scaler: Any = False,
    gradient_accumulation_steps: int = 1,
    model_fn: Callable[[Any, Any], Any] = _call,
    *,
    metrics: Mapping[str, Any] | None = None,
    num_examples: Callable[[Any, Any], int] | None = None,
) -> Engine:
    """Make an engine that trains; the arguments are those of `supervised_training_step`, and four more.

    `deterministic` makes a `DeterministicEngine`; `amp_mode` and `scaler` are None and False, as there is no automatic
    mixed precision on the CPU; `metrics` are attached by name, and take the engine's output.

    Raises:
        ArgumentError: an argument does not fit, or needs a GPU.

    >>> import trainkit as tk
    >>> net = tk.nn.Linear(1, 1)
    >>> trainer = create_supervised_trainer(net, tk.optim.SGD(net.parameters(), lr=0.1), tk.nn.MSELoss())
    >>> state = trainer.run([(tk.ones(4, 1), tk.zeros(4, 1))] * 50)
    >>> state.output < 1e-3
    True
    """
    _no_amp(amp_mode, scaler)
    step = supervised_training_step(
        model,
        optimizer,
        loss_fn,
        device,
        non_blocking,
        prepare_batch,
        model_transform,
        output_transform,
        gradient_accumulation_steps,
        model_fn,
        num_examples=num_examples,
    )
    engine = DeterministicEngine(step) if deterministic else Engine(step)
    _introduce(engine)
    return _equip(engine, _training, model, metrics)


def create_supervised_evaluator(
    model: Any,
    metrics: Mapping[str, Any] | None = None,
    device: Any = None,
    non_blocking: bool = False,
    prepare_batch: Callable[..., Any] = prepare_batch,
    model_transform: Callable[[Any], Any] = _same,
    output_transform: Callable[..., Any] = lambda x, y, y_pred: (y_pred, y),
    amp_mode: str | None = None,
    model_fn: Callable[[Any, Any], Any] = _call,
) -> Engine:
    """Make an engine that evaluates, with `metrics` attached by name; the other arguments are the trainer's.

    Raises:
        ArgumentError: an argument does not fit, or needs a GPU.

    >>> import trainkit as tk
    >>> evaluator = create_supervised_evaluator(tk.nn.Identity(), {"accuracy": tk.metrics.Accuracy()})
    >>> evaluator.run([(tk.eye(4), tk.tensor([0, 1, 2, 0]))]).metrics
    {'accuracy': 0.75}
    """
    _no_amp(amp_mode, False)
    step = supervised_evaluation_step(
        model, device, non_blocking, prepare_batch, model_transform, output_transform, model_fn
    )
    return _equip(Engine(step), _evaluating, model, metrics)


def _no_amp(amp_mode: Any, scaler: Any) -> None:
    if amp_mode is not None or scaler:
        raise ArgumentError(
            f"automatic mixed precision needs a GPU, got amp_mode={amp_mode!r}, scaler={scaler!r}; leave both out, "
            "or cast the model: model.to('float32')"
        )


def _prepare(prepare_batch: Callable[..., Any], device: Any, non_blocking: bool) -> Callable[[Any], Any]:
    """Decide how to call `prepare_batch`, so that no step need ask."""
    check_device(device)
    if takes(prepare_batch, (None,), {"device": device, "non_blocking": non_blocking}):
        plain = device is None and not non_blocking and prepare_batch is _default_prepare_batch
        return prepare_batch if plain else partial(prepare_batch, device=device, non_blocking=non_blocking)
    if takes(prepare_batch, (None, device, non_blocking), {}):
        return lambda batch: prepare_batch(batch, device, non_blocking)
    if takes(prepare_batch, (None,), {}):
        return prepare_batch
    raise ArgumentError(
        f"prepare_batch expected a callable taking (batch, device, non_blocking), or the batch alone, got "
        f"{name_of(prepare_batch) if callable(prepare_batch) else prepare_batch!r}"
    )


_default_prepare_batch = prepare_batch


def _forward(model: Any, transform: Callable[[Any], Any], model_fn: Callable[..., Any]) -> Callable[[Any], Any]:
    """Join what makes the prediction, leaving out what does nothing."""
    call = model if model_fn is _call else partial(model_fn, model)
    return call if transform is _same else lambda x: transform(call(x))


def _introduce(engine: Engine, group: BatchGroup | None = None) -> Callable[[], Engine | None]:
    """Make the step's events known to an engine, and the engine to a group of batches; a weak reference to it."""
    if not engine.has_registered_events(StepEvents.OPTIMIZER_COMPLETED):
        engine.register_events(*StepEvents, event_to_attr=dict.fromkeys(StepEvents, "iteration"))
    if group is not None and not engine.has_event_handler(group.drop):
        group.attach(engine)
    return weakref.ref(engine)


def _equip(
    engine: Engine, around: Callable[[Any], Iterator[None]], model: Any, metrics: Mapping[str, Any] | None
) -> Engine:
    engine.add_event_handler(Span.RUN, around, model)
    for name, metric in (metrics or {}).items():
        metric.attach(engine, name)
    return engine


def _training(model: Any) -> Iterator[None]:
    with set_grad_enabled(True):
        yield from in_mode(model, True)


def _evaluating(model: Any) -> Iterator[None]:
    with no_grad():
        yield from in_mode(model, False)


def in_mode(model: Any, training: bool) -> Iterator[None]:
    """Set the mode of a model while the generator is open; then give each module back its own."""
    former = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in former:
            if module.training != mode:
                module.train(mode)  # outer ones come first; a module that was frozen meanwhile stays in evaluation
