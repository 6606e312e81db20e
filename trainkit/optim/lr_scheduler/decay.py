"""Schedules that multiply the rate at given steps, or bit by bit up to one."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.optim.lr_scheduler.base import LRScheduler
from trainkit.optim.optimizer import Optimizer

__all__ = ["ConstantLR", "ExponentialLR", "LinearLR", "MultiStepLR", "PolynomialLR", "StepLR"]


class StepLR(LRScheduler):
    """Multiply the rates by `gamma` every `step_size` steps.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.1)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ArgumentError(f"step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, every `step_size` steps times `gamma`."""
        rates = self._rates()
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return rates
        return [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiply the rates by `gamma` at each of the milestones; one that is there twice counts twice.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler, rates = MultiStepLR(optimizer, milestones=[1, 3]), []
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     rates += [f"{scheduler.get_last_lr()[0]:.3f}"]
    >>> rates
    ['0.050', '0.050', '0.005']
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, at a milestone times `gamma`."""
        rates = self._rates()
        if self.last_epoch not in self.milestones:
            return rates
        return [rate * self.gamma ** self.milestones[self.last_epoch] for rate in rates]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood; a file knows plain dicts only."""
        super().load_state_dict(state_dict)
        self.milestones = Counter({int(step): count for step, count in self.milestones.items()})

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiply the rates by `gamma` at every step.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates times `gamma`."""
        rates = self._rates()
        return rates if self._is_initial else [rate * self.gamma for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """Multiply the rates by `factor` for the first `total_iters` steps, and give it back then.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ConstantLR(optimizer, factor=0.5, total_iters=1)
    >>> scheduler.get_last_lr()
    [0.25]
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ArgumentError(f"factor must be between 0 and 1, got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, times the factor at the beginning and divided by it at the end."""
        rates = self._rates()
        if self.last_epoch == 0:
            return [rate * self.factor for rate in rates]
        if self.last_epoch != self.total_iters:
            return rates
        return [rate * (1.0 / self.factor) for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        over = self.last_epoch >= self.total_iters
        return [base * (self.factor + over * (1 - self.factor)) for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Let what the rates are multiplied with go from `start_factor` to `end_factor` in `total_iters` equal steps.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler.get_last_lr()
    [0.25]
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.375]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ArgumentError(f"start_factor must be greater than 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ArgumentError(f"end_factor must be between 0 and 1, got {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, times the ratio of this step's factor to the last one's."""
        rates = self._rates()
        if self.last_epoch == 0:
            return [rate * self.start_factor for rate in rates]
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        rise = self.end_factor - self.start_factor
        ratio = 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)
        return [rate * ratio for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        part = min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * (self.start_factor + (self.end_factor - self.start_factor) * part) for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """Let the rates fall to 0 in `total_iters` steps, as the power `power` of the steps that are left.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = PolynomialLR(optimizer, total_iters=2, power=2.0)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates, times the ratio of the steps that are left now to those that were."""
        rates = self._rates()
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        left, before = 1.0 - self.last_epoch / self.total_iters, 1.0 - (self.last_epoch - 1) / self.total_iters
        return [rate * (left / before) ** self.power for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]
