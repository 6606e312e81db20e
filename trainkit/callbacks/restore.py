"""Keep the weights of the best epoch, and give them back when the run ends."""

import copy
import logging
from typing import Any

from trainkit.autograd import TensorBase
from trainkit.callbacks.monitor import MonitorCallback
from trainkit.callbacks.values import model_of

__all__ = ["BestModelRestore", "copy_of_state"]

_log = logging.getLogger("trainkit.callbacks")


def copy_of_state(model: Any) -> dict[str, Any]:
    """Return the values of all parameters and buffers by name, in memory of their own."""
    return {
        name: value.array.copy() if isinstance(value, TensorBase) else copy.deepcopy(value)
        for name, value in model.state_dict().items()
    }


class BestModelRestore(MonitorCallback):
    """Give the model the weights of the best epoch, parameters and buffers, when the run ends in whatever way.

    Args:
        monitor: the name of the value that tells which epoch is best, such as "val_loss".
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.
        min_delta: by how much a value must be better to count.

    Attributes:
        best_epoch: the epoch whose weights are kept; None if there is none yet.

    Raises:
        ArgumentError: when training begins, there is no such value, nothing tells which way is better, or no Trainer.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 0.1}), "mse")
    >>> restore = BestModelRestore("loss")
    >>> history = trainer.fit(tk.ones(4, 1), tk.zeros(4, 1), epochs=3, callbacks=[restore], verbose=0)
    >>> restore.best_epoch
    3
    """

    monitor: Any

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0) -> None:
        super().__init__(monitor, mode, min_delta)
        self.best_epoch: int | None = None
        self._weights: dict[str, Any] | None = None

    def on_train_begin(self) -> None:
        """Begin anew."""
        super().on_train_begin()
        model_of(self)
        self.best_epoch = self._weights = None

    def on_epoch_end(self) -> None:
        """Keep the weights, if they are the best so far."""
        if self.monitor.improves(self.monitor.value(self)):
            self.best_epoch, self._weights = self.state.epoch, copy_of_state(self.trainer.model)

    def on_train_end(self) -> None:
        """Give them back."""
        if self._weights is not None:
            self.trainer.model.load_state_dict(self._weights)
            self._weights = None
            _log.info("the model has the weights of epoch %d, the best by %s", self.best_epoch, self.monitor.name)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and its weights."""
        return {**super().state_dict(), "best_epoch": self.best_epoch, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on to look for a better epoch."""
        super().load_state_dict(state_dict)
        self.best_epoch, self._weights = state_dict["best_epoch"], state_dict["weights"]
