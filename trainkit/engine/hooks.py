"""`engine.hooks`: one function under each event's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from trainkit.engine.events import RemovableEventHandle

__all__ = ["Hooks"]


class Hooks(MutableMapping[str, Callable[..., Any]]):
    """An engine's hooks: one function under each event's lower-case name, replaced by assignment.

    Example:
        >>> from trainkit.engine import Engine
        >>> engine = Engine(lambda engine, batch: batch)
        >>> engine.hooks["epoch_completed"] = lambda engine: print("epoch", engine.state.epoch)
        >>> state = engine.run([1])
        epoch 1
        >>> del engine.hooks["epoch_completed"]
    """

    def __init__(self, engine: Any, entries: dict[str, tuple[Callable[..., Any], RemovableEventHandle]]) -> None:
        self._engine = engine
        self._entries = entries

    def __setitem__(self, event: str, function: Callable[..., Any]) -> None:
        handle = self._engine.add_event_handler(event, function)
        if event in self._entries:
            self._entries[event][1].remove()
        self._entries[event] = function, handle

    def __getitem__(self, event: str) -> Callable[..., Any]:
        return self._entries[event][0]

    def __delitem__(self, event: str) -> None:
        self._entries.pop(event)[1].remove()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
