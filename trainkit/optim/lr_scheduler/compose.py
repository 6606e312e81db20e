"""Schedules of schedules."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.optim.lr_scheduler.base import LRScheduler, checked, set_value, values_of
from trainkit.optim.lr_scheduler.plateau import ReduceLROnPlateau
from trainkit.optim.optimizer import Optimizer

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composed(LRScheduler):
    """A schedule that is made of others, and has their states in its own."""

    _schedulers: list[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule and its parts stand."""
        return {**super().state_dict(), "_schedulers": [each.state_dict() for each in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule and its parts stood."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)

    def _checked(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> list[LRScheduler]:
        """Return the parts, if they can be."""
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{name} cannot have a ReduceLROnPlateau, as it has no metric to step it with (number {i})"
                )
            if scheduler.optimizer is not optimizer:
                raise ArgumentError(f"{name} needs schedulers of one optimizer, number {i} has another")
        return list(schedulers)


class SequentialLR(_Composed):
    """One schedule after the other: at each milestone the next begins, with its own count of steps.

    Args:
        optimizer: that of all the schedulers.
        schedulers: in their order.
        milestones: the steps at which all but the first begin.
        last_epoch: one less than the steps taken so far.

    >>> import trainkit as tk
    >>> from trainkit.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm_up, fall = ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler, rates = SequentialLR(optimizer, [warm_up, fall], milestones=[2]), []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self.optimizer = checked(optimizer)
        if not schedulers:
            raise ArgumentError("SequentialLR needs at least one scheduler")
        self._schedulers = self._checked(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"{len(schedulers)} schedulers need {len(schedulers) - 1} milestones between them, got "
                f"{len(milestones)}"
            )
        for scheduler in schedulers[1:]:
            if isinstance(scheduler, _Composed):
                raise ArgumentError(
                    f"SequentialLR cannot begin a {type(scheduler).__name__} at a milestone; give its parts themselves"
                )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # each of the schedulers has set its first rates; they are set back, and the first one begins again
        for group in optimizer.param_groups:
            set_value(group, "lr", group["initial_lr"])
        for scheduler in self._schedulers:
            _step_back(scheduler)
        begins = self._schedulers[bisect_right(milestones, 0)]
        begins._initial_step()
        self._last_lr = begins.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Step the scheduler whose turn it is; at its milestone it begins."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Several schedules at once: each goes on from the rates of the one before.

    Args:
        schedulers: in their order.
        optimizer: that of all the schedulers; None takes the first one's.

    >>> import trainkit as tk
    >>> from trainkit.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)])
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ArgumentError("ChainedScheduler needs at least one scheduler")
        self.optimizer = checked(optimizer or schedulers[0].optimizer)
        self._schedulers = self._checked(self.optimizer, schedulers)
        self._last_lr = values_of(self.optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]
        """Step all of them."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = values_of(self.optimizer, "lr")


def _step_back(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _Composed):
        for part in scheduler._schedulers:
            _step_back(part)
    else:
        scheduler.last_epoch -= 1
