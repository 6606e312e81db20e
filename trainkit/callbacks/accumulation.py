"""How many batches make a step."""

from collections.abc import Mapping

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import model_of
from trainkit.engine.events import checked_integer
from trainkit.errors import ArgumentError

__all__ = ["GradientAccumulation"]


class GradientAccumulation(Callback):
    """Let another number of batches make a step of the optimizer from certain epochs on.

    A step's gradient is that of all examples of its batches together; the last step of an epoch takes what is left.

    Args:
        schedule: {epoch: batches}; before the first of these epochs holds what `fit(accumulate=...)` said.

    Raises:
        ArgumentError: the schedule is empty, or an epoch or a number is less than 1; there is no Trainer.

    >>> import trainkit as tk
    >>> steps = GradientAccumulation({3: 2, 5: 4})
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[steps])
    """

    def __init__(self, schedule: Mapping[int, int]) -> None:
        if not isinstance(schedule, Mapping) or not schedule:
            raise ArgumentError(f"GradientAccumulation takes a dict {{epoch: batches}}, got {schedule!r}")
        pairs = [(checked_integer("epoch", e, 1), checked_integer("batches", n, 1)) for e, n in schedule.items()]
        self.schedule = dict(sorted(pairs))
        self._former = 1

    def on_train_begin(self) -> None:
        """Note what holds without a schedule."""
        model_of(self)
        self._former = self.trainer.accumulate

    def on_epoch_begin(self) -> None:
        """Set the number of this epoch."""
        reached = [batches for epoch, batches in self.schedule.items() if epoch <= self.state.epoch]
        self.trainer.accumulate = reached[-1] if reached else self._former
