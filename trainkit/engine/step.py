"""The optimizer's step: the events around it, and the group of batches whose gradients it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trainkit.engine.events import EventEnum, Events
from trainkit.errors import ArgumentError

__all__ = ["BatchGroup", "StepEvents", "count_examples"]

_FIRST = -(10**9)  # the band of what must be done before any handler of the end of an epoch


class StepEvents(EventEnum):
    """The moments inside a supervised training step; filters on them count iterations.

    OPTIMIZER_STARTED comes once for each step of the optimizer, with the gradients final: the place to clip them.
    """

    FORWARD_COMPLETED = "forward_completed"
    LOSS_COMPLETED = "loss_completed"
    BACKWARD_COMPLETED = "backward_completed"
    OPTIMIZER_STARTED = "optimizer_started"
    OPTIMIZER_COMPLETED = "optimizer_completed"


def count_examples(x: Any) -> int:
    """Return the first dimension of the first tensor or array in the input of a batch.

    Raises:
        ArgumentError: there is none.

    >>> import trainkit as tk
    >>> count_examples({"image": tk.zeros(3, 2), "age": tk.zeros(3)})
    3
    """
    part = x
    while not hasattr(part, "shape"):
        parts = list(part.values()) if isinstance(part, Mapping) else part
        if not isinstance(parts, (list, tuple)) or not parts:
            break
        part = parts[0]
    shape: Any = getattr(part, "shape", ())
    if not len(shape):
        raise ArgumentError(
            f"cannot tell how many examples a batch with an input of type {type(x).__name__} has, which gradient "
            "accumulation weighs by; pass num_examples=, a function of x and y"
        )
    return int(shape[0])


class BatchGroup:
    """The batches of one optimizer step: their gradients are those of all their examples together.

    Each batch adds the gradient of its loss times its weight; before the step the sum is divided by all the weight.
    A group ends with its last batch, with the epoch, or with a run that is terminated.

    Args:
        optimizer: whose parameters and step these are.
        size: how many batches make a group.
        summed: whether the losses are sums over examples, so that nothing is weighed or divided.
    """

    def __init__(self, optimizer: Any, size: int, summed: bool) -> None:
        self.optimizer, self.size, self.summed = optimizer, size, summed
        self.batches = 0
        self.weight = 0

    def attach(self, engine: Any) -> None:
        """Finish the group wherever an epoch of the engine ends, and begin every run with a new one."""
        engine.add_event_handler(Events.STARTED, self.drop)
        ends = Events.EPOCH_COMPLETED | Events.TERMINATE_SINGLE_EPOCH | Events.TERMINATE
        engine.add_event_handler(ends, self.finish, priority=_FIRST)

    def backward(self, loss: Any, count: Callable[[], int]) -> None:
        """Take in a batch of `count()` examples."""
        if self.summed:
            loss.backward()
        else:
            examples = count()
            (loss * examples).backward()
            self.weight += examples
        self.batches += 1

    def is_whole(self, engine: Any) -> bool:
        """Tell whether this batch is the last of the group, as far as that can be foretold."""
        state = engine.state
        return bool(
            self.batches >= self.size
            or (state.epoch_length is not None and engine.position.batch >= state.epoch_length)
            or (state.max_iters is not None and state.iteration >= state.max_iters)
        )

    def finish(self, engine: Any) -> None:
        """Step, if there is something to step with."""
        if not self.batches:
            return
        weight = self.weight
        self.drop()
        if weight:
            for group in self.optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        parameter.grad.mul_(1 / weight)
        engine.fire_event(StepEvents.OPTIMIZER_STARTED)
        self.optimizer.step()
        engine.fire_event(StepEvents.OPTIMIZER_COMPLETED)

    def drop(self) -> None:
        """Begin a new group, whose first batch clears the gradients of this one."""
        self.batches = self.weight = 0
