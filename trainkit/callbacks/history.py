"""What happened, epoch by epoch."""

import math
from collections.abc import Iterator
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.engine import Priority
from trainkit.errors import ArgumentError

__all__ = ["History"]


class History(Callback):
    """One dict for each epoch: its number, its metrics, the learning rate and the seconds. `fit` returns one.

    >>> history = History()
    >>> history.epochs += [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.3}]
    >>> history.best("loss")
    {'epoch': 2, 'loss': 0.3}
    >>> history.to_dict()
    {'epoch': [1, 2], 'loss': [0.5, 0.3]}
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

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.epochs[index]

    def best(self, name: str, higher_is_better: bool | None = None) -> dict[str, Any]:
        """Return the epoch with the best value of `name`; which way is better the trainer's metric says.

        Raises:
            ArgumentError: no epoch has the name, or nothing says which way is better.
        """
        rows = [row for row in self.epochs if name in row and not math.isnan(row[name])]
        if not rows:
            known = ", ".join(self.epochs[0]) if self.epochs else "nothing yet"
            raise ArgumentError(f"the history has no values of {name!r}; it has {known}")
        if higher_is_better is None:
            higher_is_better = False if self.trainer is None else self.trainer.higher_is_better(name)
        return (max if higher_is_better else min)(rows, key=lambda row: row[name])

    def to_dict(self) -> dict[str, list[Any]]:
        """Return a list of values for each name, as Keras' `history.history`."""
        names = dict.fromkeys(name for row in self.epochs for name in row)
        return {name: [row.get(name) for row in self.epochs] for name in names}

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs."""
        return {"epochs": list(self.epochs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over epochs."""
        self.epochs = list(state_dict["epochs"])

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epochs)"
        last = ", ".join(f"{name}={_short(value)}" for name, value in self.epochs[-1].items() if name != "epoch")
        return f"History({len(self.epochs)} epochs, the last: {last})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
