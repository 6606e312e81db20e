"""Schedules that are functions of the user's."""

import types
from collections.abc import Callable
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.optim.lr_scheduler.base import LRScheduler
from trainkit.optim.optimizer import Optimizer

__all__ = ["LambdaLR", "MultiplicativeLR"]


class _OfFunctions(LRScheduler):
    """A schedule with a function for each group; in its state are those of objects, functions leave None."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ArgumentError(f"got {len(self.lr_lambdas)} lr_lambdas for {groups} groups; give one for each")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda must be a function of the number of steps, got a {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands; of its functions, the attributes of those that are objects."""
        plain = (types.FunctionType, types.BuiltinFunctionType)
        kept = [None if isinstance(f, plain) else dict(f.__dict__) for f in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood, and give the objects among the functions their attributes."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "lr_lambdas"})
        for function, kept in zip(self.lr_lambdas, state_dict.get("lr_lambdas", ()), strict=False):
            if kept is not None:
                function.__dict__.update(kept)


class LambdaLR(_OfFunctions):
    """The first rates times a function of the number of steps, or a function for each group.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the first rates times what the functions say."""
        self._rates()
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]


class MultiplicativeLR(_OfFunctions):
    """The present rates times a function of the number of steps, or a function for each group.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = MultiplicativeLR(optimizer, lambda step: 0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the present rates times what the functions say."""
        rates = self._rates()
        if self._is_initial:
            return rates
        return [rate * function(self.last_epoch) for rate, function in zip(rates, self.lr_lambdas, strict=True)]
