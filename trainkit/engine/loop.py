"""The loop over epochs and batches: what it fires, how it is stopped, and where it goes on."""

from __future__ import annotations

import logging
import warnings
import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any

from trainkit.engine.events import EngineError, Events, name_of
from trainkit.engine.feed import Feed
from trainkit.engine.spans import Span, within
from trainkit.engine.state import is_done
from trainkit.engine.status import Move, Position, Status, after
from trainkit.errors import ArgumentError

__all__ = ["Loop"]

_END = object()  # what exhausted data give
_ITERATION: tuple[str, ...] = (
    Events.GET_BATCH_STARTED,
    Events.GET_BATCH_COMPLETED,
    Events.ITERATION_STARTED,
    Events.ITERATION_COMPLETED,
)
_ENDING: tuple[str, ...] = (Events.TERMINATE, Events.COMPLETED)
# Where a run goes on that Ctrl-C stopped amid an iteration, by how many of the events it had behind it: a batch is
# fetched anew, or processed if it was not begun; one that was begun counts as done.
_NEXT_BATCH: tuple[str, ...] = (
    Events.EPOCH_STARTED,
    Events.EPOCH_STARTED,
    Events.GET_BATCH_COMPLETED,
    Events.ITERATION_COMPLETED,
    Events.ITERATION_COMPLETED,
)


