"""What a run shows while it is under way: a bar on a terminal and in a notebook, a line now and then in a file."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TextIO

from trainkit.callbacks.callback import Callback
from trainkit.callbacks.terminal import bar_class, in_notebook, is_terminal, width_of, write
from trainkit.callbacks.values import number, short
from trainkit.engine import Engine, Events, Priority, Span
from trainkit.errors import ArgumentError, TrainkitError

__all__ = ["ProgressBar"]

# Without the rate, which the table tells as seconds: a bar and two metrics fit into 80 columns.
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
_FORMAT_WITHOUT_END = "{desc} {n_fmt} batches [{elapsed}{postfix}]"
_BAR = 10  # columns that are kept for the bar itself
_TITLES = {"valid": "valid", "test": "evaluate", "predict": "predict"}
_SHARE = 20  # drawing takes at most a twentieth of the time, whatever the metrics cost


@dataclass
class _Loop:
    """A loop that is shown: an epoch, or what evaluates within or without one."""

    title: str
    engine: Engine
    figures: Callable[[], Mapping[str, Any]]
    begun: float
    bar: Any = None


class ProgressBar(Callback):
    """Show how far an epoch is, how long it still takes, and its metrics so far; a validation gets a line below.

    On a terminal and in a notebook it is a bar that goes when the epoch ends. In a file or a pipe it is a line at most
    every `line_interval` seconds, so that short epochs write none. Given to a Trainer, or to `evaluate` and `predict`,
    it shows those too.

    Args:
        file: where to draw; standard error if None.
        interval: seconds between two drawings; 0 draws every step.
        line_interval: seconds between two lines where the file is no terminal; 0 writes every step.

    Raises:
        ArgumentError: an interval is less than 0.

    >>> import sys, trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(1, 1), "sgd", "mse")
    >>> bar = ProgressBar(sys.stdout, line_interval=0)
    >>> found = trainer.evaluate(tk.ones(4, 1), tk.ones(4, 1), callbacks=[bar])  # doctest: +ELLIPSIS
    evaluate: 1 of 1 batches (100 %), 00:00 gone, 00:00 to go, loss ...
    """

    priority = Priority.LOGGERS

    def __init__(self, file: TextIO | None = None, interval: float = 0.1, line_interval: float = 30.0) -> None:
        if not interval >= 0 or not line_interval >= 0:
            raise ArgumentError(f"intervals must be at least 0 seconds, got {interval!r} and {line_interval!r}")
        self.file, self.interval, self.line_interval = file, interval, line_interval
        self._loops: list[_Loop] = []  # an outer one before those within
        self._draws = False
        self._due = math.inf

    def attach(self, engine: Engine, evaluator: Engine | None = None) -> None:
        """Register the hooks, and what closes a bar before others write at the end of an epoch."""
        super().attach(engine, evaluator)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._close_all, priority=Priority.VALIDATION + 1)
        if evaluator is not None:
            evaluator.add_event_handler(Span.RUN, self._around_evaluation, priority=self.priority)
            evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._after_batch, priority=self.priority)

    def around_train(self) -> Iterator[None]:
        """See that no bar is left, however the run ends."""
        self._due = 0.0  # a run that goes on amid an epoch, which does not begin again, shows it at its next batch
        try:
            yield
        finally:
            self._close_all()

    def on_epoch_begin(self) -> None:
        """Draw an empty bar."""
        self._close_all()
        self._open_epoch()

    def _open_epoch(self) -> None:
        state, trainer = self.state, self.trainer
        title = f"Epoch {state.epoch}" + (f"/{state.max_epochs}" if state.max_epochs else "")
        figures = (lambda: state.metrics) if trainer is None else trainer.running_metrics
        self._open(_Loop(title, self.engine, figures, perf_counter()))
        if self._draws:
            self._draw(self._loops[0], self.engine.position.batch, {})

    def on_train_batch_end(self) -> None:
        """Move the bar, if it is time: nothing is formatted more often than it is drawn."""
        if perf_counter() >= self._due:
            self._show()

    def _after_batch(self) -> None:
        if perf_counter() >= self._due:
            self._show()

    def _around_evaluation(self, engine: Engine) -> Iterator[None]:
        stage = getattr(engine.state, "stage", "test")
        metrics = getattr(self.trainer, "valid_metrics", None)
        figures = dict if stage == "predict" or metrics is None else metrics.compute
        outer = self._loops[-1] if self._loops else None
        if outer is not None and self._draws:
            self._draw(outer, outer.engine.position.batch, _figures(outer))
        level = len(self._loops)
        title = _TITLES[stage] if outer is None else _TITLES[stage].rjust(len(outer.title))
        self._open(_Loop(title, engine, figures, perf_counter()))
        try:
            yield
        finally:
            self._close(level)

    # ---- the loops ----

    def _open(self, loop: _Loop) -> None:
        first = not self._loops
        self._loops.append(loop)
        self._draws = in_notebook() or is_terminal(self._output())
        if self._draws or first:  # lines keep their distance over an epoch and its validation
            self._due = perf_counter() + (self.interval if self._draws else self.line_interval)

    def _close_all(self) -> None:
        self._close(0)

    def _close(self, level: int) -> None:
        while len(self._loops) > level:
            bar = self._loops.pop().bar
            if bar is not None:
                bar.close()
        if not self._loops:
            self._due = math.inf

    def _output(self) -> Any:
        return sys.stderr if self.file is None else self.file

    def _show(self) -> None:
        if not self._loops:
            self._open_epoch()
            return
        began, loop = perf_counter(), self._loops[-1]
        (self._draw if self._draws else self._write)(loop, loop.engine.position.batch, _figures(loop))
        interval = self.interval if self._draws else self.line_interval
        ended = perf_counter()
        self._due = ended + (max(interval, _SHARE * (ended - began)) if interval else 0)

    def _draw(self, loop: _Loop, done: int, figures: dict[str, str]) -> None:
        length, columns = loop.engine.state.epoch_length, None if in_notebook() else width_of(self._output())
        if loop.bar is None:
            loop.bar = bar_class()(
                total=length,
                desc=loop.title,
                file=self.file,
                leave=False,
                ncols=columns,
                dynamic_ncols=columns is None,
                bar_format=_FORMAT_WITHOUT_END if length is None else _FORMAT,
                mininterval=0,
                miniters=1,
            )
            loop.bar.start_t = loop.bar.start_t - (perf_counter() - loop.begun)
        if columns is not None:
            loop.bar.ncols = columns
        if figures:
            loop.bar.set_postfix_str(_fitting(figures, loop.title, length or done, columns), refresh=False)
        if done > loop.bar.n:
            loop.bar.update(done - loop.bar.n)
        elif figures:
            loop.bar.refresh()

    def _write(self, loop: _Loop, done: int, figures: dict[str, str]) -> None:
        length, gone = loop.engine.state.epoch_length, perf_counter() - loop.begun
        parts = [f"{done} batches", f"{_clock(gone)} gone"]
        if length is not None:
            parts[0] = f"{done} of {length} batches ({100 * done // length} %)"
            parts.append(f"{_clock(gone * (length - done) / max(done, 1))} to go")
        parts += [f"{name} {text}" for name, text in figures.items()]
        write(f"{loop.title.strip()}: {', '.join(parts)}", self._output())


def _figures(loop: _Loop) -> dict[str, str]:
    """Return the metrics so far as text; one that cannot be computed yet is no reason to stop, nor to warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = {name: number(value) for name, value in loop.figures().items()}
        except (TrainkitError, ValueError, ArithmeticError):
            return {}
    return {name: short(value) for name, value in values.items() if value is not None}


def _fitting(figures: dict[str, str], title: str, length: int, columns: int | None) -> str:
    """Join as many of the figures as there is room for beside a bar."""
    texts = [f"{name}={text}" for name, text in figures.items()]
    if columns is None:
        return ", ".join(texts)
    room = columns - len(title) - len(f" 100%|| {length}/{length} [00:00<00:00]") - _BAR
    shown = ""
    for text in texts:
        if len(shown) + len(text) + 2 > room:
            break
        shown += f", {text}"
    return shown[2:]


def _clock(seconds: float) -> str:
    return str(bar_class().format_interval(seconds))
