"""Schedules along a cosine."""

import math
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.optim.lr_scheduler.base import LRScheduler
from trainkit.optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """Let the rates go to `eta_min` in `T_max` steps along half a cosine, and back in as many.

    Source: Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983, without the restarts.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the next rates of the present ones; after a restart in the middle, of the first ones."""
        rates, low = self._rates(), self.eta_min
        if self._is_initial:
            return rates
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # up from the bottom, where the ratio is 0 to 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [rate + (base - low) * rise for rate, base in zip(rates, self.base_lrs, strict=True)]
        before = 1 + math.cos(math.pi * (self.last_epoch - 1) / self.T_max)
        ratio = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / before
        return [ratio * (rate - low) + low for rate in rates]

    def _get_closed_form_lr(self) -> list[Any]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Let the rates go to `eta_min` in `T_0` steps along half a cosine, then begin anew, each time `T_mult` as long.

    Source: Loshchilov and Hutter, 2017, https://arxiv.org/abs/1608.03983.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler, rates = CosineAnnealingWarmRestarts(optimizer, T_0=2), []
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     rates += scheduler.get_last_lr()
    >>> rates
    [0.25, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the rates of the place in the present cycle."""
        self._rates()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one, or to `epoch`, which may lie between two: `step(epoch + batch / batches)`."""
        if epoch is None and self.last_epoch >= 0:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(epoch or 0)
        self._set_rates()

    def _go_to(self, epoch: float) -> None:
        if epoch < 0:
            raise ArgumentError(f"epoch must be at least 0, got {epoch}")
        cycle = 0
        if epoch >= self.T_0 and self.T_mult > 1:
            cycle = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
        passed = 0 if self.T_mult == 1 else self.T_0 * (self.T_mult**cycle - 1) / (self.T_mult - 1)
        if self.T_mult == 1 and epoch >= self.T_0:
            self.T_cur = epoch % self.T_0
        else:
            self.T_cur, self.T_i = epoch - passed, self.T_0 * self.T_mult**cycle
        self.last_epoch = math.floor(epoch)
