"""The states that an engine can be in, the moves between them, and its position in a run."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from trainkit.engine.events import EngineError

__all__ = ["MOVES", "Move", "Position", "Status", "after"]


class Status(StrEnum):
    """What an engine is doing.

    IDLE: nothing; it is new, or a state was loaded, or its run failed. RUNNING: it runs, outside of an epoch. EPOCH:
    it runs, from EPOCH_STARTED to before EPOCH_COMPLETED. INTERRUPTED: its run was left, by `interrupt()` or Ctrl-C,
    at a place that it keeps. DONE: its run came to the end, by its limit or by `terminate()`.

    Example:
        >>> from trainkit.engine import Engine
        >>> engine = Engine(lambda engine, batch: engine.interrupt())
        >>> engine.status
        <Status.IDLE: 'idle'>
        >>> state = engine.run([1, 2])
        >>> engine.status, engine.position
        (<Status.INTERRUPTED: 'interrupted'>, Position(epoch=1, batch=1))
    """

    IDLE = "idle"
    RUNNING = "running"
    EPOCH = "epoch"
    INTERRUPTED = "interrupted"
    DONE = "done"


class Move(StrEnum):
    """What leads from one status to another; the first three are what `run()` may take."""

    BEGIN = "begin"  # anew, from nothing
    CONTINUE = "continue"  # with the next epoch, after a state that was loaded, terminated, failed, or done
    RESUME = "resume"  # behind the event at which the run was interrupted
    ENTER = "enter"  # an epoch
    LEAVE = "leave"  # it
    INTERRUPT = "interrupt"
    FINISH = "finish"  # by the limit, or by terminate()
    FAIL = "fail"
    LOAD = "load"  # a state dict, which forgets an interrupted place


MOVES: Mapping[tuple[Status, Move], Status] = {
    **{(status, Move.BEGIN): Status.RUNNING for status in (Status.IDLE, Status.INTERRUPTED, Status.DONE)},
    **{(status, Move.CONTINUE): Status.RUNNING for status in (Status.IDLE, Status.DONE)},
    (Status.INTERRUPTED, Move.RESUME): Status.RUNNING,
    (Status.RUNNING, Move.ENTER): Status.EPOCH,
    (Status.EPOCH, Move.LEAVE): Status.RUNNING,
    **{(status, Move.INTERRUPT): Status.INTERRUPTED for status in (Status.RUNNING, Status.EPOCH)},
    **{(status, Move.FINISH): Status.DONE for status in (Status.RUNNING, Status.INTERRUPTED)},
    **{(status, Move.FAIL): Status.IDLE for status in (Status.RUNNING, Status.EPOCH, Status.INTERRUPTED)},
    **{(status, Move.LOAD): Status.IDLE for status in (Status.IDLE, Status.INTERRUPTED, Status.DONE)},
    **{(status, Move.LOAD): status for status in (Status.RUNNING, Status.EPOCH)},  # by a handler, under way
}


class Position(NamedTuple):
    """Where a run stands: the epoch, from 1, and how many of its batches have been begun."""

    epoch: int
    batch: int


def after(status: Status, move: Move) -> Status:
    """The status that a move leads to.

    Raises:
        EngineError: it is not one that can be made from here.

    Example:
        >>> after(Status.INTERRUPTED, Move.RESUME)
        <Status.RUNNING: 'running'>
    """
    if (status, move) in MOVES:
        return MOVES[status, move]
    if status in (Status.RUNNING, Status.EPOCH):
        raise EngineError("run() was called from inside the run of the same engine; use another Engine")
    raise EngineError(f"an engine that is {status.value} cannot {move.value}")
