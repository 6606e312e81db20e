"""The learning rate over a run: by a schedule, or by a metric."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.monitor import MonitorCallback
from trainkit.callbacks.values import model_of
from trainkit.engine.events import checked_integer
from trainkit.errors import ArgumentError
from trainkit.optim import lr_scheduler

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]

_log = logging.getLogger("trainkit.callbacks")
_OF_OTHERS = ("ChainedScheduler", "LRScheduler", "ReduceLROnPlateau", "SequentialLR")
_NAMES = {name.lower(): getattr(lr_scheduler, name) for name in lr_scheduler.__all__ if name not in _OF_OTHERS}


class LearningRateScheduler(Callback):
    """Step a scheduler before every epoch, or before every step of the optimizer, but the first.

    The rate is set before the step that it is for, so what is logged is what was trained with.

    Args:
        scheduler: of `trainkit.optim.lr_scheduler`, on the trainer's optimizer; a function that makes one, such as
            `lambda optimizer: StepLR(optimizer, 3)`; or a name with options, `("StepLR", {"step_size": 3})`. The last
            two make a new one when a run begins.
        per: "epoch" or "step".

    Attributes:
        scheduler: that of the present or last run.

    Raises:
        ArgumentError: `per` is neither, there is no such name, or it is no scheduler; when training begins, it does not
            fit the optimizer.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 1.0}), "mse")
    >>> schedule = LearningRateScheduler(("ExponentialLR", {"gamma": 0.5}))
    >>> history = trainer.fit(tk.zeros(4, 1), tk.zeros(4, 1), epochs=3, callbacks=[schedule], verbose=0)
    >>> [row["lr"] for row in history]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, scheduler: Any, per: str = "epoch") -> None:
        if per not in ("epoch", "step"):
            raise ArgumentError(f"per must be 'epoch' or 'step', got {per!r}")
        self.per = per
        self._make = _maker(scheduler)
        self.scheduler: Any = None if self._make else scheduler
        self._begin()

    def _begin(self) -> None:
        self.epoch = self.iteration = 1  # whose rate is set: what is done again is not set twice

    def on_train_begin(self) -> None:
        """Make the scheduler, if that is to be done, and begin anew."""
        self._begin()
        if self._make is not None:
            if self.trainer is None:
                raise ArgumentError("a scheduler is made for a Trainer's optimizer; give a bare engine the scheduler")
            self.scheduler = self._make(self.trainer.optimizer)
            if not _is_scheduler(self.scheduler):
                raise ArgumentError(f"the function must return a scheduler, got {self.scheduler!r}")
        rates, groups = getattr(self.scheduler, "base_lrs", None), len(self.scheduler.optimizer.param_groups)
        if rates is not None and len(rates) != groups:
            raise ArgumentError(
                f"the scheduler was made for {len(rates)} groups of parameters, and the optimizer has {groups} now; "
                "give a function that makes the scheduler: lambda optimizer: StepLR(optimizer, 3)"
            )

    def on_epoch_begin(self) -> None:
        """Set the rate of this epoch."""
        if self.per == "epoch" and self.state.epoch > self.epoch:
            self.scheduler.step()
            self.epoch = self.state.epoch

    def on_train_batch_begin(self) -> None:
        """Set the rate of this step, if the batch begins one."""
        if self.per != "step" or self.state.iteration <= self.iteration:
            return
        if self.trainer is None or not self.trainer._group.batches:
            self.scheduler.step()
            self.iteration = self.state.iteration

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands."""
        if self.scheduler is None:  # no run has begun
            return {}
        state = {"scheduler": self.scheduler.state_dict(), "epoch": self.epoch, "iteration": self.iteration}
        if self._make is not None:
            kept = ("params", "param_names")
            groups = self.scheduler.optimizer.param_groups
            state["groups"] = [{key: group[key] for key in group if key not in kept} for group in groups]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood."""
        if not state_dict:
            return
        self.scheduler.load_state_dict(state_dict["scheduler"])
        self.epoch, self.iteration = state_dict["epoch"], state_dict.get("iteration", self.iteration)
        optimizer = self.scheduler.optimizer
        optimizer._opt_called = True  # in the former run; the scheduler would warn that no step was taken
        if self._make is not None:  # making it has set the rates of a beginning
            for group, options in zip(optimizer.param_groups, state_dict["groups"], strict=True):
                group.update(options)


