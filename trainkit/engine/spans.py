"""Handlers that live across a whole stage of a run: generator functions that yield while the stage runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any

from trainkit.engine.events import EngineError, EventEnum, Handler, HandlerList, name_of

__all__ = ["OpenSpan", "Span", "within"]


class Span(EventEnum):
    """The stages of a run. Each lies between the handlers of its first event and those of its last.

    RUN: STARTED to TERMINATE or COMPLETED; EPOCH: EPOCH_STARTED to EPOCH_COMPLETED; BATCH_FETCH:
    GET_BATCH_STARTED to GET_BATCH_COMPLETED; ITERATION: ITERATION_STARTED to ITERATION_COMPLETED, that is the
    call of the process function. So what a span writes into `state.metrics` is there for the loggers of the
    last event. Spans of one stage nest in their order; `terminate` and `interrupt` end a stage as its last
    event would, and a resumed run opens its spans anew.

    Example:
        >>> from trainkit.engine import Engine
        >>> engine = Engine(lambda engine, batch: print("epoch", engine.state.epoch, "batch", batch))
        >>> @engine.during(Span.EPOCH)
        ... def bracket(engine):
        ...     print("open")
        ...     yield
        ...     print("close")
        >>> state = engine.run("ab")
        open
        epoch 1 batch a
        epoch 1 batch b
        close
    """

    RUN = "around_run"
    EPOCH = "around_epoch"
    BATCH_FETCH = "around_batch_fetch"
    ITERATION = "around_iteration"


class OpenSpan:
    """One running span as a context manager: up to its `yield` on entry, past it on exit.

    An error inside the block is thrown in at the `yield`; a generator that catches it ends it.

    Raises:
        EngineError: the generator did not yield exactly once.
    """

    __slots__ = ("_generator", "_handler", "_stage")

    def __init__(self, stage: str, handler: Handler, engine: object) -> None:
        leading = (engine,) * handler.leading
        self._stage = stage
        self._handler = handler
        self._generator: Generator[Any, Any, Any] = handler.function(*leading, *handler.args, **handler.kwargs)

    def __enter__(self) -> None:
        try:
            next(self._generator)
        except StopIteration:
            raise self._error("ended without a yield") from None
        except BaseException as error:
            error.add_note(f"in {self._where()}")
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            if error is None:
                next(self._generator)
            else:
                self._generator.throw(error)
        except StopIteration as end:
            # The generator ended, and with it the error; or it let a StopIteration of the stage through.
            return end is not error
        except BaseException as raised:
            if raised is error or (isinstance(error, StopIteration) and raised.__cause__ is error):
                error.__traceback__ = traceback
                return False
            raised.add_note(f"in {self._where()}")
            raise
        finally:
            error = traceback = None  # or this frame and the error would hold each other
        self._generator.close()
        raise self._error("yielded a second time")

    def _where(self) -> str:
        return f"span {name_of(self._handler.function)!r} of {self._stage!r}"

    def _error(self, what: str) -> EngineError:
        return EngineError(f"{self._where()} {what}; a span yields exactly once, where its stage runs")


def within(engine: Any, slot: HandlerList, function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` with the spans of a stage open around it; None where a span ends its error."""
    return _nest(engine, slot, list(slot.handlers), function, args)


def _nest(
    engine: Any, slot: HandlerList, handlers: list[Handler], function: Callable[..., Any], args: tuple[Any, ...]
) -> Any:
    # Not an ExitStack: its frame would hold an error that a span raises, and the error the frame.
    for index, handler in enumerate(handlers):
        if handler.rule is None or handler.rule.accepts(engine, getattr(engine.state, slot.counter)):
            with OpenSpan(slot.event, handler, engine):
                return _nest(engine, slot, handlers[index + 1 :], function, args)
            return None  # the span has ended the error
    return function(*args)
