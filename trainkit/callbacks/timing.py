"""The time that a run takes, and how much of it it may take."""

import logging
from datetime import timedelta
from time import perf_counter
from typing import Any

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.values import example_count
from trainkit.engine import Engine, Events, Priority
from trainkit.errors import ArgumentError

__all__ = ["ThroughputMonitor", "TimeLimit", "Timer"]

_log = logging.getLogger("trainkit.callbacks")


class Timer(Callback):
    """Measure where the time of each epoch goes: fetching batches, computing, validation, the rest.

    The rest is what handlers of the batches take, those of callbacks and metrics among them.

    Attributes:
        epochs: a dict for each epoch, of "epoch", "batches", and seconds: "seconds", of all of it up to the end of the
            validation, "fetching", "computing", "slowest_batch" and "validation".

    >>> import trainkit as tk
    >>> timer = Timer()
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[timer])
    >>> history = trainer.fit(tk.ones(4, 1), tk.ones(4, 1), batch_size=2, epochs=2, verbose=0)
    >>> [epoch["batches"] for epoch in timer.epochs]
    [2, 2]
    >>> timer  # doctest: +ELLIPSIS
    Timer(2 epochs of ... s: ... % fetching, ... % computing, ... % validation)
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, Any]] = []
        self._begun = self._fetch = self._batch = 0.0
        self._fetching = self._computing = self._slowest = self._validation = 0.0
        self._batches = 0

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, as close to the loop's own work as there is a place."""
        super().attach(engine, evaluator)
        first, last = Priority.METRICS - 1, Priority.CHECKPOINTS + 1
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._fetch_begins, priority=last)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._fetch_ends, priority=first)
        engine.add_event_handler(Events.ITERATION_STARTED, self._batch_begins, priority=last)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._batch_ends, priority=first)

    def on_train_begin(self) -> None:
        """Begin anew."""
        self.epochs = []

    def on_epoch_begin(self) -> None:
        """Begin to measure."""
        self._begun = perf_counter()
        self._fetching = self._computing = self._slowest = self._validation = 0.0
        self._batches = 0

    def on_valid_begin(self) -> None:
        """Begin to measure the validation."""
        self._validation -= perf_counter()

    def on_valid_end(self) -> None:
        """Add up the validation."""
        self._validation += perf_counter()

    def on_epoch_end(self) -> None:
        """Write the epoch down."""
        self.epochs.append(
            {
                "epoch": self.state.epoch,
                "batches": self._batches,
                "seconds": perf_counter() - self._begun,
                "fetching": self._fetching,
                "computing": self._computing,
                "slowest_batch": self._slowest,
                "validation": self._validation,
            }
        )

    def _fetch_begins(self) -> None:
        self._fetch = perf_counter()

    def _fetch_ends(self) -> None:
        self._fetching += perf_counter() - self._fetch

    def _batch_begins(self) -> None:
        self._batch = perf_counter()

    def _batch_ends(self) -> None:
        took = perf_counter() - self._batch
        self._computing += took
        self._batches += 1
        if took > self._slowest:
            self._slowest = took

    def __repr__(self) -> str:
        total = sum(epoch["seconds"] for epoch in self.epochs)
        parts = ("fetching", "computing", "validation")
        shares = [f"{100 * sum(epoch[part] for epoch in self.epochs) / (total or 1):.0f} % {part}" for part in parts]
        count = len(self.epochs)
        return f"Timer({count} epoch{'s' * (count != 1)} of {total:.4g} s: {', '.join(shares)})"


class TimeLimit(Callback):
    """End the run when it has lasted too long: after the batch, or after the epoch, in which the time is up.

    It ends as every run that is terminated: what else there is to do at its end is done. An epoch that ends amid its
    batches has no validation and no row in the history.

    Args:
        limit: seconds, or a timedelta; they begin when training begins.
        per: "batch" or "epoch".

    Attributes:
        stopped: whether it ended the run.

    Raises:
        ArgumentError: an option is none of these.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
    >>> limit = TimeLimit(1e-9, per="epoch")
    >>> len(trainer.fit(tk.ones(4, 1), tk.ones(4, 1), epochs=9, callbacks=[limit], verbose=0))
    1
    """

    def __init__(self, limit: float | timedelta, per: str = "batch") -> None:
        seconds = limit.total_seconds() if isinstance(limit, timedelta) else limit
        if not seconds > 0:
            raise ArgumentError(f"the limit must be more than 0 seconds, got {limit!r}")
        if per not in ("batch", "epoch"):
            raise ArgumentError(f"per must be 'batch' or 'epoch', got {per!r}")
        self.seconds, self.per = float(seconds), per
        self.stopped = False
        self._end = 0.0

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and the end of a batch if it counts."""
        super().attach(engine, evaluator)
        if self.per == "batch":
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.on_epoch_end, priority=self.priority)

    def on_train_begin(self) -> None:
        """Begin to count."""
        self.stopped = False
        self._end = perf_counter() + self.seconds

    def on_epoch_end(self) -> None:
        """Stop, if the time is up."""
        if perf_counter() >= self._end and not self.stopped:
            self.stopped = True
            _log.info("the run has lasted %g seconds: it ends in epoch %d", self.seconds, self.state.epoch)
            self.engine.terminate()


class ThroughputMonitor(Callback):
    """Write how many examples an epoch went through in a second, its validation left aside, into the metrics.

    Args:
        name: of the value.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse", callbacks=[ThroughputMonitor()])
    >>> trainer.fit(tk.ones(4, 1), tk.ones(4, 1), verbose=0)[-1]["examples_per_second"] > 0
    True
    """

    def __init__(self, name: str = "examples_per_second") -> None:
        self.name = name
        self.provides = [name]
        self._begun = self._ended = 0.0
        self._examples = 0

    def on_epoch_begin(self) -> None:
        """Begin to count."""
        self._begun = self._ended = perf_counter()
        self._examples = 0

    def on_train_batch_end(self) -> None:
        """Count the examples of the batch."""
        self._examples += example_count(self.engine)
        self._ended = perf_counter()

    def on_epoch_end(self) -> None:
        """Write the value."""
        self.state.metrics[self.name] = self._examples / max(self._ended - self._begun, 1e-9)