def _is_scheduler(given: Any) -> bool:
    return not isinstance(given, type) and hasattr(given, "step") and hasattr(given, "optimizer")


def _maker(given: Any) -> Callable[[Any], Any] | None:
    """Return the function that makes the scheduler; None if it is one already."""
    if isinstance(given, lr_scheduler.ReduceLROnPlateau):
        raise ArgumentError("a ReduceLROnPlateau needs a metric to step it with: use the callback ReduceLROnPlateau")
    if _is_scheduler(given):
        return None
    name: Any = given if isinstance(given, str) else None
    options: Mapping[str, Any] = {}
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
        name, options = given
    if isinstance(name, str):
        kind = _NAMES.get(name.lower())
        if kind is None:
            known = ", ".join(found.__name__ for found in _NAMES.values())
            raise ArgumentError(f"there is no scheduler named {name!r}; there are {known}, or give a scheduler")

        def make(optimizer: Any) -> Any:
            try:
                return kind(optimizer, **options)
            except TypeError as error:
                raise ArgumentError(f"{kind.__name__} does not take the options {dict(options)}: {error}") from error

        return make
    if callable(given) and not isinstance(given, type):
        return given  # type: ignore[no-any-return]
    hint = "; make one, or give its name with options" if isinstance(given, type) else ""
    raise ArgumentError(
        f"expected a scheduler, a function that makes one of an optimizer, or (name, {{option: value}}), got "
        f"{given!r}{hint}"
    )


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the rates by `factor` when a value has not become better for more than `patience` epochs.

    It acts when the epoch ends, behind all that compute values; what is logged is the rate that the epoch had. An epoch
    without a value, or with NaN, counts as no better.

    Args:
        monitor: the name of the value, such as "val_loss".
        factor: less than 1.
        patience: epochs without improvement that are put up with.
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.
        threshold: what counts as improvement.
        threshold_mode: "rel": a part of the best value, "abs": a difference to it.
        cooldown: epochs after a change in which none count.
        min_lr: the lowest rate, for all groups or one for each.
        eps: a change that is no larger is not made.

    Attributes:
        scheduler: the one of `trainkit.optim.lr_scheduler` that decides, in the present or last run.

    Raises:
        ArgumentError: an option does not fit; when training begins, there is no such value, nothing tells which way is
            better, or no Trainer.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 0.5}), "mse")
    >>> plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1, threshold=10.0, threshold_mode="abs")
    >>> history = trainer.fit(tk.zeros(4, 1), tk.zeros(4, 1), epochs=4, callbacks=[plateau], verbose=0)
    >>> [row["lr"] for row in history]
    [0.5, 0.5, 0.5, 0.25]
    """

    monitor: Any

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        *,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(monitor, mode)
        if not 0 < factor < 1:
            raise ArgumentError(f"factor must be more than 0 and less than 1, got {factor!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(f"threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}")
        self.options: dict[str, Any] = {
            "factor": factor,
            "patience": checked_integer("patience", patience, 0),
            "threshold": threshold,
            "threshold_mode": threshold_mode,
            "cooldown": checked_integer("cooldown", cooldown, 0),
            "min_lr": min_lr,
            "eps": eps,
        }
        self.scheduler: Any = None

    def on_train_begin(self) -> None:
        """Begin to count."""
        super().on_train_begin()
        model_of(self)
        mode = "max" if self.monitor.higher else "min"
        self.scheduler = lr_scheduler.ReduceLROnPlateau(self.trainer.optimizer, mode, **self.options)

    def on_epoch_end(self) -> None:
        """Count, and change the rates if it is time."""
        before = self.scheduler.get_last_lr()
        self.scheduler.step(self.monitor.value(self))
        after = self.scheduler.get_last_lr()
        if any(float(new) < float(old) for new, old in zip(after, before, strict=False)):
            _log.info(
                "%s has not got better than %s for %d epochs: the learning rate falls to %s",
                self.monitor.name,
                self.scheduler.best,
                self.options["patience"] + 1,
                ", ".join(f"{float(rate):.3g}" for rate in after),
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, and how long it has been waited for a better one."""
        return {} if self.scheduler is None else {"scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on to wait."""
        if state_dict:
            self.scheduler.load_state_dict(state_dict["scheduler"])
