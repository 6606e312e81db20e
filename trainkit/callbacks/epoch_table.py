"""What a run leaves on the terminal: a line of a table for each epoch."""

import math
import sys
from typing import Any, TextIO

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.table import Layout
from trainkit.callbacks.terminal import in_colour, is_terminal, width_of, write
from trainkit.callbacks.values import number
from trainkit.engine import Priority
from trainkit.errors import ArgumentError

__all__ = ["EpochTable"]

_GREEN, _PLAIN = "\x1b[32m", "\x1b[0m"


class EpochTable(Callback):
    """A line for each epoch, under a line with the names.

    A terminal gets as many columns as fit, those of the validation in a second line if need be, and what is the best
    so far in green unless NO_COLOR is set. A file or a pipe gets all of them, one clean line an epoch. Metrics that are
    no numbers have no column; the history has them.

    Args:
        file: where to write; standard output if None.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), ("sgd", {"lr": 0.0}), "mse")
    >>> history = trainer.fit(tk.zeros(4, 1), trainer.model.bias.detach().expand(4, 1), verbose=2)  # doctest: +ELLIPSIS
    epoch     loss       lr  seconds
        1   0.0000        0      ...
    """

    priority = Priority.LOGGERS

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file
        self._layout: Layout | None = None

    def on_train_begin(self) -> None:
        """Forget the columns, so that their names are printed anew."""
        self._layout = None

    def on_epoch_end(self) -> None:
        """Print the line."""
        file = sys.stdout if self.file is None else self.file
        values = {"epoch": self.state.epoch, **self.state.metrics}
        values = {name: value for name, value in values.items() if number(value) is not None}
        width = width_of(file) if is_terminal(file) else None
        lines = []
        layout = self._layout
        if layout is None or layout.width != width or not set(layout.names).issuperset(values):
            self._layout = layout = Layout(list(values), width)
            if layout.left_out:
                lines.append(f"(no room for {', '.join(layout.left_out)}: see the history)")
            lines.append(layout.header())
        lines += layout.lines(values, self._mark if in_colour(file) else lambda name, text: text)
        write("\n".join(lines), file)

    def _mark(self, name: str, text: str) -> str:
        """Colour what is the best so far, of the validation if there is one."""
        validates = any(key.startswith("val_") for key in self.state.metrics)
        return f"{_GREEN}{text}{_PLAIN}" if validates == name.startswith("val_") and self._is_best(name) else text

    def _is_best(self, name: str) -> bool:
        value = number(self.state.metrics.get(name))
        if value is None or math.isnan(value) or self.trainer is None:
            return False
        try:
            sign = 1 if self.trainer.higher_is_better(name) else -1
        except ArgumentError:
            return False
        former: list[Any] = [number(row.get(name)) for row in self.trainer.history if row["epoch"] < self.state.epoch]
        return all(other is None or math.isnan(other) or sign * value > sign * other for other in former)
