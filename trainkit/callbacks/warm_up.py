"""A learning rate that begins low."""

from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import model_of
from trainkit.engine import Engine, Events, Priority
from trainkit.engine.events import checked_integer
from trainkit.errors import ArgumentError
from trainkit.optim.lr_scheduler.base import set_value

__all__ = ["WarmUp"]


class WarmUp(Callback):
    """Begin with a small part of the learning rate, and let it grow in a straight line, batch by batch.

    The rates of all groups are multiplied by a factor from `start_factor` to 1 while a batch is trained on, behind
    whatever schedule sets them; the schedule finds its own rate, and has it unchanged when the warm-up is over.

    Args:
        steps: batches until the rate is whole.
        epochs: or epochs, of which a fraction will do.
        start_factor: that of the first batch, more than 0 and less than 1.

    Raises:
        ArgumentError: an option does not fit, or both steps and epochs are given or neither; there is no Trainer.

    Source: Goyal et al., 2017, https://arxiv.org/abs/1706.02677.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 1.0}), "mse", callbacks=[WarmUp(2, start_factor=0.5)])
    >>> history = trainer.fit(tk.zeros(4, 1), tk.zeros(4, 1), epochs=4, verbose=0)
    >>> [row["lr"] for row in history]
    [0.5, 0.75, 1.0, 1.0]
    """

    priority = Priority.MONITORS

    def __init__(self, steps: int | None = None, *, epochs: float | None = None, start_factor: float = 0.1) -> None:
        if (steps is None) == (epochs is None):
            raise ArgumentError("WarmUp takes steps or epochs")
        if epochs is not None and not epochs > 0:
            raise ArgumentError(f"epochs must be more than 0, got {epochs!r}")
        if not 0 < start_factor < 1:
            raise ArgumentError(f"start_factor must be more than 0 and less than 1, got {start_factor!r}")
        self.steps = None if steps is None else checked_integer("steps", steps, 1)
        self.epochs, self.start_factor = epochs, start_factor
        self.factor = 1.0
        self._whole: list[Any] = []  # the rates that the factor was applied to, while it is

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and before all schedules the moment to give them their rates back."""
        super().attach(engine, evaluator)
        moments = Events.EPOCH_STARTED | Events.ITERATION_STARTED
        engine.add_event_handler(moments, self._lift, priority=Priority.METRICS)

    def on_train_begin(self) -> None:
        """Begin anew."""
        model_of(self)
        self._whole = []

    def on_train_batch_begin(self) -> None:
        """Lower the rates."""
        done = self._done()
        if done >= 1:
            return
        self.factor = self.start_factor + (1 - self.start_factor) * done
        groups = self.trainer.optimizer.param_groups
        self._whole = [float(group["lr"]) for group in groups]
        for group, whole in zip(groups, self._whole, strict=True):
            set_value(group, "lr", whole * self.factor)

    def on_train_end(self) -> None:
        """Leave the whole rates."""
        self._lift()

    def _done(self) -> float:
        """Return how much of the warm-up lies behind this batch."""
        if self.steps is not None:
            return (self.state.iteration - 1) / self.steps
        assert self.epochs is not None
        length = self.state.epoch_length  # not known in the first epoch over data without a length
        within = 0.0 if length is None else (self.engine.position.batch - 1) / length
        return (self.state.epoch - 1 + within) / self.epochs

    def _lift(self) -> None:
        if not self._whole:
            return
        for group, whole in zip(self.trainer.optimizer.param_groups, self._whole, strict=True):
            lowered = float(group["lr"])
            same = lowered == _stored(group["lr"], whole * self.factor)
            # somebody has changed the rate meanwhile: so much of the change as is theirs stays
            set_value(group, "lr", whole if same else lowered / self.factor)
        self._whole = []

    def state_dict(self) -> dict[str, Any]:
        """Return the whole rates."""
        return {"whole": list(self._whole), "factor": self.factor}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with rates that were lowered."""
        self._whole, self.factor = list(state_dict["whole"]), state_dict["factor"]


def _stored(held: Any, value: float) -> float:
    """Return a number as the rate that is held would hold it: a tensor may have less digits."""
    return float(held.dtype.type(value)) if hasattr(held, "dtype") else value
