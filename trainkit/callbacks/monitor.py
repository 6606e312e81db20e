"""Watch one value of `state.metrics`: which it is, and which way is better."""

import math
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.engine import Priority
from trainkit.errors import ArgumentError

__all__ = ["Monitor", "MonitorCallback"]

MODES = ("auto", "min", "max")


class Monitor:
    """The best of a value so far.

    Args:
        name: of the value, such as "val_loss".
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.
        min_delta: by how much a value must be better than the best to count.

    Raises:
        ArgumentError: an option is none of these.

    >>> monitor = Monitor("loss", "min", min_delta=0.1)
    >>> [monitor.improves(value) for value in (1.0, 0.95, 0.8, float("nan"))]
    [True, False, True, False]
    >>> monitor.best
    0.8
    """

    def __init__(self, name: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in MODES:
            raise ArgumentError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        if not min_delta >= 0:
            raise ArgumentError(f"min_delta must be at least 0, got {min_delta!r}")
        self.name, self.mode, self.min_delta = name, mode, min_delta
        self.higher = mode == "max"
        self.best: float | None = None

    def begin(self, callback: Callback) -> None:
        """Check the name when training begins, ask the metric which way is better, and forget the best.

        On a bare engine nobody knows the names yet: a wrong one is met at the first look.

        Raises:
            ArgumentError: there is no such name, or nothing tells which way is better.
        """
        self.best = None
        trainer = callback.trainer
        if trainer is not None:
            names = trainer.metric_names()
            if self.name not in names:
                raise ArgumentError(f"there is no metric {self.name!r} to monitor; there are {', '.join(names)}")
        if self.mode == "auto":
            if trainer is None:
                raise ArgumentError(f"mode='auto' asks the Trainer's metric {self.name!r}; give mode='min' or 'max'")
            self.higher = trainer.higher_is_better(self.name)

    def value(self, callback: Callback) -> float:
        """Return the present value; NaN if there is none, as after a validation that was cut short.

        Raises:
            ArgumentError: on a bare engine, there is no such value; or it is no number.
        """
        metrics = callback.state.metrics
        if self.name not in metrics and callback.trainer is None:
            raise ArgumentError(f"there is no {self.name!r} to monitor; there are {', '.join(metrics) or 'none'}")
        value = metrics.get(self.name, math.nan)
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"{self.name!r} is no number to monitor, but {value!r}") from error

    def improves(self, value: float) -> bool:
        """Tell whether a value is better than the best, and keep it if so; NaN never is."""
        if math.isnan(value):
            return False
        if self.best is not None:
            gain = value - self.best if self.higher else self.best - value
            if gain <= self.min_delta:
                return False
        self.best = value
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the best value."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best value."""
        self.best = state_dict["best"]


class MonitorCallback(Callback):
    """The base of callbacks that act on a monitored value: behind all that compute one at the same event.

    Args:
        monitor: the name of the value, or None for none.
        mode: as for `Monitor`.
        min_delta: as for `Monitor`.
    """

    priority = Priority.MONITORS

    def __init__(self, monitor: str | None, mode: str = "auto", min_delta: float = 0.0) -> None:
        self.monitor = None if monitor is None else Monitor(monitor, mode, min_delta)

    def on_train_begin(self) -> None:
        """Check the monitored name before anything is computed."""
        if self.monitor is not None:
            self.monitor.begin(self)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value."""
        return {} if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best value."""
        if self.monitor is not None:
            self.monitor.load_state_dict(state_dict)
