"""What happened, epoch by epoch."""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, overload

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.plotting import pyplot, shown_once
from trainkit.callbacks.table import Layout
from trainkit.callbacks.values import csv_text, number
from trainkit.engine import Priority
from trainkit.errors import ArgumentError, OutputError
from trainkit.serialize import write_atomically

__all__ = ["History"]

_MOST, _FIRST = 12, 3  # epochs that a repr shows, and how many of the first where there are more


class History(Callback):
    """One dict for each epoch: its number, its metrics, the learning rate and the seconds. `fit` returns one.

    >>> history = History()
    >>> history.epochs += [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.3}]
    >>> history.best("loss")
    {'epoch': 2, 'loss': 0.3}
    >>> history.to_dict()
    {'epoch': [1, 2], 'loss': [0.5, 0.3]}
    >>> history
    History(2 epochs)
    epoch     loss
        1   0.5000
        2   0.3000
    """

    priority = Priority.LOGGERS

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []

    def on_train_begin(self) -> None:
        """Begin anew."""
        self.epochs = []

    def on_epoch_end(self) -> None:
        """Write the epoch down."""
        self.epochs.append({"epoch": self.state.epoch, **self.state.metrics})

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.epochs)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> Any:
        return self.epochs[index]

    def best(self, name: str, higher_is_better: bool | None = None) -> dict[str, Any]:
        """Return the epoch with the best value of `name`, the first of equals.

        Args:
            name: of a metric.
            higher_is_better: which way is better; None asks the trainer's metric, and lower is where there is none.

        Raises:
            ArgumentError: no epoch has a number of that name, or the metric does not say which way is better.
        """
        found = [(number(row.get(name)), row) for row in self.epochs]
        rows = [(value, row) for value, row in found if value is not None and not math.isnan(value)]
        if not rows:
            raise ArgumentError(
                f"the history has no values of {name!r}; it has {', '.join(self._names()) or 'nothing'}"
            )
        if higher_is_better is None:
            higher_is_better = False if self.trainer is None else self.trainer.higher_is_better(name)
        return (max if higher_is_better else min)(rows, key=lambda pair: pair[0])[1]

    def to_dict(self) -> dict[str, list[Any]]:
        """Return a list of values for each name, as Keras' `history.history`; None where an epoch has none."""
        return {name: [row.get(name) for row in self.epochs] for name in self._names()}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a table, a row an epoch, under a row of names; the file is there whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            write_atomically(path, csv_text(self.epochs).encode())
        except OSError as error:
            raise OutputError(f"cannot write the history to {path}: {error.strerror}; choose another place") from error

    def plot(self, names: str | Sequence[str] | None = None) -> Any:
        """Draw the epochs with matplotlib: a chart for each metric, training and validation together.

        Args:
            names: of the metrics, without "val_"; by default all that are numbers, but for the seconds.

        Returns:
            the figure: `figure.savefig("history.png")`, or `matplotlib.pyplot.show()`.

        Raises:
            ArgumentError: there is no epoch, or none has numbers of a name.
            MissingExtraError: matplotlib is not installed.
        """
        names = [names] if isinstance(names, str) else names
        known = {name: self._curve(name) for name in self._names()}
        known = {name: curve for name, curve in known.items() if curve[0] and name != "epoch"}
        chosen = [
            name for name in dict.fromkeys(n.removeprefix("val_") for n in names or known) if names or name != "seconds"
        ]
        unknown = [name for name in chosen if name not in known and f"val_{name}" not in known]
        if unknown or not chosen:
            what = f"has no numbers of {', '.join(unknown)}; it has {', '.join(known)}" if unknown else "has no epochs"
            raise ArgumentError(f"the history {what}")
        across = min(len(chosen), 3)
        down = math.ceil(len(chosen) / across)
        figure, axes = pyplot("History.plot").subplots(
            down, across, figsize=(4.5 * across, 3.2 * down), squeeze=False, layout="constrained"
        )
        for axis, name in zip(axes.flat, chosen, strict=False):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                if key in known:
                    axis.plot(*known[key], label=label, marker="o" if len(self) < 30 else None, markersize=3)
            axis.set(title=name, xlabel="epoch")
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(alpha=0.3)
            if f"val_{name}" in known:
                axis.legend()
        for axis in axes.flat[len(chosen) :]:
            axis.set_visible(False)
        return shown_once(figure)

    def _curve(self, name: str) -> tuple[list[int], list[float]]:
        points = [(row["epoch"], number(row.get(name))) for row in self.epochs]
        found = [(epoch, value) for epoch, value in points if value is not None]
        return [epoch for epoch, _ in found], [value for _, value in found]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.epochs for name in row))

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs."""
        return {"epochs": list(self.epochs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over epochs."""
        self.epochs = list(state_dict["epochs"])

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epochs)"
        count = len(self.epochs)
        layout = Layout([name for name in self._names() if any(number(row.get(name)) is not None for row in self)], 80)
        left_out = count - _MOST if count > _MOST else 0
        lines = [f"History({count} epoch{'s' * (count > 1)})", layout.header()]
        for place, row in enumerate(self.epochs):
            if left_out and place == _FIRST:
                lines.append("...".rjust(5))
            if not left_out or place < _FIRST or place >= _FIRST + left_out:
                lines += layout.lines(row)
        return "\n".join(lines)
