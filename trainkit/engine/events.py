"""The moments of a run by name, filters on them, and the ordered handlers that each one calls."""

from __future__ import annotations

import inspect
import operator
import sys
import weakref
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import partial
from numbers import Integral
from typing import Any, TypeAlias

from trainkit.errors import ArgumentError, TrainkitError

__all__ = [
    "EngineError",
    "Event",
    "EventEnum",
    "Events",
    "EventsList",
    "FilteredEvent",
    "Handler",
    "HandlerList",
    "Priority",
    "RemovableEventHandle",
    "checked_integer",
    "name_of",
    "takes",
]


class EngineError(TrainkitError, RuntimeError):
    """An engine was asked for something that does not fit the moment of its run."""


class Priority(IntEnum):
    """The bands in which the handlers of one event run; any other integer is a band of its own.

    Example:
        >>> [band.name for band in Priority]
        ['METRICS', 'VALIDATION', 'HANDLERS', 'MONITORS', 'LOGGERS', 'CHECKPOINTS']
    """

    METRICS = -100
    VALIDATION = -50
    HANDLERS = 0
    MONITORS = 50
    LOGGERS = 100
    CHECKPOINTS = 200


class EventEnum(StrEnum):
    """A family of events, each a string; subclass it for events of your own and register them.

    Example:
        >>> class Checks(EventEnum):
        ...     GRADIENT_CLIPPED = "gradient_clipped"
        >>> Checks.GRADIENT_CLIPPED == "gradient_clipped"
        True
    """

    def __call__(
        self,
        event_filter: Callable[[Any, int], bool] | None = None,
        every: int | None = None,
        once: int | Sequence[int] | None = None,
        before: int | None = None,
        after: int | None = None,
    ) -> EventEnum | FilteredEvent:
        """Narrow the event to some of its counts: epochs or iterations, from 1.

        Takes `event_filter(engine, count)`, or `once` (a count or several), or `every`, `before` and `after`,
        which combine: `every` then counts from `after + 1`, and both bounds are exclusive.

        Raises:
            ArgumentError: nothing, or kinds that do not combine, or not positive integers.

        Example:
            >>> Events.EPOCH_STARTED(every=5, after=8, before=25)
            Events.EPOCH_STARTED(every=5, after=8, before=25)
        """
        given = {"every": every, "after": after, "before": before}
        window = {name: value for name, value in given.items() if value is not None}
        if (event_filter is not None) + (once is not None) + bool(window) != 1:
            raise ArgumentError(
                f"{self!r} expected one kind of filter: event_filter=, or once=, or every=, before= and "
                "after= together; give exactly one kind"
            )
        if event_filter is not None:
            if not callable(event_filter) or not takes(event_filter, (None, 0), {}):
                raise ArgumentError(f"event_filter expected a callable taking (engine, count), got {event_filter!r}")
            text = f"event_filter={name_of(event_filter)}"
            return FilteredEvent(self, text, predicate=event_filter)
        if once is not None:
            counts: Any = [once] if isinstance(once, Integral) else once
            if isinstance(counts, str) or not isinstance(counts, Sequence) or not counts:
                raise ArgumentError(f"once expected a positive integer or a list of them, got {once!r}")
            chosen = frozenset(checked_integer("once", count, 1) for count in counts)
            return FilteredEvent(self, f"once={once!r}", counts=chosen)
        for name, value in window.items():
            window[name] = checked_integer(name, value, 1 if name == "every" else 0)
        text = ", ".join(f"{name}={value}" for name, value in window.items())
        step = window.pop("every", 1)
        if window:
            between = range(window.get("after", 0) + 1, window.get("before", sys.maxsize), step)
            return FilteredEvent(self, text, counts=between)
        return self if step == 1 else FilteredEvent(self, text, every=step)

    def __or__(self, other: Event) -> EventsList:
        return EventsList((self,)) | other

    def __ror__(self, other: Event) -> EventsList:
        return EventsList((other,)) | self

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


@dataclass(frozen=True, slots=True)
class FilteredEvent:
    """An event and the counts at which it counts; made by calling an event.

    It is data, not a wrapper: `every` is a modulus (0: none), `counts` a range or a set of counts.
    """

    event: EventEnum
    text: str
    every: int = 0
    counts: range | frozenset[int] | None = None
    predicate: Callable[[Any, int], bool] | None = None

    def accepts(self, engine: object, count: int) -> bool:
        """Whether the event counts at this count."""
        if self.counts is not None:
            # A range would be searched, number by number, for a count of another type.
            return (count if type(count) is int else int(count)) in self.counts
        if self.predicate is not None:
            return bool(self.predicate(engine, count))
        return count % self.every == 0

    def __or__(self, other: Event) -> EventsList:
        return EventsList((self,)) | other

    def __ror__(self, other: Event) -> EventsList:
        return EventsList((other,)) | self

    def __repr__(self) -> str:
        return f"{self.event!r}({self.text})"


