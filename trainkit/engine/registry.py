"""Who is called when: handlers, spans and whole objects are registered, removed, described, and called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import isgeneratorfunction
from typing import Any, TypeVar

from trainkit.engine.events import (
    Event,
    Events,
    EventsList,
    FilteredEvent,
    Handler,
    HandlerList,
    Priority,
    RemovableEventHandle,
    name_of,
)
from trainkit.engine.hooks import Hooks
from trainkit.engine.spans import Span
from trainkit.engine.state import COUNTERS, State
from trainkit.errors import ArgumentError

__all__ = ["HandlerRegistry"]

F = TypeVar("F", bound=Callable[..., Any])


class HandlerRegistry:
    """An engine before it runs: its events, and the ordered handlers of each."""

    def __init__(self) -> None:
        self.state = State()
        self._slots: dict[str, HandlerList] = {}
        self._spans: dict[str, HandlerList] = {span: HandlerList(span, COUNTERS[span]) for span in Span}
        self._hooks: dict[str, tuple[Callable[..., Any], RemovableEventHandle]] = {}
        self._attaching: list[tuple[HandlerList, Handler]] | None = None
        self._overridden = False  # whether events are fired in a way of the user's own
        self._suppressed = False  # whether a handler of EXCEPTION_RAISED has returned True
        self.last_event_name: str | None = None
        self.register_events(*Events)
        self._find_overrides()

    def register_events(self, *events: str, event_to_attr: Mapping[str, str] | None = None) -> None:
        """Make events of your own known, to be fired by `fire_event`.

        `event_to_attr` names the attribute of `state` that filters on an event test; the user counts it.

        Raises:
            ArgumentError: an event is neither a string nor of an EventEnum, or an attribute has no event.

        Example:
            >>> from trainkit.engine import Engine
            >>> engine = Engine(lambda engine, batch: engine.fire_event("halfway"))
            >>> engine.register_events("halfway")
            >>> handle = engine.add_event_handler("halfway", lambda: print("halfway"))
            >>> state = engine.run([1])
            halfway
        """
        counters = {} if event_to_attr is None else event_to_attr
        if not isinstance(counters, Mapping):
            raise ArgumentError(f"event_to_attr expected a dict from event to attribute, got {counters!r}")
        for event in events:
            if not isinstance(event, str) or isinstance(event, Span):
                raise ArgumentError(f"register_events expected strings or members of an EventEnum, got {event!r}")
        if unknown := [event for event in counters if event not in events]:
            raise ArgumentError(f"event_to_attr has {unknown}, not among the events registered; add them")
        for event in events:
            slot = self._slots.setdefault(event, HandlerList(event, COUNTERS.get(event, "")))
            if event in counters:
                slot.counter = counters[event]
                self.state.set_counter(event, slot.counter)

    def has_registered_events(self, event: Event) -> bool:
        """Whether `event` can be fired and handled here.

        Example:
            >>> from trainkit.engine import Engine
            >>> Engine(lambda engine, batch: None).has_registered_events(Events.STARTED)
            True
        """
        return (event.event if isinstance(event, FilteredEvent) else event) in self._slots

    def add_event_handler(
        self,
        event: Event,
        handler: Callable[..., Any],
        *args: Any,
        priority: int = Priority.HANDLERS,
        **kwargs: Any,
    ) -> RemovableEventHandle:
        """Call `handler(engine, *args, **kwargs)`, or without the engine if it does not take it, at `event`.

        Handlers run in order of registration within their `priority`: metrics, then validation, plain handlers,
        loggers, checkpoints. One that is added to the event being fired takes its turn if it comes last, otherwise
        from the next time; one that is removed is gone from the next time. A `Span` takes a generator
        function.

        Raises:
            ArgumentError: an unknown event, or a handler that is not callable or does not take the arguments.

        Example:
            >>> from trainkit.engine import Engine
            >>> engine = Engine(lambda engine, batch: batch)
            >>> handle = engine.add_event_handler(Events.STARTED | Events.COMPLETED, print, "seen", sep="")
            >>> handle.remove()
        """
        entries = []
        for one in event if isinstance(event, EventsList) else (event,):
            slot = self._slot(one)
            rule = one if isinstance(one, FilteredEvent) else None
            entry = Handler(self, slot, handler, rule, priority, args, kwargs)
            if isgeneratorfunction(handler) != isinstance(slot.event, Span):
                raise ArgumentError(
                    f"{name_of(handler)} at {slot.event!r}: a generator function belongs to a span "
                    "(@engine.during(Span.EPOCH)), other functions to events (@engine.on(Events.STARTED))"
                )
            entries.append((slot, entry))
        for slot, entry in entries:
            slot.add(entry)
        if self._attaching is not None:
            self._attaching += entries
        return RemovableEventHandle(entries)

    def on(self, event: Event, *args: Any, priority: int = Priority.HANDLERS, **kwargs: Any) -> Callable[[F], F]:
        """Decorate a function to be a handler of `event`: `add_event_handler` from above.

        Example:
            >>> from trainkit.engine import Engine
            >>> engine = Engine(lambda engine, batch: batch)
            >>> @engine.on(Events.EPOCH_COMPLETED | Events.COMPLETED)
            ... def report():
            ...     print("done")
            >>> state = engine.run([1])
            done
            done
        """

        def register(handler: F) -> F:
            self.add_event_handler(event, handler, *args, priority=priority, **kwargs)
            return handler

        return register

    def during(self, span: Event, *args: Any, priority: int = Priority.HANDLERS, **kwargs: Any) -> Callable[[F], F]:
        """Decorate a generator function to live across a stage: up to its `yield` before, past it after.

        An error inside the stage is thrown in at the `yield`. Of several spans the first is the outermost.

        Raises:
            ArgumentError: not a Span, or not a generator function that takes the arguments.

        Example:
            >>> from trainkit.engine import Engine, Span
            >>> engine = Engine(lambda engine, batch: print(batch))
            >>> @engine.during(Span.ITERATION(every=2))
            ... def bracket():
            ...     print("(")
            ...     yield
            ...     print(")")
            >>> state = engine.run("ab")
            a
            (
            b
            )
        """
        if self._slot(span).event not in self._spans:
            raise ArgumentError(f"during expected a Span, got {span!r}; on() takes handlers of events")
        return self.on(span, *args, priority=priority, **kwargs)

    def has_event_handler(self, handler: Callable[..., Any], event: Event | None = None) -> bool:
        """Whether `handler` is registered at `event`, or anywhere."""
        if event is None:
            slots: Iterable[HandlerList] = (*self._slots.values(), *self._spans.values())
        else:
            slots = [self._slot(one) for one in (event if isinstance(event, EventsList) else (event,))]
        return any(entry.is_for(handler) for slot in slots for entry in slot.handlers)

    def remove_event_handler(self, handler: Callable[..., Any], event: Event) -> None:
        """Remove every registration of `handler` at `event`, with or without a filter.

        Raises:
            ArgumentError: there is none.
        """
        for one in event if isinstance(event, EventsList) else (event,):
            slot = self._slot(one)
            if not slot.remove(lambda entry: entry.is_for(handler)):
                raise ArgumentError(
                    f"{name_of(handler)} is not a handler of {slot.event!r}; engine.describe() shows who is"
                )

    @property
    def hooks(self) -> Hooks:
        """Handlers under lower-case event names: `engine.hooks["epoch_completed"] = function`."""
        return Hooks(self, self._hooks)

    def attach(self, thing: Any) -> RemovableEventHandle:
        """Attach an object: by its `attach(engine)`, or else by its methods named after events and spans.

        Those are `on_started`, `on_epoch_completed`, ... and the generator methods `around_run`,
        `around_epoch`, `around_batch_fetch`, `around_iteration`. The handle detaches all that was registered.

        Raises:
            ArgumentError: the object has none of these, or an `on_...` method after no event.

        Example:
            >>> from trainkit.engine import Engine
            >>> class Greeter:
            ...     def on_started(self):
            ...         print("hello")
            >>> engine = Engine(lambda engine, batch: batch)
            >>> with engine.attach(Greeter()):
            ...     state = engine.run([1])
            hello
        """
        outer, self._attaching = self._attaching, []
        try:
            if callable(getattr(thing, "attach", None)):
                thing.attach(self)
            else:
                self._attach_methods(thing)
        except BaseException:
            RemovableEventHandle(self._attaching).remove()
            self._attaching = []
            raise
        finally:
            entries, self._attaching = self._attaching, outer
            if outer is not None:
                outer += entries
        return RemovableEventHandle(entries)

    def _attach_methods(self, thing: Any) -> None:
        names = [name for name in dir(thing) if name.startswith(("on_", "around_"))]
        if not names:
            raise ArgumentError(
                f"attach expected an object with attach(engine), or on_<event> or around_<stage> methods, got {thing!r}"
            )
        for name in names:
            self.add_event_handler(name.removeprefix("on_"), getattr(thing, name))

    def describe(self) -> str:
        """Who runs at each event and around each stage, in order, with band and filter.

        Example:
            >>> from trainkit.engine import Engine
            >>> engine = Engine(lambda engine, batch: batch)
            >>> def log(engine): ...
            >>> event = Events.EPOCH_COMPLETED(every=2)
            >>> handle = engine.add_event_handler(event, log, priority=Priority.LOGGERS)
            >>> print(engine.describe())
            Events.EPOCH_COMPLETED
              LOGGERS     log (every=2)
        """
        lines: list[str] = []
        for slot in (*self._spans.values(), *self._slots.values()):
            if slot.handlers:
                lines += slot.describe()
        return "\n".join(lines) or "no handlers"

    def _slot(self, event: object) -> HandlerList:
        """The handlers of one event or span, filtered or not."""
        name = event.event if isinstance(event, FilteredEvent) else event
        if isinstance(name, str):
            slot = self._slots.get(name) or self._spans.get(name)
            if slot is not None:
                return slot
        hint = ""
        if callable(event):
            hint = "; a decorator needs its event: @engine.on(Events.STARTED)"
        elif isinstance(event, (tuple, list)):
            hint = "; join several events with |"
        raise ArgumentError(
            f"{event!r} is not an event of this {type(self).__name__}{hint}; it has "
            f"{', '.join(self._slots)}; spans {', '.join(self._spans)}; "
            "make other events known with engine.register_events(...)"
        )

    def fire_event(self, event: str) -> None:
        """Call the handlers of a registered event; without any it costs a look-up.

        Raises:
            ArgumentError: the event is unknown.

        Example:
            >>> from trainkit.engine import Engine
            >>> engine = Engine(lambda engine, batch: batch)
            >>> engine.register_events("loss_completed")
            >>> handle = engine.add_event_handler("loss_completed", print, "here", priority=Priority.LOGGERS)
            >>> engine.hooks["loss_completed"] = lambda: print("first")
            >>> engine.fire_event("loss_completed")  # doctest: +ELLIPSIS
            first
            <trainkit...Engine object at ...> here
        """
        slot = self._slots.get(event)
        if slot is None:
            slot = self._slot(event)
            if slot.event in self._spans:
                raise ArgumentError(f"fire_event expected an event, got {event!r}, which is a span")
        self.last_event_name = slot.event
        if slot.handlers or self._overridden:
            self._fire_event(slot.event)

    def _fire_event(self, event: str) -> None:
        """Call the handlers of an event: the method to override in order to see what is fired."""
        slot = self._slots[event]
        if slot.all_run:
            self._dispatch_all(slot)
        else:
            self._dispatch(slot)

    def _find_overrides(self) -> None:
        self._overridden = _is_overridden(self, "_fire_event") or _is_overridden(self, "fire_event")

    def _fire_overridden(self, slot: HandlerList) -> None:
        if _is_overridden(self, "_fire_event"):
            self._fire_event(slot.event)
        else:
            self.fire_event(slot.event)

    def _fire(self, slot: HandlerList) -> None:
        """Fire an event off the hot path."""
        self.last_event_name = slot.event
        if self._overridden:
            self._fire_overridden(slot)
        elif slot.handlers:
            if slot.all_run:
                self._dispatch_all(slot)
            else:
                self._dispatch(slot)

    def _dispatch(self, slot: HandlerList) -> None:
        count: Any = None
        function: Any = None
        try:
            for handler in slot.handlers:
                function = handler.function
                rule = handler.rule
                if rule is not None:
                    if count is None:
                        count = getattr(self.state, slot.counter)
                    # `every` alone is by far the most frequent filter: it costs no call.
                    if count % rule.every if rule.every else not rule.accepts(self, count):
                        continue
                if handler.plain:
                    function(self)
                elif handler.takes_event:
                    handler.call(self, slot)
                else:
                    function(*(self,) * handler.leading, *handler.args, **handler.kwargs)
        except BaseException as error:
            self._note(error, f"handler {name_of(function)!r} of {slot.event!r}")
            raise

    def _dispatch_all(self, slot: HandlerList) -> None:
        """Call every handler, whatever one raises; then raise the first error, with the others noted on it.

        Ctrl-C alone stops it at once, unless it is the error being told.
        """
        first: BaseException | None = None
        try:
            for handler in slot.handlers:
                if handler.rule is not None and not handler.rule.accepts(self, getattr(self.state, slot.counter)):
                    continue
                try:
                    if handler.call(self, slot) is True and slot.arguments:
                        self._suppressed = True
                except BaseException as error:
                    raised_again = any(error is told for told in slot.arguments)
                    if not raised_again:
                        self._note(error, f"handler {name_of(handler.function)!r} of {slot.event!r}")
                    if first is None:
                        first = error
                    elif error is not first and not isinstance(error, KeyboardInterrupt):
                        first.add_note(f"after it, handler {name_of(handler.function)!r} raised {error!r}")
                    if isinstance(error, KeyboardInterrupt) and not raised_again:
                        raise
            if first is not None:
                raise first
        finally:
            first = None  # or this frame and the error would hold each other

    def _note(self, error: BaseException, place: str) -> None:
        error.add_note(f"in {place} (epoch {self.state.epoch}, iteration {self.state.iteration})")


def _is_overridden(engine: HandlerRegistry, name: str) -> bool:
    """Whether a subclass, or an assignment to the engine, replaces one of the two methods that fire."""
    return getattr(getattr(engine, name), "__func__", None) is not getattr(HandlerRegistry, name)
