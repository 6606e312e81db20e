"""The steps of a Trainer as process functions of its engines."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from weakref import ReferenceType

from trainkit.autograd import Tensor, is_grad_enabled, no_grad
from trainkit.data.nested import map_tree
from trainkit.engine import Engine, EngineError
from trainkit.engine.step import BatchGroup, StepEvents, count_examples
from trainkit.errors import ArgumentError

__all__ = ["StepOutput", "alive", "evaluation_process", "training_process"]


class StepOutput(NamedTuple):
    """What a step leaves in `engine.state.output`; printed, it is the loss.

    A step of your own returns one with the loss as a tensor; afterwards the loss is a number, the mean over the
    examples, and the prediction has no graph.
    """

    loss: Any
    y_pred: Any = None
    y: Any = None
    size: int = 1

    def __float__(self) -> float:
        return float(self.loss)

    def __repr__(self) -> str:
        return f"StepOutput(loss={float(self.loss):.4g}, size={self.size})"


def training_process(owner: "ReferenceType[Any]", group: BatchGroup) -> Callable[[Engine, Any], StepOutput]:
    """Return the process function that trains: the trainer's `training_step`, backward, and the optimizer's step.

    Args:
        owner: the trainer, weakly, or it and its engine would hold each other alive.
        group: the batches of one step of the optimizer.
    """

    def process(engine: Engine, batch: Any) -> StepOutput:
        trainer = alive(owner)
        if not trainer.model.training:
            trainer.model.train()
        if not group.batches:
            trainer.optimizer.zero_grad()
        try:
            output = _as_output(trainer.training_step(batch), batch, "training_step")
            loss = output.loss
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise ArgumentError(f"training_step must return the loss as a tensor of one element, got {loss!r}")
            engine.state.output = output  # with its graph, for those who look at a step from within
            engine.fire_event(StepEvents.LOSS_COMPLETED)
            if group.size == 1 and not group.batches:
                loss.backward()
            else:
                group.backward(loss, lambda: output.size)
            engine.fire_event(StepEvents.BACKWARD_COMPLETED)
        except BaseException:
            group.drop()  # of a batch that failed, part of the gradient may be there already
            raise
        if not group.batches:
            engine.fire_event(StepEvents.OPTIMIZER_STARTED)
            trainer.optimizer.step()
            engine.fire_event(StepEvents.OPTIMIZER_COMPLETED)
        elif group.is_whole(engine):
            group.finish(engine)
        return _finished(output, group.summed)

    return process


def evaluation_process(owner: "ReferenceType[Any]") -> Callable[[Engine, Any], StepOutput]:
    """Return the process function that evaluates: the trainer's `evaluation_step`, without gradients."""

    def process(engine: Engine, batch: Any) -> StepOutput:
        trainer = alive(owner)
        if trainer.model.training:
            trainer.model.eval()
        if is_grad_enabled():
            with no_grad():
                return process(engine, batch)
        output = _as_output(trainer.evaluation_step(batch), batch, "evaluation_step")
        return _finished(output, trainer.batch_loss.summed)

    return process


def alive(owner: "ReferenceType[Any]") -> Any:
    """Return the trainer that an engine is of.

    Raises:
        EngineError: it is gone.
    """
    trainer = owner()
    if trainer is None:
        raise EngineError("the Trainer of this engine is gone; keep it in a variable for as long as its engine runs")
    return trainer


def _as_output(returned: Any, batch: Any, step: str) -> StepOutput:
    """Take what a step returns: a StepOutput, a dict like one, or the loss alone."""
    if type(returned) is StepOutput:
        return returned
    if isinstance(returned, Mapping) and "loss" in returned:
        parts = {name: returned[name] for name in StepOutput._fields if name in returned}
    elif isinstance(returned, Tensor):
        parts = {"loss": returned}
    else:
        raise ArgumentError(
            f"{step} must return a StepOutput, a dict with a 'loss', or the loss alone, got {type(returned).__name__}"
        )
    return StepOutput(**{"size": count_examples(batch), **parts})


def _finished(output: StepOutput, summed: bool) -> StepOutput:
    loss, y_pred, y, size = output
    number = loss.item() if isinstance(loss, Tensor) else loss
    if summed:
        number /= max(size, 1)
    y_pred = y_pred.detach() if isinstance(y_pred, Tensor) else map_tree(_detached, y_pred)
    return StepOutput(number, y_pred, y, size)


def _detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) else leaf
