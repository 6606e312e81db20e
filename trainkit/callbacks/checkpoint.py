"""Keep what was learned."""

import math
import os
from pathlib import Path
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.engine import Priority
from trainkit.errors import ArgumentError
from trainkit.serialize import check_folder

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Callback):
    """Save model, optimizer and history after each epoch: `last.safetensors`, and `best.safetensors` if monitored.

    After Ctrl-C `last.safetensors` is saved too. A file is there whole or not at all. `trainer.load(path)` reads one.

    Args:
        folder: of the files; made if it is not there.
        monitor: the metric whose best epoch is kept, such as "val_loss".
        mode: "max" if higher is better, "min" if lower is, "auto" asks the metric.

    Raises:
        ArgumentError: nothing is called as `monitor` says, or nothing tells which way is better; when training begins.
        OutputError: the folder cannot be written; when training begins.
    """

    priority = Priority.CHECKPOINTS

    def __init__(self, folder: str | os.PathLike[str], monitor: str | None = None, mode: str = "auto") -> None:
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.folder, self.monitor, self.mode = Path(folder), monitor, mode
        self.best: float | None = None

    @property
    def best_path(self) -> Path:
        """The file of the best epoch."""
        return self.folder / "best.safetensors"

    @property
    def last_path(self) -> Path:
        """The file of the last epoch."""
        return self.folder / "last.safetensors"

    def on_train_begin(self) -> None:
        """Check the folder and the monitored name before anything is computed."""
        if self.trainer is None:
            raise ArgumentError(
                "ModelCheckpoint saves a Trainer; attach it to one, or call trainkit.save() in a handler"
            )
        self.best = None
        check_folder(self.folder, "checkpoints")
        if self.monitor is not None:
            names = self.trainer.metric_names()
            if self.monitor not in names:
                raise ArgumentError(f"there is no metric {self.monitor!r} to monitor; there are {', '.join(names)}")
            self.higher = self.mode == "max" if self.mode != "auto" else self.trainer.higher_is_better(self.monitor)

    def on_epoch_end(self) -> None:
        """Save the epoch, and again if it is the best so far."""
        self.trainer.save(self.last_path)
        if self.monitor is None:
            return
        value = self.state.metrics.get(self.monitor, math.nan)  # not there if a validation was cut short
        if math.isnan(value) or (
            self.best is not None and not (value > self.best if self.higher else value < self.best)
        ):
            return
        self.best = value
        self.trainer.save(self.best_path)

    def on_interrupt(self) -> None:
        """Save what there is."""
        self.trainer.save(self.last_path)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best value."""
        self.best = state_dict["best"]
