"""Stop when nothing gets better."""

import logging
from typing import Any

from trainkit.callbacks.monitor import MonitorCallback
from trainkit.callbacks.restore import copy_of_state
from trainkit.errors import ArgumentError

__all__ = ["EarlyStopping"]

_log = logging.getLogger("trainkit.callbacks")


class EarlyStopping(MonitorCallback):
    """End the run when a value has not got better for `patience` epochs.

    Args:
        monitor: the name of the value, such as "val_loss".
        patience: epochs without a better value, after which the run ends.
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.
        min_delta: by how much a value must be better to count.
        start_after: epochs at the beginning that do not count.
        restore_best: give the model the weights of the best epoch when the run ends.

    Attributes:
        stopped_epoch: the epoch after which it ended the run; None if it did not.

    Raises:
        ArgumentError: an option does not fit; or, when training begins, there is no such value.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 0.0}), "mse")
    >>> stop = EarlyStopping("loss", patience=2)
    >>> len(trainer.fit(tk.ones(4, 1), tk.ones(4, 1), epochs=9, callbacks=[stop], verbose=0))
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        mode: str = "auto",
        min_delta: float = 0.0,
        *,
        start_after: int = 0,
        restore_best: bool = False,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if patience < 0 or start_after < 0:
            raise ArgumentError(f"patience and start_after must be at least 0, got {patience} and {start_after}")
        self.patience, self.start_after, self.restore_best = patience, start_after, restore_best
        self.waited = 0
        self.stopped_epoch: int | None = None
        self._best_weights: dict[str, Any] | None = None

    def on_train_begin(self) -> None:
        """Begin to count."""
        super().on_train_begin()
        if self.restore_best and self.trainer is None:
            raise ArgumentError("restore_best needs a Trainer, whose model it is")
        self.waited, self.stopped_epoch, self._best_weights = 0, None, None

    def on_epoch_end(self) -> None:
        """Count, and stop."""
        assert self.monitor is not None
        if self.state.epoch <= self.start_after:
            return
        if self.monitor.improves(self.monitor.value(self)):
            self.waited = 0
            if self.restore_best:
                self._best_weights = copy_of_state(self.trainer.model)
            return
        self.waited += 1
        if self.waited >= max(self.patience, 1):
            self.stopped_epoch = self.state.epoch
            _log.info(
                "%s has not got better than %s for %d epochs: the run ends",
                self.monitor.name,
                self.monitor.best,
                self.waited,
            )
            self.engine.terminate()

    def on_train_end(self) -> None:
        """Give the model the best weights."""
        if self._best_weights is not None:
            self.trainer.model.load_state_dict(self._best_weights)
            self._best_weights = None

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its weights if they are kept, and how long it has been waited for a better one."""
        return {**super().state_dict(), "waited": self.waited, "best_weights": self._best_weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on to wait."""
        super().load_state_dict(state_dict)
        self.waited, self._best_weights = state_dict["waited"], state_dict["best_weights"]
