"""What a run knows about itself, and the rules by which it begins, goes on, is done, is saved and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trainkit.engine.events import Events, FilteredEvent, checked_integer
from trainkit.engine.spans import Span
from trainkit.engine.status import Move
from trainkit.errors import ArgumentError

__all__ = ["COUNTERS", "State", "begin", "dump", "is_done", "load"]

COUNTERS: Mapping[str, str] = {
    Events.STARTED: "epoch",
    Events.EPOCH_STARTED: "epoch",
    Events.GET_BATCH_STARTED: "iteration",
    Events.GET_BATCH_COMPLETED: "iteration",
    Events.ITERATION_STARTED: "iteration",
    Events.ITERATION_COMPLETED: "iteration",
    Events.EPOCH_COMPLETED: "epoch",
    Events.COMPLETED: "epoch",
    Span.RUN: "epoch",
    Span.EPOCH: "epoch",
    Span.BATCH_FETCH: "iteration",
    Span.ITERATION: "iteration",
}


class State:
    """The state of an engine's run, shared by its handlers; any further attribute is the user's own.

    `epoch` and `iteration` count from 1 and over all epochs; `times` holds the seconds of the last epoch and
    of the run under `"EPOCH_COMPLETED"` and `"COMPLETED"`. While an attached evaluator runs, its `parent` is the
    state of the engine that runs it.

    Example:
        >>> state = State(best=0.5)
        >>> state.iteration, state.best
        (0, 0.5)
    """

    def __init__(self, **attributes: Any) -> None:
        self.iteration = 0
        self.epoch = 0
        self.epoch_length: int | None = None
        self.max_epochs: int | None = None
        self.max_iters: int | None = None
        self.batch: Any = None
        self.output: Any = None
        self.metrics: dict[str, Any] = {}
        self.times: dict[str, float] = {Events.EPOCH_COMPLETED.name: 0.0, Events.COMPLETED.name: 0.0}
        self.dataloader: Iterable[Any] | None = None
        self.seed: int | None = None
        self.parent: State | None = None
        self._counters = dict(COUNTERS)
        for name, value in attributes.items():
            setattr(self, name, value)

    @property
    def root(self) -> State:
        """The state whose epoch and iteration count: the parent's while an evaluator runs for it, else this one.

        Example:
            >>> trainer = State(iteration=7)
            >>> State(parent=trainer).root.iteration, trainer.root.iteration
            (7, 7)
        """
        return self if self.parent is None else self.parent.root

    def set_counter(self, event: str, attribute: str) -> None:
        """Let the filters of `event` test `attribute`, which starts at 0 where it is not there yet."""
        self._counters[event] = attribute
        if not hasattr(self, attribute):
            setattr(self, attribute, 0)

    def get_event_attrib_value(self, event: str | FilteredEvent) -> int:
        """The count that the filters of `event` are tested on.

        Raises:
            ArgumentError: the event has no counter.

        Example:
            >>> State(iteration=7).get_event_attrib_value(Events.ITERATION_COMPLETED)
            7
        """
        name = event.event if isinstance(event, FilteredEvent) else event
        if name not in self._counters:
            raise ArgumentError(
                f"{event!r} has no counter; the events with one are {', '.join(self._counters)}; "
                "give yours one with engine.register_events(..., event_to_attr={event: attribute})"
            )
        count: int = getattr(self, self._counters[name])
        return count

    def __repr__(self) -> str:
        plain = (bool, int, float, str, dict, type(None))
        lines = (
            f"  {name}: {value if isinstance(value, plain) else type(value).__name__}"
            for name, value in vars(self).items()
            if not name.startswith("_")
        )
        return "\n".join(["State:", *lines])


def is_done(state: State) -> bool:
    """Whether the limit of a run is reached, in iterations or in epochs."""
    if state.max_iters is not None and state.iteration >= state.max_iters:
        return True
    if state.max_epochs is None:
        return False
    length = state.epoch_length
    return state.epoch >= state.max_epochs or (length is not None and state.iteration >= length * state.max_epochs)


def begin(
    state: State,
    data: Iterable[Any] | None,
    max_epochs: int | None,
    max_iters: int | None,
    epoch_length: int | None,
    interrupted: bool,
    resume: bool | str = "auto",
) -> Move:
    """Check the arguments of a run against the state and take them into it; how the run begins."""
    if resume != "auto" and not isinstance(resume, bool):
        raise ArgumentError(f"resume expected 'auto', True or False, got {resume!r}")
    if data is not None and not isinstance(data, Iterable):
        raise ArgumentError(f"run expected data that can be iterated, got {type(data).__name__}")
    if max_epochs is not None and max_iters is not None:
        raise ArgumentError(
            f"run expected max_epochs or max_iters, got both: {max_epochs} and {max_iters}; leave out one"
        )
    for name, value in (("max_epochs", max_epochs), ("max_iters", max_iters), ("epoch_length", epoch_length)):
        if value is not None:
            checked_integer(name, value, 1)
    if resume is not False:
        _raise_limit(state, max_epochs, max_iters)

    fresh = state.max_epochs is None and state.max_iters is None
    anew = resume is False or fresh or (is_done(state) and not interrupted)
    if anew and resume is True:
        reached = f"the run is done, at epoch {state.epoch} and iteration {state.iteration}; give a higher limit"
        never = "this engine has neither run nor loaded a state; load_state_dict() first"
        raise ArgumentError(
            f"run(resume=True) found nothing to resume: {never if fresh else reached}, or leave resume out"
        )
    if not anew and epoch_length is not None and state.epoch_length not in (None, epoch_length):
        raise ArgumentError(
            f"run got epoch_length={epoch_length}, but goes on with epochs of {state.epoch_length}; leave it "
            "out, or begin a new run: run(..., resume=False)"
        )
    lengths = (epoch_length, _length(data), None if resume is False else state.epoch_length)
    length = next((one for one in (lengths if anew else lengths[::-1]) if one is not None), None)
    if length is None and data is None:
        raise ArgumentError("run got neither data nor epoch_length; give data, or epoch_length to run without")
    if length == 0:
        raise ArgumentError("run expected data with at least one batch, got none; check the data")
    state.epoch_length = length
    if not anew:
        return Move.RESUME if interrupted else Move.CONTINUE
    state.iteration = state.epoch = 0
    state.max_epochs = state.max_iters = None
    if max_iters is None:
        _set_limit(state, "max_epochs", 1 if max_epochs is None else max_epochs)
    else:
        _set_limit(state, "max_iters", max_iters)
    return Move.BEGIN


def _raise_limit(state: State, max_epochs: int | None, max_iters: int | None) -> None:
    """Take the limits of a run that may go on from the state."""
    for name, value, other in (("max_epochs", max_epochs, "max_iters"), ("max_iters", max_iters, "max_epochs")):
        if value is not None and getattr(state, other) is not None:
            raise ArgumentError(
                f"run got {name}={value}, but its state counts by {other}={getattr(state, other)}; begin a new "
                f"run with run(..., resume=False), or set engine.state.{other} = None first"
            )
    if state.max_epochs is not None:
        _set_limit(state, "max_epochs", max_epochs)
    if state.max_iters is not None:
        _set_limit(state, "max_iters", max_iters)


def dump(state: State, user_keys: Sequence[str]) -> dict[str, Any]:
    """The state's part that a run needs to go on."""
    keys = ["epoch_length", "iteration", "max_epochs" if state.max_iters is None else "max_iters", *user_keys]
    if missing := [key for key in keys if not hasattr(state, key)]:
        raise ArgumentError(
            f"state_dict_user_keys has {missing}, which engine.state has not; set them when the run starts"
        )
    return {key: getattr(state, key) for key in keys}


