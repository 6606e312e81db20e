"""The learning rate over the epochs."""

from typing import Any

from trainkit.callbacks.callback import Callback

__all__ = ["LearningRateScheduler"]


class LearningRateScheduler(Callback):
    """Step a scheduler before every epoch but the first: an epoch's metrics show the rate that it was trained with.

    Args:
        scheduler: of `trainkit.optim.lr_scheduler`, on the trainer's optimizer.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    def on_epoch_begin(self) -> None:
        """Set the rate of this epoch."""
        if self.state.epoch > 1:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands."""
        return {"scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood."""
        self.scheduler.load_state_dict(state_dict["scheduler"])