class Loop(Feed):
    """An engine that runs, without what its user tells it."""

    def __init__(self, process_function: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        # The engine's own method is held weakly, or the engine would hold itself alive.
        own = getattr(process_function, "__self__", None) is self
        self._process_function = weakref.WeakMethod(process_function) if own else process_function
        self.logger = logging.getLogger("trainkit.engine")
        self.should_terminate: bool | str = False
        self.should_terminate_single_epoch: bool | str = False
        self.should_interrupt = False

        self._status = Status.IDLE
        self._stop = False  # whether any of these three is set: the one flag that the loop looks at
        self._reached: str = Events.STARTED  # the event behind which a run would go on that is stopped now
        self._resume_after: str | None = None  # and the one behind which it does: it was interrupted
        self._reported = False  # whether the error on its way out has been through EXCEPTION_RAISED
        self._halted = False  # whether a Ctrl-C on its way out has been through INTERRUPT
        self._counter_from_state = False  # whether the first epoch goes on where the state stands

    def _move(self, move: Move) -> None:
        self._status = after(self._status, move)

    # ---- the run ----

    def _run(self, after: str | None) -> None:
        """From STARTED, or from behind the event `after`, to COMPLETED or the next interrupt."""
        times, name, start = self.state.times, Events.COMPLETED.name, perf_counter()
        leaves = False
        if after is None:
            self.should_terminate = self.should_terminate_single_epoch = self.should_interrupt = self._stop = False
            times[name] = 0.0
            self._reached = Events.STARTED
            self._fire(self._slots[Events.STARTED])
            leaves = self._stop and self._leaves(Events.STARTED)
        before = times[name]
        if not leaves and after not in _ENDING:
            within(self, self._spans[Span.RUN], self._run_epochs, after)
        times[name] = before + perf_counter() - start
        if self._resume_after is None:
            self._complete(after)
            times[name] = before + perf_counter() - start

    def _complete(self, after: str | None) -> None:
        """Fire what ends a run, as far as it lies behind the event `after`."""
        if self.should_terminate and after not in _ENDING:
            self._reached = Events.TERMINATE
            self._fire(self._slots[Events.TERMINATE])
        if self.should_terminate != "skip_completed" and after != Events.COMPLETED:
            self._reached = Events.COMPLETED
            self._fire(self._slots[Events.COMPLETED])
        self._move(Move.FINISH)

    def _run_epochs(self, after: str | None) -> None:
        state, times, name = self.state, self.state.times, Events.EPOCH_COMPLETED.name
        inside = after == Events.EPOCH_STARTED or after in _ITERATION
        try:
            while inside or not (is_done(state) or self.should_terminate):
                start = perf_counter()
                self._move(Move.ENTER)
                if not inside:
                    state.epoch += 1
                    self._counter = 0
                    times[name] = 0.0
                    self._reached = Events.EPOCH_STARTED
                    self._fire(self._slots[Events.EPOCH_STARTED])
                    if self._stop and self._leaves(Events.EPOCH_STARTED):
                        return
                if self._iterator is None:
                    self._start_data()
                    if self._counter_from_state:
                        self._counter = state.iteration % (state.epoch_length or state.iteration + 1)
                self._counter_from_state = False
                before = times[name]
                leaves = within(self, self._spans[Span.EPOCH], self._run_batches, after if inside else None)
                times[name] = before + perf_counter() - start
                if leaves or self._resume_after is not None:  # interrupted: also where a span has ended a Ctrl-C
                    return
                self._move(Move.LEAVE)
                self._reached = Events.EPOCH_COMPLETED
                if self.should_terminate_single_epoch != "skip_epoch_completed":
                    self._fire(self._slots[Events.EPOCH_COMPLETED])
                    times[name] = before + perf_counter() - start
                self.should_terminate_single_epoch = inside = False
                self._stop = bool(self.should_terminate) or self.should_interrupt
                if self._stop and self._leaves(Events.EPOCH_COMPLETED):
                    return
        except KeyboardInterrupt as error:
            self._halt(error)
            raise
        finally:
            if self._status is Status.EPOCH:
                self._move(Move.LEAVE)

    def _run_batches(self, after: str | None) -> bool:
        """The inside of one epoch; whether the run is left before EPOCH_COMPLETED."""
        try:
            if not self._iterate(after):
                return False
        except Exception as error:
            if not self._report(error):
                raise
            return self._ends_cleanly()
        if self.should_terminate or self._resume_after is not None:
            return True
        slot = self._slots[Events.TERMINATE_SINGLE_EPOCH]
        slot.named = {"iter_counter": self._counter}
        self._fire(slot)
        self._restart_data()
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
        # How many of its events the iteration has behind it: where an interrupted one goes on, where Ctrl-C stops it.
        reached = _ITERATION.index(after) + 1 if after in _ITERATION else 0
        try:
            while True:
                has_data = state.dataloader is not None
                if reached < 1:
                    state.batch = None
                    if has_data:
                        self.last_event_name = fetching.event
                        if fetching.handlers or always:
                            fire(fetching)
                        if self._stop and self._leaves(fetching.event):
                            return True
                if reached < 2:
                    try:
                        if around_fetch.handlers:
                            state.batch = within(self, around_fetch, next, self._iterator, _END)
                        else:
                            state.batch = next(self._iterator, _END)
                    except BaseException as error:
                        self._note_data(error)
                        raise
                    if state.batch is _END and (leaves := self._end_of_data()) is not None:
                        return leaves
                    reached = 2
                    state.output = None
                    if has_data:
                        self.last_event_name = fetched.event
                        if fetched.handlers or always:
                            fire(fetched)
                        if self._stop and self._leaves(fetched.event):
                            return True
                if reached < 3:
                    self._counter += 1
                    state.iteration += 1
                    reached = 3
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
                length = state.epoch_length
                if length is not None and self._counter >= length:
                    self._reached = Events.ITERATION_COMPLETED
                    return False
                if state.max_iters is not None and state.iteration >= state.max_iters:
                    self.should_terminate = self._stop = True
                    self._reached = Events.ITERATION_COMPLETED
                    return True
                reached = 0
        except KeyboardInterrupt as error:
            self._reached = _NEXT_BATCH[reached]
            self._halt(error)
            raise

    def _process(self, process: Callable[[Any, Any], Any]) -> Any:
        try:
            return process(self, self.state.batch)
        except BaseException as error:
            self._note(error, f"process function {name_of(process)!r}")
            raise

    def _end_of_data(self) -> bool | None:
        """Start the data again: None, and a first batch; or what `_iterate` is to return."""
        state = self.state
        state.batch = None
        if state.epoch_length is None:
            if not self._counter:
                raise ArgumentError("run expected data with at least one batch, got none; check the data")
            state.epoch_length = self._counter
            self._reached = Events.ITERATION_COMPLETED
            return False
        exhausted = self._iterator
        self._fire(self._slots[Events.DATALOADER_STOP_ITERATION])
        replaced = self._iterator is not exhausted  # a handler has set other data
        if self._stop and self._leaves(Events.GET_BATCH_STARTED):
            if not replaced:
                self._close_data()
            return True
        if not replaced:
            self._restart_data()
        try:
            state.batch = within(self, self._spans[Span.BATCH_FETCH], next, self._iterator, _END)
        except BaseException as error:
            self._note_data(error)
            raise
        if state.batch is not _END:
            return None
        state.batch = None
        warnings.warn(
            f"the data ended at iteration {state.iteration} and cannot be started again, before "
            f"max_epochs={state.max_epochs} or max_iters={state.max_iters} was reached (epoch {state.epoch} has "
            f"{self._counter} of {state.epoch_length} batches); give data that can be iterated repeatedly (a list, "
            "a DataLoader), or a smaller number",
            stacklevel=2,
        )
        if state.max_epochs is None:
            self.should_terminate = self._stop = True  # or there would be empty epochs for ever
        self._reached = Events.ITERATION_COMPLETED
        return bool(self.should_terminate)

    # ---- stops and errors ----

    def _leaves(self, event: str) -> bool:
        """Whether the run stops after `event`: asked only when the stop flag is up."""
        self._reached = event
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
        self._resume_after = event
        self._move(Move.INTERRUPT)
        self._fire(self._slots[Events.INTERRUPT])
        self.should_interrupt = False
        self._stop = bool(self.should_terminate or self.should_terminate_single_epoch)
        return True

    def _halt(self, error: KeyboardInterrupt) -> None:
        """Ctrl-C: keep the place, and call the handlers of INTERRUPT, once, before any span is closed."""
        again = self._halted or self._status is Status.INTERRUPTED
        if self._halted:
            return
        self._halted, self._resume_after, self.should_interrupt = True, self._reached, False
        if self._reached == Events.EPOCH_COMPLETED:
            self.should_terminate_single_epoch = False
        self._stop = bool(self.should_terminate or self.should_terminate_single_epoch)
        if getattr(self._iterator, "gi_frame", self) is None:
            self._iterator = None  # a generator that was stopped is at its end: the data start again
        if again:  # it came while the handlers of INTERRUPT ran: stop at once
            self._reported = True
            return
        self._move(Move.INTERRUPT)
        try:
            self._fire(self._slots[Events.INTERRUPT])
        except KeyboardInterrupt:
            self._reported = True  # the second stops at once: EXCEPTION_RAISED is not told either
            raise
        except Exception as failure:
            self.logger.error("a handler of INTERRUPT failed", exc_info=failure)
            error.add_note(f"a handler of INTERRUPT failed: {failure!r}")
        finally:
            del error  # or this frame, in the traceback of a second, would hold it

    def _settle(self, error: BaseException) -> bool:
        """What an error does that leaves the run; whether it ends there, or else is to be raised again."""
        try:
            suppressed = not self._reported and self._report(error)
            if self._halted and not (suppressed and self.should_terminate):
                if not suppressed and self.state.parent is None:
                    error.add_note(self._last_line())
                return suppressed  # interrupted, in its place
            self._resume_after = None
            if suppressed:
                self.should_terminate = self.should_terminate or True
                self._complete(self._reached)  # of which some may have been fired already
            return suppressed
        except BaseException:
            self._resume_after = None
            raise
        finally:
            if self._resume_after is None and self._status is not Status.DONE:
                self._move(Move.FAIL)
            del error

    def _last_line(self) -> str:
        length = self.state.epoch_length
        return (
            f"stopped in epoch {self.state.epoch} at iteration {self.state.iteration}, batch {self._counter}"
            f"{'' if length is None else f' of {length}'}; engine.run() goes on with the next batch, "
            "engine.run(data, resume=False) begins anew"
        )

    def _report(self, error: BaseException) -> bool:
        """Hand an error to the handlers of EXCEPTION_RAISED; whether one asked to suppress it."""
        slot = self._slots[Events.EXCEPTION_RAISED]
        if not slot.handlers:
            return False
        self.logger.error("the run stops for %s", repr(error))
        idle, slot.arguments, self._reported = slot.arguments, (error,), True
        stopped, self._stop, self._suppressed = self._stop, False, False
        try:
            self._fire(slot)
            if not self._suppressed and not self._stop:
                return False
        finally:
            self._stop = self._stop or stopped
            slot.arguments = idle
            del error  # or this frame, in the traceback of the error, would hold it
        self._reported = False
        return True

    def _ends_cleanly(self) -> bool:
        """Let a suppressed error end the run as terminate() does; otherwise its handler asked for a stop itself."""
        if self._suppressed:
            self.should_terminate = self.should_terminate or True
            self._stop = True
        return self._suppressed

    @property
    def status(self) -> Status:
        """What the engine is doing: idle, running, in an epoch, interrupted, or done."""
        return self._status

    @property
    def position(self) -> Position:
        """The epoch, and how many of its batches have been begun."""
        return Position(self.state.epoch, self._counter)
