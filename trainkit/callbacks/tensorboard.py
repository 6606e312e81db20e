"""Event files for TensorBoard, written by tensorboardX."""

import os
from pathlib import Path
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.engine import Engine, Events, Priority
from trainkit.serialize import check_folder

__all__ = ["TensorBoardLogger"]


class TensorBoardLogger(Callback):
    """Write each epoch's metrics: `loss/train` and `loss/valid` in one chart, and so for every metric; and `lr`.

    The step is the iteration, so that values of epochs and of batches share an axis.

    Args:
        log_dir: the folder of this run; made if it is not there.
        every: write also `loss/batch` every so many iterations; 0: never.

    Raises:
        OutputError: the folder cannot be written; when training begins, before the first batch.
    """

    priority = Priority.LOGGERS

    def __init__(self, log_dir: str | os.PathLike[str], every: int = 0) -> None:
        self.log_dir, self.every = Path(log_dir), every
        self.writer: Any = None

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and the batches if they are wanted."""
        super().attach(engine, evaluator)
        if self.every:
            event = Events.ITERATION_COMPLETED(every=self.every)
            engine.add_event_handler(event, self._write_batch, priority=self.priority)

    def on_train_begin(self) -> None:
        """Open the event file."""
        from tensorboardX import SummaryWriter  # takes a tenth of a second, which only its users spend

        check_folder(self.log_dir, "TensorBoard logs")
        self.writer = SummaryWriter(str(self.log_dir))

    def on_epoch_end(self) -> None:
        """Write the metrics of the epoch."""
        for name, value in self.state.metrics.items():
            if isinstance(value, (int, float)) and name != "seconds":
                self.writer.add_scalar(_tag(name), value, self.state.iteration)
        self.writer.flush()

    def on_train_end(self) -> None:
        """Close the event file."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def _write_batch(self) -> None:
        loss = getattr(self.state.output, "loss", self.state.output)
        self.writer.add_scalar("loss/batch", float(loss), self.state.iteration)


def _tag(name: str) -> str:
    if name == "lr":
        return name
    return f"{name.removeprefix('val_')}/valid" if name.startswith("val_") else f"{name}/train"
