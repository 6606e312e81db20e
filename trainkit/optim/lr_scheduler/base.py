"""`LRScheduler`: the steps, the rates and the state that all schedules have."""

import warnings
from typing import Any

from trainkit.autograd import TensorBase
from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Optimizer

__all__ = ["LRScheduler"]


class LRScheduler:
    """The base of the schedules: each `step()` gives every group the rate that `get_lr()` returns.

    A subclass has `get_lr()`, which makes the next rates of the present ones, so that schedules can be chained and a
    rate that the user changes is gone on from. Where the rates are a function of the number of steps alone it has
    `_get_closed_form_lr()` too, which `step(epoch)` goes by.

    The state has PyTorch's names; the rates themselves are part of the optimizer's state, so save both.

    Args:
        optimizer: whose groups have the rates.
        last_epoch: the steps taken so far, where a run goes on; its groups have an "initial_lr" then.

    Attributes:
        last_epoch: the steps taken so far.
        base_lrs: the rate of each group when the first scheduler was made.

    Raises:
        ArgumentError: `last_epoch` is given and a group has no "initial_lr".
        TypeError: `optimizer` is none.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise ArgumentError(
                    f"last_epoch={last_epoch} goes on with a run, but group {i} has no 'initial_lr'; load the "
                    "optimizer's state dict first, or leave last_epoch out to begin one"
                )
        self.base_lrs = values_of(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def get_lr(self) -> list[Any]:
        """Return the rates to be set now; every subclass has its own, and `step()` calls it."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr()")

    def get_last_lr(self) -> list[Any]:
        """Return the rate that the last step gave each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on by one and set the rates.

        Args:
            epoch: go there instead; PyTorch, and so this, warns that this is going away.
        """
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "lr_scheduler.step() came before the first optimizer.step(), so the first rate is skipped; call "
                "optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is not None:
            warnings.warn(
                "step(epoch) is deprecated, and uses the closed form where there is one; call step()",
                UserWarning,
                stacklevel=2,
            )
        self._update_lr(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the schedule is made of but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood; the rates come with the optimizer's own state."""
        self.__dict__.update(state_dict)

    def _initial_step(self) -> None:
        """Take the step that sets the rates of the beginning."""
        self._step_count, self._is_initial = 0, True
        try:
            self.step()
        finally:
            self._is_initial = False

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self._set_rates(closed)

    def _set_rates(self, compute: Any = None) -> None:
        """Give the groups the rates of `get_lr()`, or of another function."""
        self._get_lr_called_within_step = True
        try:
            rates = (compute or self.get_lr)()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_value(group, "lr", rate)
        self._last_lr = values_of(self.optimizer, "lr")

    def _rates(self) -> list[Any]:
        """Return the present rates, from which `get_lr()` makes the next."""
        if not self._get_lr_called_within_step:
            warnings.warn("get_lr() is for step() to call; get_last_lr() tells the rates", UserWarning, stacklevel=3)
        return values_of(self.optimizer, "lr")


def checked(optimizer: Any) -> Optimizer:
    """Return the optimizer, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"a scheduler is made for an Optimizer, got a {type(optimizer).__name__}")
    return optimizer


def for_groups(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """Return a value for each group: those given, or one for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [_copied(value) for _ in range(count)]
    if len(value) != count:
        raise ArgumentError(f"{name} has {len(value)} values, the optimizer {count} groups; give one for each")
    return list(map(_copied, value))


def values_of(optimizer: Optimizer, key: str) -> list[Any]:
    """Return an option of each group, apart from the group."""
    return [_copied(group[key]) for group in optimizer.param_groups]


def set_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Set a group's option; a tensor that is there is filled, as it may be known elsewhere."""
    if isinstance(group[key], TensorBase):
        group[key].array[...] = float(value)
        group[key].version[0] += 1
    else:
        group[key] = value


def _copied(value: Any) -> Any:
    """Return a number as it is, and a tensor's as a tensor of its own."""
    return value.detach().clone() if isinstance(value, TensorBase) else value  # type: ignore[attr-defined]
