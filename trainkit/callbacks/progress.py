"""What a run shows on the terminal: a bar while an epoch runs, a line of a table when it ends."""

import sys
import time
from typing import Any, TextIO

from tqdm.auto import tqdm

from trainkit.callbacks.callback import Callback
from trainkit.engine import Priority

__all__ = ["EpochTable", "ProgressBar"]

# Without the rate, which the table tells as seconds: a bar and two metrics fit into 80 columns.
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


class ProgressBar(Callback):
    """A bar for each epoch, with the running metrics; nothing where the output is no terminal.

    Args:
        file: where to draw; standard error if None.
        interval: seconds between two drawings.
    """

    priority = Priority.LOGGERS

    def __init__(self, file: TextIO | None = None, interval: float = 0.1) -> None:
        self.file, self.interval = file, interval
        self.bar: Any = None

    def on_epoch_begin(self) -> None:
        """Draw an empty bar."""
        file = self.file or sys.stderr
        self.on_train_end()
        if not file.isatty():
            return
        self.title = f"Epoch {self.state.epoch}" + (f"/{self.state.max_epochs}" if self.state.max_epochs else "")
        self.bar = tqdm(
            total=self.state.epoch_length,
            desc=self.title,
            file=file,
            leave=False,
            dynamic_ncols=True,
            bar_format=_FORMAT,
        )
        self.before = self.state.iteration
        self.due = time.perf_counter() + self.interval

    def on_train_batch_end(self) -> None:
        """Move the bar, if it is time: nothing is formatted more often than it is drawn."""
        if self.bar is None or time.perf_counter() < self.due:
            return
        self._advance()
        self.due = time.perf_counter() + self.interval

    def on_valid_begin(self) -> None:
        """Fill the bar and say what it waits for."""
        if self.bar is not None:
            self._advance()
            self.bar.set_description(f"{self.title} validating")

    def on_epoch_end(self) -> None:
        """Take the bar away."""
        self.on_train_end()

    def on_train_end(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _advance(self) -> None:
        metrics = self.state.metrics if self.trainer is None else self.trainer.running_metrics()
        shown = {name: f"{value:.4f}" for name, value in metrics.items() if isinstance(value, float)}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(self.state.iteration - self.before)
        self.bar.refresh()
        self.before = self.state.iteration


class EpochTable(Callback):
    """A line for each epoch, under a line with the names: one clean line an epoch, also in a file or a pipe.

    Args:
        file: where to write; standard output if None.
    """

    priority = Priority.LOGGERS

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file
        self.names: list[str] = []

    def on_train_begin(self) -> None:
        """Forget the names, so that they are printed anew."""
        self.names = []

    def on_epoch_end(self) -> None:
        """Print the line."""
        values = {"epoch": self.state.epoch, **self.state.metrics}
        if list(values) != self.names:
            self.names = list(values)
            self._print(name.rjust(_width(name)) for name in self.names)
        self._print(_cell(name, value).rjust(_width(name)) for name, value in values.items())

    def _print(self, cells: Any) -> None:
        print("  ".join(cells), file=self.file or sys.stdout, flush=True)


def _width(name: str) -> int:
    return len(name) if name == "epoch" else max(len(name), 7)


def _cell(name: str, value: Any) -> str:
    if name == "seconds":
        return f"{value:.1f}"
    if name == "lr":
        return f"{value:.3g}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
