"""One loop over epochs and batches, and the handlers it calls on its way."""

from __future__ import annotations

import itertools
import logging
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from trainkit.engine.events import EngineError, Events, name_of, takes
from trainkit.engine.registry import HandlerRegistry
from trainkit.engine.spans import Span, within
from trainkit.engine.state import State, begin, dump, is_done, load
from trainkit.errors import ArgumentError

__all__ = ["Engine"]

_END = object()  # what exhausted data give
_ITERATION: tuple[str, ...] = (
    Events.GET_BATCH_STARTED,
    Events.GET_BATCH_COMPLETED,
    Events.ITERATION_STARTED,
    Events.ITERATION_COMPLETED,
)


class Engine(HandlerRegistry):
    """Calls `process_function(engine, batch)` on each batch of the data and fires events on its way.

    A subclass may override `_fire_event(event)`, or else `fire_event(event)`, to see all that is fired.

    Raises:
        ArgumentError: `process_function` does not take an engine and a batch.

    Example:
        >>> engine = Engine(lambda engine, batch: 2 * batch)
        >>> @engine.on(Events.ITERATION_COMPLETED(every=2))
        ... def log(engine):
        ...     print(engine.state.iteration, engine.state.output)
        >>> state = engine.run([1, 2, 3], max_epochs=2)
        2 4
        4 2
        6 6
    """

    def __init__(self, process_function: Callable[[Any, Any], Any]) -> None:
        if not callable(process_function) or not takes(process_function, (self, None), {}):
            raise ArgumentError(
                f"process_function expected a callable taking (engine, batch), got {process_function!r}"
            )
        super().__init__()
        # The engine's own method is held weakly, or the engine would hold itself alive.
        own = getattr(process_function, "__self__", None) is self
        self._process_function = weakref.WeakMethod(process_function) if own else process_function
        self.logger = logging.getLogger("trainkit.engine")
        self.state_dict_user_keys: list[str] = []
        self.should_terminate: bool | str = False
        self.should_terminate_single_epoch: bool | str = False
        self.should_interrupt = False

        self._stop = False  # whether any of these three is set: the one flag that the loop looks at
        self._running = False
        self._reported = False  # whether the error on its way out has been through EXCEPTION_RAISED
        self._resume_after: str | None = None  # the event at which the run was interrupted
        self._iterator: Any = None  # over the data, from the first epoch to the end of the run
        self._counter = 0  # iterations done in this epoch
        self._counter_from_state = False  # whether the first epoch goes on where the state stands

    # ---- the run ----

    def run(
        self,
        data: Iterable[Any] | None = None,
        max_epochs: int | None = None,
        max_iters: int | None = None,
        epoch_length: int | None = None,
    ) -> State:
        """Run over `data` for `max_epochs` epochs (default 1) or `max_iters` iterations.

        Without data every batch is None and `epoch_length` is needed; by default it is `len(data)`, or else
        the number of batches after which the data first end. An interrupted run goes on where it stopped;
        one that was terminated, failed, loaded or given a higher limit goes on with the next epoch; a
        finished one begins anew.

        Raises:
            ArgumentError: the arguments do not fit each other, the data or the state.
            EngineError: the engine is running already.

        Example:
            >>> Engine(lambda engine, batch: batch).run(max_iters=5, epoch_length=2).epoch
            3
        """
        if self._running:
            raise EngineError("run() was called from inside the run of the same engine; use another Engine")
        interrupted = self._resume_after is not None
        if begin(self.state, data, max_epochs, max_iters, epoch_length, interrupted):
            self._forget_interrupt()
            interrupted, self._counter, self._counter_from_state = False, 0, True
        elif not interrupted:
            self._counter, self._counter_from_state = 0, not self.should_terminate
        if self._iterator is None and (data is not None or not interrupted):
            self.state.dataloader = data
        self._find_overrides()
        after, self._resume_after = self._resume_after, None
        self._reported, self._running = False, True
        try:
            self._run(after)
        except BaseException as error:
            self._resume_after = None
            if self._reported or not self._report(error):
                raise
        finally:
            self._running = False
            if self._resume_after is None:
                self._iterator = None
        return self.state

    def _run(self, after: str | None) -> None:
        """From STARTED, or from behind the event `after`, to COMPLETED or the next interrupt."""
        times, name, start = self.state.times, Events.COMPLETED.name, perf_counter()
        leaves = False
        if after is None:
            self.should_terminate = self.should_terminate_single_epoch = self.should_interrupt = self._stop = False
            times[name] = 0.0
            self._fire(self._slots[Events.STARTED])
            leaves = self._stop and self._leaves(Events.STARTED)
        before = times[name]
        if not leaves:
            within(self, self._spans[Span.RUN], self._run_epochs, after)
        times[name] = before + perf_counter() - start
        if self._resume_after is not None:
            return
        if self.should_terminate:
            self._fire(self._slots[Events.TERMINATE])
        if self.should_terminate != "skip_completed":
            self._fire(self._slots[Events.COMPLETED])
            times[name] = before + perf_counter() - start

    def _run_epochs(self, after: str | None) -> None:
        state, times, name = self.state, self.state.times, Events.EPOCH_COMPLETED.name
        inside = after == Events.EPOCH_STARTED or after in _ITERATION
        while inside or not (is_done(state) or self.should_terminate):
            start = perf_counter()
            if not inside:
                state.epoch += 1
                times[name] = 0.0
                self._fire(self._slots[Events.EPOCH_STARTED])
                if self._stop and self._leaves(Events.EPOCH_STARTED):
                    return
            if self._iterator is None:
                self._start_data()
                if self._counter_from_state:
                    self._counter = state.iteration % (state.epoch_length or state.iteration + 1)
            before = times[name]
            leaves = within(self, self._spans[Span.EPOCH], self._run_batches, after if inside else None)
            times[name] = before + perf_counter() - start
            if leaves:
                return
            if self.should_terminate_single_epoch != "skip_epoch_completed":
                self._fire(self._slots[Events.EPOCH_COMPLETED])
                times[name] = before + perf_counter() - start
            self.should_terminate_single_epoch = inside = False
            self._stop = bool(self.should_terminate) or self.should_interrupt
            self._counter, self._counter_from_state = 0, False
            if self._stop and self._leaves(Events.EPOCH_COMPLETED):
                return

    def _run_batches(self, after: str | None) -> bool:
        """The inside of one epoch; whether the run is left before EPOCH_COMPLETED."""
        try:
            if not self._iterate(after):
                return False
        except Exception as error:
            if not self._report(error):
                raise
            return False  # ignite's rule: the error ends the epoch, not the run
        if self.should_terminate or self._resume_after is not None:
            return True
        slot = self._slots[Events.TERMINATE_SINGLE_EPOCH]
        slot.named = {"iter_counter": self._counter}
        self._fire(slot)
        self._start_data()
        return False

    def _iterate(self, after: str | None) -> bool:
        """Iterate from behind the event `after` to the end of the epoch, or to a stop: then True."""
        state, spans = self.state, self._spans
        process: Any = self._process_function
        if isinstance(process, weakref.WeakMethod):
            process = process()
        fetching, fetched, started, completed = (self._slots[event] for event in _ITERATION)
        fire = self._fire_overridden if self._overridden else self._dispatch
        always = self._overridden
        around_fetch, around = spans[Span.BATCH_FETCH], spans[Span.ITERATION]
        # How many of its events an interrupted iteration has behind it; 0 in all others.
        reached = _ITERATION.index(after) + 1 if after in _ITERATION else 0
        while True:
            if reached < 1:
                state.batch = None
                if state.dataloader is not None:
                    self.last_event_name = fetching.event
                    if fetching.handlers or always:
                        fire(fetching)
                    if self._stop and self._leaves(fetching.event):
                        return True
            if reached < 2:
                if around_fetch.handlers:
                    state.batch = within(self, around_fetch, next, self._iterator, _END)
                else:
                    state.batch = next(self._iterator, _END)
                if state.batch is _END and (leaves := self._end_of_data()) is not None:
                    return leaves
                state.output = None
                if state.dataloader is not None:
                    self.last_event_name = fetched.event
                    if fetched.handlers or always:
                        fire(fetched)
                    if self._stop and self._leaves(fetched.event):
                        return True
            if reached < 3:
                self._counter += 1
                state.iteration += 1
                self.last_event_name = started.event
                if started.handlers or always:
                    fire(started)
                if self._stop and self._leaves(started.event):
                    return True
            if reached < 4:
                if around.handlers:
                    state.output = within(self, around, self._process, process)
                else:
                    try:  # as in _process, without a call
                        state.output = process(self, state.batch)
                    except BaseException as error:
                        self._note(error, f"process function {name_of(process)!r}")
                        raise
                self.last_event_name = completed.event
                if completed.handlers or always:
                    fire(completed)
                if self._stop and self._leaves(completed.event):
                    return True
            reached = 0
            if state.epoch_length is not None and self._counter >= state.epoch_length:
                return False
            if state.max_iters is not None and state.iteration >= state.max_iters:
                self.should_terminate = self._stop = True
                return True

    def _process(self, process: Callable[[Any, Any], Any]) -> Any:
        try:
            return process(self, self.state.batch)
        except BaseException as error:
            self._note(error, f"process function {name_of(process)!r}")
            raise

    def _start_data(self) -> None:
        data = self.state.dataloader
        self._iterator = itertools.repeat(None) if data is None else iter(data)

    def _end_of_data(self) -> bool | None:
        """Start the data again: None, and a first batch; or what `_iterate` is to return."""
        state = self.state
        state.batch = None
        if state.epoch_length is None:
            if not self._counter:
                raise ArgumentError("run expected data with at least one batch, got none; check the data")
            state.epoch_length = self._counter
            return False
        exhausted = self._iterator
        self._fire(self._slots[Events.DATALOADER_STOP_ITERATION])
        self._iterator = None if self._iterator is exhausted else self._iterator  # a handler may have set other data
        if self._stop and self._leaves(Events.GET_BATCH_STARTED):
            return True
        if self._iterator is None:
            self._start_data()
        state.batch = within(self, self._spans[Span.BATCH_FETCH], next, self._iterator, _END)
        if state.batch is not _END:
            return None
        state.batch = None
        warnings.warn(
            f"the data ended at iteration {state.iteration} and cannot be started again, before "
            f"max_epochs={state.max_epochs} or max_iters={state.max_iters} was reached; give data that "
            "can be iterated repeatedly (a list, a DataLoader), or a smaller number",
            stacklevel=2,
        )
        if state.max_epochs is None:
            self.terminate()  # or there would be empty epochs for ever
        return bool(self.should_terminate)

    def _leaves(self, event: str) -> bool:
        """Whether the run stops after `event`: asked only when the stop flag is up."""
        if self.should_terminate:
            return True
        if self.should_terminate_single_epoch:
            if event in (Events.STARTED, Events.EPOCH_STARTED):
                raise EngineError(
                    f"terminate_epoch() was called at {event!r}, before the epoch has begun; call it from "
                    "GET_BATCH_STARTED on, or call terminate()"
                )
            return True
        if not self.should_interrupt:  # somebody took the request back
            self._stop = False
            return False
        self._fire(self._slots[Events.INTERRUPT])
        self.should_interrupt = False
        self._stop = bool(self.should_terminate or self.should_terminate_single_epoch)
        self._resume_after = event
        return True

    def _report(self, error: BaseException) -> bool:
        """Hand an error to the handlers of EXCEPTION_RAISED; whether there are any and none raised."""
        slot = self._slots[Events.EXCEPTION_RAISED]
        if not slot.handlers:
            return False
        self.logger.error("the run stops, at least this epoch, for %s", repr(error))
        idle, slot.arguments, self._reported = slot.arguments, (error,), True
        try:
            self._fire(slot)
        finally:
            slot.arguments = idle
            del error  # or this frame, in the traceback of the error, would hold it
        self._reported = False
        return True

    # ---- what its user tells it ----

    def terminate(self, skip_completed: bool = False) -> None:
        """Stop the run after the event being fired: TERMINATE, then COMPLETED unless `skip_completed`.

        Example:
            >>> engine = Engine(lambda engine, batch: engine.terminate())
            >>> engine.run([1, 2, 3]).iteration
            1
        """
        self.logger.info("terminate() was called: the run stops after the event being fired")
        self.should_terminate = "skip_completed" if skip_completed else True
        self._stop = True

    def terminate_epoch(self, skip_epoch_completed: bool = False) -> None:
        """End the epoch after the event being fired: TERMINATE_SINGLE_EPOCH, then EPOCH_COMPLETED.

        Example:
            >>> engine = Engine(lambda engine, batch: engine.terminate_epoch())
            >>> engine.run([1, 2, 3], max_epochs=2).iteration
            2
        """
        self.logger.info("terminate_epoch() was called: the epoch ends after the event being fired")
        self.should_terminate_single_epoch = "skip_epoch_completed" if skip_epoch_completed else True
        self._stop = True

    def interrupt(self) -> None:
        """Let `run` return after the event being fired, after INTERRUPT; the next `run` goes on from there.

        Example:
            >>> engine = Engine(lambda engine, batch: batch)
            >>> handle = engine.add_event_handler(Events.ITERATION_COMPLETED(once=2), Engine.interrupt)
            >>> engine.run("abc").output, engine.run().output
            ('b', 'c')
        """
        self.logger.info("interrupt() was called: the run stops after the event being fired")
        self.should_interrupt = self._stop = True

    def set_data(self, data: Iterable[Any]) -> None:
        """Take the batches from `data` from the next one on; the epoch's length stays."""
        self.state.dataloader = data
        self._iterator = iter(data)

    def state_dict(self) -> dict[str, Any]:
        """What a run needs to go on: `epoch_length`, `iteration`, its limit, and `state_dict_user_keys`.

        Example:
            >>> engine = Engine(lambda engine, batch: batch)
            >>> state = engine.run([1, 2], max_epochs=3)
            >>> engine.state_dict()
            {'epoch_length': 2, 'iteration': 6, 'max_epochs': 3}
        """
        return dump(self.state, self.state_dict_user_keys)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Set the state from `iteration` or `epoch` (done so far), `epoch_length`, and one limit.

        Raises:
            ArgumentError: a key is missing, superfluous or does not fit.

        Example:
            >>> engine = Engine(lambda engine, batch: batch)
            >>> engine.load_state_dict({"epoch": 3, "max_epochs": 5, "epoch_length": 2})
            >>> engine.state.iteration
            6
        """
        load(self.state, state_dict, self.state_dict_user_keys)
        self._forget_interrupt()

    def _forget_interrupt(self) -> None:
        if self._resume_after is not None:
            self._resume_after = self._iterator = None
