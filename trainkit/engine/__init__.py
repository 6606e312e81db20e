"""The engine: one run loop, its events, and the handlers and spans that they call."""

from trainkit.engine.engine import Engine
from trainkit.engine.events import (
    EngineError,
    EventEnum,
    Events,
    EventsList,
    FilteredEvent,
    Priority,
    RemovableEventHandle,
)
from trainkit.engine.spans import Span
from trainkit.engine.state import State

__all__ = [
    "Engine",
    "EngineError",
    "EventEnum",
    "Events",
    "EventsList",
    "FilteredEvent",
    "Priority",
    "RemovableEventHandle",
    "Span",
    "State",
]