class EventsList:
    """Several events for one handler, joined with `|`; never changed in place.

    Example:
        >>> Events.STARTED | Events.ITERATION_COMPLETED(every=10)
        Events.STARTED | Events.ITERATION_COMPLETED(every=10)
    """

    __slots__ = ("_events",)

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events: tuple[Event, ...] = tuple(events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: int) -> Event:
        return self._events[index]

    def __or__(self, other: Event) -> EventsList:
        if isinstance(other, EventsList):
            return EventsList((*self, *other))
        if isinstance(other, (str, FilteredEvent)):
            return EventsList((*self, other))
        return NotImplemented

    def __repr__(self) -> str:
        return " | ".join(map(repr, self))


Event: TypeAlias = str | FilteredEvent | EventsList


class Events(EventEnum):
    """The events that every engine fires, in the order in which a run meets them.

    How an epoch ends decides what is fired:

    - by its last iteration: EPOCH_COMPLETED, and at the end of the run COMPLETED;
    - by `terminate_epoch()`: TERMINATE_SINGLE_EPOCH, EPOCH_COMPLETED (unless `skip_epoch_completed`);
    - by `terminate()`, or `max_iters` amid an epoch: TERMINATE, COMPLETED (unless `skip_completed`);
    - by an error: EXCEPTION_RAISED; the error is raised again, unless one of its handlers returns True, which ends
      the run as `terminate()` does, or calls `terminate()`, `terminate_epoch()` or `interrupt()`;
    - by Ctrl-C: INTERRUPT, EXCEPTION_RAISED; the next `run()` goes on with the next batch.

    Example:
        >>> Events.EPOCH_COMPLETED(every=2)
        Events.EPOCH_COMPLETED(every=2)
    """

    STARTED = "started"
    EPOCH_STARTED = "epoch_started"
    GET_BATCH_STARTED = "get_batch_started"
    DATALOADER_STOP_ITERATION = "dataloader_stop_iteration"
    GET_BATCH_COMPLETED = "get_batch_completed"
    ITERATION_STARTED = "iteration_started"
    ITERATION_COMPLETED = "iteration_completed"
    TERMINATE_SINGLE_EPOCH = "terminate_single_epoch"
    EPOCH_COMPLETED = "epoch_completed"
    INTERRUPT = "interrupt"
    TERMINATE = "terminate"
    COMPLETED = "completed"
    EXCEPTION_RAISED = "exception_raised"