def load(state: State, state_dict: Mapping[str, Any], user_keys: Sequence[str]) -> None:
    """Set the state from what `dump` gave, or from an epoch in place of the iteration."""
    if not isinstance(state_dict, Mapping):
        raise ArgumentError(f"load_state_dict expected a dict, got {type(state_dict).__name__}")
    for pair in (("iteration", "epoch"), ("max_epochs", "max_iters")):
        if sum(key in state_dict for key in pair) != 1:
            raise ArgumentError(
                f"load_state_dict expected exactly one of {pair[0]!r} and {pair[1]!r}, got {list(state_dict)}"
            )
    if missing := [key for key in ("epoch_length", *user_keys) if key not in state_dict]:
        raise ArgumentError(f"load_state_dict misses {missing}, got {list(state_dict)}")
    unit = "iteration" if "iteration" in state_dict else "epoch"
    done = checked_integer(unit, state_dict[unit], 0)
    length = state_dict["epoch_length"]
    if length is not None or done:  # where nothing is done, the length may yet be unknown
        length = checked_integer("epoch_length", length, 1)
    limit = "max_epochs" if "max_epochs" in state_dict else "max_iters"
    iteration = done if unit == "iteration" else done * (length or 0)
    epoch = done if unit == "epoch" else done // (length or 1)

    loaded = State(iteration=iteration, epoch=epoch, epoch_length=length)
    _set_limit(loaded, limit, state_dict[limit])  # which may refuse: the state changes only after it
    for key in ("iteration", "epoch", "epoch_length", "max_epochs", "max_iters"):
        setattr(state, key, getattr(loaded, key))
    for key in user_keys:
        setattr(state, key, state_dict[key])


def _set_limit(state: State, name: str, value: int | None) -> None:
    if value is None:
        return
    limit = checked_integer(name, value, 1)
    unit = "epoch" if name == "max_epochs" else "iteration"
    done = getattr(state, unit)
    if limit < done:
        raise ArgumentError(
            f"{name} expected at least the {unit} that the state has reached, {done}, got {limit}; give more, "
            "or begin a new run: run(..., resume=False)"
        )
    setattr(state, name, limit)


def _length(data: Iterable[Any] | None) -> int | None:
    if data is None:
        return None
    try:
        return len(data)  # type: ignore[arg-type]
    except TypeError:  # no length, or a loader over data that have none
        return None
