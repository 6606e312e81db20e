"""Schedules of the learning rate, as functions of the number of steps that the scheduler has taken."""

from collections.abc import Callable
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.optim.optimizer import Optimizer

__all__ = ["LRScheduler", "LambdaLR", "StepLR"]


class LRScheduler:
    """The base: it remembers the first rates and sets each group's `lr` by `factor(last_epoch)`.

    The rate depends on the number of steps alone, so resuming needs no more than that number.

    Attributes:
        last_epoch: the steps taken so far.
        base_lrs: the rate of each group when the scheduler was made.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.last_epoch = 0
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self._set()

    def factor(self, step: int) -> float:
        """Return what the first rates are multiplied with after `step` steps; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no factor()")

    def step(self) -> None:
        """Go on by one and set the rates."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood, and set the rates."""
        self.last_epoch, self.base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])
        self._set()

    def _set(self) -> None:
        factor = self.factor(self.last_epoch)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * factor


class LambdaLR(LRScheduler):
    """The first rates times a function of the number of steps.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return what the function says."""
        return self.lr_lambda(step)


class StepLR(LRScheduler):
    """The first rates, multiplied by `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        if step_size < 1:
            raise ArgumentError(f"step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        """Return `gamma` to the number of whole `step_size`s."""
        return self.gamma ** (step // self.step_size)
