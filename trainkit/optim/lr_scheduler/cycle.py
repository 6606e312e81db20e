"""Schedules that let rate and momentum rise and fall against each other."""

import math
import types
from collections.abc import Callable
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.optim.lr_scheduler.base import LRScheduler, checked, for_groups, set_value
from trainkit.optim.optimizer import Optimizer

__all__ = ["CyclicLR", "OneCycleLR"]


class _Cycling(LRScheduler):
    """What cycles the momentum beside the rate: SGD's `momentum`, or the first of Adam's betas."""

    cycle_momentum: bool

    def _prepare_momentum(self, lowest: Any, highest: Any, begins: bool) -> tuple[list[Any], list[Any]]:
        """Return the momenta of each group, noted in the groups too where a run begins."""
        options = self.optimizer.defaults
        if "momentum" not in options and "betas" not in options:
            raise ArgumentError(
                f"{type(self.optimizer).__name__} has neither momentum nor betas to cycle; pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in options
        low = for_groups("base_momentum", self.optimizer, lowest)
        high = for_groups("max_momentum", self.optimizer, highest)
        if begins:
            for least, most, group in zip(low, high, self.optimizer.param_groups, strict=True):
                self._set_momentum(group, most)
                group["max_momentum"], group["base_momentum"] = most, least
        return low, high

    def _set_momentum(self, group: dict[str, Any], momentum: Any) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_Cycling):
    """Let the rates go up and down between two bounds, and the momentum down and up.

    Source: Smith, 2017, https://arxiv.org/abs/1506.01186.

    Args:
        optimizer: whose groups have the rates.
        base_lr: the lower bound, for all groups or one for each.
        max_lr: the upper bound.
        step_size_up: the steps of the way up.
        step_size_down: the steps of the way down; as many if None.
        mode: "triangular", "triangular2" (each cycle half as high), "exp_range" (lower by `gamma` every step).
        gamma: of "exp_range".
        scale_fn: the height of the cycle, instead of a mode's.
        scale_mode: what `scale_fn` is a function of: the number of the "cycle", or of "iterations".
        cycle_momentum: cycle the momentum too, or the first beta.
        base_momentum: its lower bound, where the rate is highest.
        max_momentum: its upper bound.
        last_epoch: the steps taken so far, where a run goes on.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler, rates = CyclicLR(optimizer, base_lr=0.25, max_lr=0.75, step_size_up=2), []
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     rates += scheduler.get_last_lr()
    >>> rates
    [0.5, 0.75, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked(optimizer)
        base_lrs = for_groups("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for rate, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_value(group, "lr", rate)
        self.max_lrs = for_groups("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentError(
                f"mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}; or give scale_fn"
            )
        self.mode, self.gamma = mode, gamma
        self._scale_fn_custom = scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode, self.cycle_momentum = scale_mode, cycle_momentum
        if cycle_momentum:
            momenta = self._prepare_momentum(base_momentum, max_momentum, last_epoch == -1)
            self.base_momentums, self.max_momentums = momenta
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Return the height of cycle `x`, or of step `x`, as a part of the first one's."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular2":
            return float(1 / 2.0 ** (x - 1))
        return float(self.gamma**x) if self.mode == "exp_range" else 1.0

    def get_lr(self) -> list[Any]:
        """Return the rates of this step, and set the momenta."""
        self._rates()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        place = 1.0 + self.last_epoch / self.total_size - cycle
        part = place / self.step_ratio if place <= self.step_ratio else (place - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True)
            for low, high, group in momenta:
                self._set_momentum(group, high - (high - low) * part * scale)
        return [low + (high - low) * part * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands; of a `scale_fn` that is an object, its attributes."""
        function = self._scale_fn_custom
        plain = function is None or isinstance(function, (types.FunctionType, types.BuiltinFunctionType))
        return {**super().state_dict(), "_scale_fn_custom": None if plain else dict(vars(function))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood, and give a `scale_fn` that is an object its attributes."""
        kept = state_dict.get("_scale_fn_custom")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        if kept is not None:
            vars(self._scale_fn_custom).update(kept)


class OneCycleLR(_Cycling):
    """Let the rates rise to `max_lr` and fall far below where they began, and the momentum fall and rise.

    Source: Smith and Topin, 2018, https://arxiv.org/abs/1708.07120. Call `step()` after every batch.

    Args:
        optimizer: whose groups have the rates.
        max_lr: the highest rate, for all groups or one for each.
        total_steps: of the whole run; or both of the next two.
        epochs: of the run.
        steps_per_epoch: the batches of an epoch.
        pct_start: the part of the steps in which the rates rise.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: cycle the momentum too, or the first beta.
        base_momentum: its lower bound, where the rate is highest.
        max_momentum: its upper bound.
        div_factor: the first rate is `max_lr / div_factor`.
        final_div_factor: the last is the first divided by this.
        three_phase: fall back to the first rate as quickly as it rose, then go on to the last.
        last_epoch: the steps taken so far, where a run goes on.

    Raises:
        ArgumentError: the length of the run is not told, or an argument is out of its range; or, when it steps, the
            run is over.

    >>> import trainkit as tk
    >>> optimizer = tk.optim.SGD([tk.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler, rates = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6), []
    >>> for _ in range(4):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     rates += [f"{scheduler.get_last_lr()[0]:.2f}"]
    >>> rates
    ['0.52', '1.00', '0.50', '0.00']
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = checked(optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ArgumentError("give total_steps, or epochs and steps_per_epoch")
        lengths = {"total_steps": total_steps}
        if total_steps is None:
            lengths = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        for name, value in lengths.items():
            if not isinstance(value, int) or value < 1:
                raise ArgumentError(f"{name} must be a whole number of at least 1, got {value!r}")
        if not 0 <= pct_start <= 1:
            raise ArgumentError(f"pct_start must be between 0 and 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.total_steps = math.prod(value for value in lengths.values() if value is not None)
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        highest = for_groups("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for most, group in zip(highest, optimizer.param_groups, strict=True):
                group["initial_lr"], group["max_lr"] = most / div_factor, most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the rates of this step, and set the momenta."""
        self._rates()
        if self.last_epoch > self.total_steps:
            raise ArgumentError(f"step {self.last_epoch} of a schedule of {self.total_steps} steps; give it more")
        start = 0.0
        phase = self._schedule_phases[-1]
        for each in self._schedule_phases[:-1]:
            if self.last_epoch <= each["end_step"]:
                phase = each
                break
            start = each["end_step"]
        part = (self.last_epoch - start) / (phase["end_step"] - start)
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                momentum = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], part)
                self._set_momentum(group, momentum)
        return [self._between(group[phase["start_lr"]], group[phase["end_lr"]], part) for group in groups]

    def _between(self, start: Any, end: Any, part: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)


def _phases(steps: int, rise: float, three: bool) -> list[dict[str, Any]]:
    """Return the ends of the phases of a cycle, and the names of what the groups hold for each end."""

    def phase(end: float, rates: tuple[str, str], momenta: tuple[str, str]) -> dict[str, Any]:
        return {
            "end_step": end,
            **dict(zip(("start_lr", "end_lr"), rates, strict=True)),
            **dict(zip(("start_momentum", "end_momentum"), momenta, strict=True)),
        }

    up = phase(float(rise * steps) - 1, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
    if not three:
        return [up, phase(steps - 1, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
    down = phase(float(2 * rise * steps) - 2, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum"))
    return [up, down, phase(steps - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum"))]
