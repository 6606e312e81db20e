"""The engine: what its user tells it, on top of the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trainkit.engine.child import validate
from trainkit.engine.events import Event, Events, Priority, RemovableEventHandle, takes
from trainkit.engine.loop import Loop
from trainkit.engine.state import State, begin, dump, load
from trainkit.engine.status import Move, Status, after
from trainkit.errors import ArgumentError

__all__ = ["Engine"]


class Engine(Loop):
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
        super().__init__(process_function)
        self.state_dict_user_keys: list[str] = []

    # ---- the run ----

    def run(
        self,
        data: Iterable[Any] | None = None,
        max_epochs: int | None = None,
        max_iters: int | None = None,
        epoch_length: int | None = None,
        *,
        resume: bool | str = "auto",
    ) -> State:
        """Run over `data` for `max_epochs` epochs (default 1) or `max_iters` iterations.

        Without data every batch is None and `epoch_length` is needed; by default it is `len(data)`, or else
        the number of batches after which the data first end. An interrupted run goes on where it stopped;
        one that was terminated, failed, loaded or given a higher limit goes on with the next epoch; a
        finished one begins anew: that is `resume="auto"`. True demands something to go on with; False
        begins anew, whatever was before. A line of the log tells which it was.

        After Ctrl-C the handlers of INTERRUPT run, and the error goes on; the next run goes on with the next
        batch.

        Raises:
            ArgumentError: the arguments do not fit each other, the data or the state.
            EngineError: the engine is running already.

        Example:
            >>> engine = Engine(lambda engine, batch: batch)
            >>> engine.run(max_iters=5, epoch_length=2).epoch
            3
            >>> engine.run(max_iters=7, resume=True).epoch
            4
        """
        after(self._status, Move.BEGIN)
        held = self._status is Status.INTERRUPTED
        move = begin(self.state, data, max_epochs, max_iters, epoch_length, held, resume)
        if move is Move.BEGIN:
            self._forget_interrupt()
        if move is not Move.RESUME:
            self._counter, self._counter_from_state = 0, move is Move.BEGIN or not self.should_terminate
        if self._iterator is None and (data is not None or move is not Move.RESUME):
            self.state.dataloader = data
        self.logger.info("%s", self._first_line(move))
        self._find_overrides()
        resume_after, self._resume_after = self._resume_after, None
        self._move(move)
        self._reached = resume_after or Events.STARTED
        self._reported = self._halted = False
        try:
            try:
                self._run(resume_after)
            except KeyboardInterrupt as error:
                self._halt(error)
                raise
        except BaseException as error:
            raised = not self._settle(error)
            if self._resume_after is None:
                self._close_data(error if raised else None)
            if raised:
                raise
        finally:
            if self._resume_after is None:
                self._close_data()
        return self.state

    def _first_line(self, move: Move) -> str:
        state = self.state
        limit = f"max_epochs={state.max_epochs}" if state.max_iters is None else f"max_iters={state.max_iters}"
        how = {
            Move.BEGIN: "a new run begins at epoch 1, iteration 1",
            Move.CONTINUE: f"the run continues at epoch {state.epoch + 1}, iteration {state.iteration + 1}",
            Move.RESUME: f"the interrupted run resumes in epoch {state.epoch}, behind {self._resume_after!r} of "
            f"iteration {state.iteration}",
        }
        return f"{how[move]}, up to {limit}"

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
        self._change_data(data)

    def attach_evaluator(
        self,
        evaluator: Engine,
        data: Iterable[Any] | None,
        every: Event = Events.EPOCH_COMPLETED,
        prefix: str = "val_",
        *,
        epoch_length: int | None = None,
        priority: int = Priority.VALIDATION,
    ) -> RemovableEventHandle:
        """Run `evaluator` over `data` at the event `every`, and take its metrics over under `prefix`.

        It runs behind this engine's own metrics and before plain handlers, loggers and checkpoints of the
        same event, which find `state.metrics["val_..."]`. Meanwhile `evaluator.state.parent` is this engine's
        state, and `state.root` gives its handlers the epoch and the iteration to log under. Its errors and
        Ctrl-C go on here; `interrupt()` on it interrupts this engine, `terminate()` ends the evaluation alone.
        Each evaluation is a new run, so the evaluator serves elsewhere too.

        Raises:
            ArgumentError: the evaluator is no engine, or this one.

        Example:
            >>> evaluator = Engine(lambda engine, batch: batch)
            >>> @evaluator.on(Events.COMPLETED)
            ... def measure(engine):
            ...     engine.state.metrics["last"] = engine.state.output
            ...     print("evaluated after epoch", engine.state.root.epoch)
            >>> trainer = Engine(lambda engine, batch: None)
            >>> handle = trainer.attach_evaluator(evaluator, [1, 2, 3], Events.EPOCH_COMPLETED(every=2))
            >>> trainer.run([0], max_epochs=3).metrics
            evaluated after epoch 2
            {'val_last': 3}
        """
        if not isinstance(evaluator, Engine) or evaluator is self:
            got = "this engine itself" if evaluator is self else f"a {type(evaluator).__name__}"
            raise ArgumentError(f"attach_evaluator expected another Engine, got {got}")
        return self.add_event_handler(every, validate, evaluator, data, prefix, epoch_length, priority=priority)

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
        self._move(Move.LOAD)
        if self._status is Status.IDLE:
            self._counter = self.state.iteration % (self.state.epoch_length or 1)
            self.should_terminate = False  # the epoch goes on where the loaded state stands

    def _abandon(self) -> None:
        """Let the next run begin anew: nobody is going to go on with this one."""
        self.state.max_epochs = self.state.max_iters = None
        self._forget_interrupt()
        self._move(Move.LOAD)

    def _forget_interrupt(self) -> None:
        if self._resume_after is not None:
            self._resume_after = None
            self._close_data()
