"""The learning rate over a run."""

from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.errors import ArgumentError

__all__ = ["LearningRateScheduler"]


class LearningRateScheduler(Callback):
    """Step a scheduler before every epoch, or before every batch, but the first.

    The rate is set before the step that it is for, so what is logged is what was trained with.

    Args:
        scheduler: of `trainkit.optim.lr_scheduler`, on the trainer's optimizer.
        per: "epoch" or "step".
    """

    def __init__(self, scheduler: Any, per: str = "epoch") -> None:
        if per not in ("epoch", "step"):
            raise ArgumentError(f"per must be 'epoch' or 'step', got {per!r}")
        self.scheduler, self.per = scheduler, per

    def on_epoch_begin(self) -> None:
        """Set the rate of this epoch."""
        if self.per == "epoch" and self.state.epoch > 1:
            self.scheduler.step()

    def on_train_batch_begin(self) -> None:
        """Set the rate of this batch."""
        if self.per == "step" and self.state.iteration > 1:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands."""
        return {"scheduler": self.scheduler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to where a schedule stood."""
        self.scheduler.load_state_dict(state_dict["scheduler"])
