"""Figures in files that other tools read: a table of epochs, and a line of JSON for each epoch or step."""

import contextlib
import csv
import json
import logging
import math
import os
import time
from pathlib import Path
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import batch_values, csv_text, loss_of, plain
from trainkit.engine import Engine, Events, Priority, State
from trainkit.errors import ArgumentError, DataError
from trainkit.serialize import check_folder, write_atomically

__all__ = ["CSVLogger", "JSONLinesLogger"]

_log = logging.getLogger("trainkit.callbacks")


class _FileLogger(Callback):
    """What writes one file, goes on with it in a run that is resumed, and does not stop a run for a full disk."""

    priority = Priority.LOGGERS

    def __init__(self, path: str | os.PathLike[str], append: bool | str) -> None:
        if append not in (True, False, "auto"):
            raise ArgumentError(f"append must be True, False or 'auto', got {append!r}")
        self.path, self.append = Path(path), append

    def on_train_begin(self) -> None:
        """Check the folder before anything is computed."""
        check_folder(self.path.parent, self.path.name)

    def epochs_to_keep(self) -> float:
        """Tell up to which epoch what the file has belongs to this run: 0 for none of it, infinity for all of it."""
        if self.append is True:
            return math.inf
        return _epochs_done(self.state) if self.append == "auto" else 0

    def warn(self, error: OSError) -> None:
        """Say that the file could not be written: the figures are kept for the next time."""
        _log.warning("cannot write %s: %s; trying again with the next figures", self.path, error.strerror or error)


class CSVLogger(_FileLogger):
    """Write a table with a row for each epoch, anew and whole at the end of each: at any moment it is complete.

    A metric that comes later gets a column then. A resumed run goes on with the table, but for rows of epochs that it
    repeats; another run begins a new one.

    Args:
        path: of the file; its folder is made if it is not there.
        append: True to go on with a table whatever the run, False to begin anew always.
        separator: between the cells.

    Raises:
        OutputError: the folder cannot be written; when training begins.
        DataError: the file to go on with is no table of epochs; when training begins.

    >>> import pathlib, tempfile, trainkit as tk
    >>> path = pathlib.Path(tempfile.mkdtemp(), "log.csv")
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
    >>> history = trainer.fit(tk.ones(4, 1), tk.ones(4, 1), callbacks=[CSVLogger(path)], verbose=0)
    >>> path.read_text().split()[0]
    'epoch,loss,lr,seconds'
    """

    def __init__(self, path: str | os.PathLike[str], append: bool | str = "auto", separator: str = ",") -> None:
        super().__init__(path, append)
        self.separator = separator
        self._rows: list[dict[str, Any]] = []

    def on_train_begin(self) -> None:
        """Read the rows to go on with."""
        super().on_train_begin()
        last = self.epochs_to_keep()
        self._rows = self._read(last) if last and self.path.is_file() else []

    def on_epoch_end(self) -> None:
        """Write the table with the row of the epoch."""
        self._rows.append({"epoch": self.state.epoch, **self.state.metrics})
        try:
            write_atomically(self.path, csv_text(self._rows, self.separator).encode())
        except OSError as error:
            self.warn(error)

    def _read(self, last: float) -> list[dict[str, Any]]:
        with self.path.open(newline="", encoding="utf-8") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file, delimiter=self.separator))
        try:
            return [row for row in rows if int(row["epoch"]) <= last]
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{self.path} is no table of epochs to go on with: its rows have no number under 'epoch'; "
                "name another file, or append=False to replace this one"
            ) from error


class JSONLinesLogger(_FileLogger):
    """Write a line of JSON for each epoch, and if wanted for every so many steps; each is on the disk at once.

    A line is an object with "event" ("epoch" or "step"), "time" (seconds since 1970), "epoch" and "iteration", and
    then the metrics, or loss, learning rate and what callbacks have measured of the step. What is not finite is null.
    A resumed run goes on with the file, but for lines of epochs that it repeats; another run begins a new one.

    Args:
        path: of the file; its folder is made if it is not there.
        every: write also every so many iterations; 0: epochs alone.
        append: True to go on with a file whatever the run, False to begin anew always.

    Raises:
        OutputError: the folder cannot be written; when training begins.

    >>> import json, pathlib, tempfile, trainkit as tk
    >>> path = pathlib.Path(tempfile.mkdtemp(), "log.jsonl")
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
    >>> history = trainer.fit(tk.ones(4, 1), tk.ones(4, 1), callbacks=[JSONLinesLogger(path, every=1)], verbose=0)
    >>> [(line["event"], line["iteration"]) for line in map(json.loads, path.read_text().splitlines())]
    [('step', 1), ('epoch', 1)]
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 0, append: bool | str = "auto") -> None:
        super().__init__(path, append)
        if every < 0:
            raise ArgumentError(f"every must be at least 0, got {every!r}")
        self.every = every
        self._file: Any = None
        self._whole = 0  # bytes of complete lines
        self._pending = b""

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and the steps if they are wanted."""
        super().attach(engine, evaluator)
        if self.every:
            event = Events.ITERATION_COMPLETED(every=self.every)
            engine.add_event_handler(event, self._write_step, priority=self.priority)

    def on_train_begin(self) -> None:
        """Leave in the file what belongs to this run."""
        super().on_train_begin()
        self.on_train_end()
        last, kept = self.epochs_to_keep(), b""
        if last and self.path.is_file():
            kept = b"".join(line for line in self.path.read_bytes().splitlines(keepends=True) if _is_kept(line, last))
        write_atomically(self.path, kept)
        self._whole, self._pending = len(kept), b""

    def on_epoch_end(self) -> None:
        """Write the line of the epoch."""
        self._write("epoch", self.state.metrics)

    def on_train_end(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_step(self) -> None:
        trainer = self.trainer
        rate = {} if trainer is None else {"lr": trainer.optimizer.param_groups[0]["lr"]}
        self._write("step", {"loss": loss_of(self.state), **rate, **batch_values(self.state)})

    def _write(self, event: str, values: dict[str, Any]) -> None:
        state = self.state
        line = {"event": event, "time": round(time.time(), 3), "epoch": state.epoch, "iteration": state.iteration}
        self._pending += json.dumps(_finite(plain({**line, **values}))).encode() + b"\n"
        try:
            if self._file is None:  # a run that goes on after on_train_end
                self._file = self.path.open("r+b", buffering=0)
            self._file.seek(self._whole)
            written = 0
            while written < len(self._pending):
                written += self._file.write(self._pending[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._whole)  # no part of a line stays
            self.warn(error)
            return
        self._whole += written
        self._pending = b""


def _epochs_done(state: State) -> int:
    """Return how many epochs a run has behind it when it begins: 0, or those before it was resumed."""
    return state.iteration // state.epoch_length if state.epoch_length else state.epoch


def _is_kept(line: bytes, last: float) -> bool:
    """Tell whether a line is whole, and of an epoch that is not repeated."""
    try:
        return line.endswith(b"\n") and json.loads(line)["epoch"] <= last
    except (ValueError, KeyError, TypeError):
        return False


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