class Handler:
    """One registered function: what to call, with which arguments, under which filter, in which band.

    How it is called is decided here, once: with the engine and with the event's own arguments (the error of
    EXCEPTION_RAISED, `iter_counter` of TERMINATE_SINGLE_EPOCH) as far as its signature takes them.
    """

    __slots__ = (
        "__weakref__", "args", "function", "kwargs", "leading", "own", "plain", "priority", "rule",
        "takes_event",
    )  # fmt: skip
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    rule: FilteredEvent | None  # None: at every count
    priority: int
    leading: int  # how often the engine comes first: 0, 1, or 2 where it is `self` too
    takes_event: bool  # whether the event's own arguments follow
    own: bool  # whether it is a method of the engine itself
    plain: bool  # whether it is called as `function(engine)`

    def __init__(
        self,
        engine: object,
        slot: HandlerList,
        function: Callable[..., Any],
        rule: FilteredEvent | None,
        priority: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        if not callable(function):
            raise ArgumentError(f"handler of {slot.event!r} expected a callable, got {function!r}")
        if rule is not None and not slot.counter:
            raise ArgumentError(
                f"{rule!r} has a filter, but {slot.event!r} has no counter to test it on; name a state "
                "attribute: engine.register_events(..., event_to_attr={event: attribute})"
            )
        self.rule, self.args, self.kwargs = rule, args, kwargs
        self.priority = checked_integer("priority", priority)
        # The engine's own method is kept without its instance, or the engine would hold itself alive.
        self.own = getattr(function, "__self__", None) is engine
        self.leading, self.takes_event = self._fit(engine, slot, function)
        self.function = function.__func__ if self.own else function  # type: ignore[attr-defined]
        self.leading += self.own
        self.plain = self.leading == 1 and not (args or kwargs or slot.arguments or slot.named)

    def _fit(self, engine: object, slot: HandlerList, function: Callable[..., Any]) -> tuple[int, bool]:
        """How many engines come first (0 or 1), and whether the event's own arguments follow."""
        for takes_event in (True, False) if slot.arguments or slot.named else (False,):
            arguments = (*slot.arguments, *self.args) if takes_event else self.args
            named = {**slot.named, **self.kwargs} if takes_event else self.kwargs
            for leading in (0, 1) if self.own else (1, 0):  # `engine.terminate` has its engine already
                if takes(function, (engine,) * leading + arguments, named):
                    return leading, takes_event
        event_names = [type(value).__name__ for value in slot.arguments] + [f"{name}=" for name in slot.named]
        given = ["engine", *event_names, *map(repr, self.args), *(f"{name}=" for name in self.kwargs)]
        raise ArgumentError(
            f"handler {name_of(function)}{inspect.signature(function)} of {slot.event!r} would be called "
            f"with ({', '.join(given)}), the engine being optional; change its parameters or the arguments"
        )

    def call(self, engine: object, slot: HandlerList) -> Any:
        """Call the function with all that it takes; the hot path has this inline, without the event's arguments."""
        leading = (engine,) * self.leading
        if self.takes_event:
            return self.function(*leading, *slot.arguments, *self.args, **slot.named, **self.kwargs)
        return self.function(*leading, *self.args, **self.kwargs)

    def is_for(self, function: Callable[..., Any]) -> bool:
        """Whether this is a registration of `function`."""
        return bool(self.function == (getattr(function, "__func__", None) if self.own else function))


class HandlerList:
    """The handlers of one event in the order in which they run: by band, then by registration.

    `handlers` is only ever appended to in place: any other change makes a new list, so that a firing that is
    under way goes on undisturbed, and a handler added at its end takes its turn in it (ignite's rule).
    `arguments` and `named` are what the event itself passes; `counter` names the state attribute that filters
    test; `all_run` holds for the events whose handlers all run even if one raises.
    """

    __slots__ = ("__weakref__", "all_run", "arguments", "counter", "event", "handlers", "named")

    def __init__(self, event: str, counter: str = "") -> None:
        self.event = event
        self.counter = counter
        self.handlers: list[Handler] = []
        self.arguments: tuple[Any, ...] = (Exception(),) if event == Events.EXCEPTION_RAISED else ()
        self.named: dict[str, Any] = {"iter_counter": 0} if event == Events.TERMINATE_SINGLE_EPOCH else {}
        self.all_run = event in (Events.INTERRUPT, Events.EXCEPTION_RAISED)

    def add(self, handler: Handler) -> None:
        """Put a handler behind all of its band."""
        place = bisect_right(self.handlers, handler.priority, key=lambda other: other.priority)
        if place == len(self.handlers):
            self.handlers.append(handler)
        else:
            self.handlers = [*self.handlers[:place], handler, *self.handlers[place:]]

    def remove(self, unwanted: Callable[[Handler], bool]) -> bool:
        """Drop the handlers that `unwanted` picks; whether there were any."""
        kept = [handler for handler in self.handlers if not unwanted(handler)]
        found = len(kept) < len(self.handlers)
        self.handlers = kept
        return found

    def describe(self) -> list[str]:
        """The event, and one line a handler: band, name, filter."""
        bands = {int(band): band.name for band in Priority}
        lines = [repr(self.event) if isinstance(self.event, EventEnum) else self.event]
        for handler in self.handlers:
            rule = f" ({handler.rule.text})" if handler.rule else ""
            band = bands.get(handler.priority, str(handler.priority))
            lines.append(f"  {band:<11} {name_of(handler.function)}{rule}")
        return lines


class RemovableEventHandle:
    """Takes back what was registered, by `remove()` or at the end of a `with` block; keeps nothing alive.

    Example:
        >>> from trainkit.engine import Engine
        >>> engine = Engine(lambda engine, batch: batch)
        >>> with engine.add_event_handler(Events.COMPLETED, lambda: print("once")):
        ...     state = engine.run([1])
        once
        >>> state = engine.run([1])
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[HandlerList, Handler]]) -> None:
        self._entries = [(weakref.ref(slot), weakref.ref(handler)) for slot, handler in entries]

    def remove(self) -> None:
        """Unregister; a second call does nothing."""
        for slot_ref, handler_ref in self._entries:
            slot, handler = slot_ref(), handler_ref()
            if slot is not None and handler is not None:
                slot.remove(partial(operator.is_, handler))
        self._entries.clear()

    def __enter__(self) -> RemovableEventHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def name_of(function: Callable[..., Any]) -> str:
    """A short name for a callable, for messages."""
    inner = getattr(function, "func", function)  # a partial is called what it calls
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    return str(name).rpartition("<locals>.")[2]


def takes(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a callable's signature takes these arguments."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature: take the caller's word
        return True
    return True


def checked_integer(name: str, value: object, least: int = -sys.maxsize) -> int:
    """An integer argument, checked against its lower bound; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        bound = f" of at least {least}" if least > -sys.maxsize else ""
        raise ArgumentError(f"{name} expected an integer{bound}, got {value!r}")
    return int(value)
