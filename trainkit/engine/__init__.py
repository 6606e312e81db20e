"""The engine: one run loop, its events, and the handlers and spans that they call."""

from trainkit.engine.deterministic import DeterministicEngine, keep_random_state
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
from trainkit.engine.status import Move, Position, Status
from trainkit.engine.step import StepEvents
from trainkit.engine.supervised import (
    create_supervised_evaluator,
    create_supervised_trainer,
    supervised_evaluation_step,
    supervised_training_step,
)

__all__ = [
    "DeterministicEngine",
    "Engine",
    "EngineError",
    "EventEnum",
    "Events",
    "EventsList",
    "FilteredEvent",
    "Move",
    "Position",
    "Priority",
    "RemovableEventHandle",
    "Span",
    "State",
    "Status",
    "StepEvents",
    "create_supervised_evaluator",
    "create_supervised_trainer",
    "keep_random_state",
    "supervised_evaluation_step",
    "supervised_training_step",
]
