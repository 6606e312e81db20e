"""Where the batches come from: an iterator over the data, begun, changed and closed."""

from __future__ import annotations

import itertools
from typing import Any

from trainkit.engine.registry import HandlerRegistry

__all__ = ["Feed"]


class Feed(HandlerRegistry):
    """An engine's hold on its data."""

    def __init__(self) -> None:
        super().__init__()
        self._iterator: Any = None  # over the data, from the first epoch to the end of the run
        self._owns_iterator = False
        self._counter = 0  # iterations of this epoch that were begun

    def _start_data(self) -> None:
        """Begin to iterate over the data, where the run begins or goes on."""
        data = self.state.dataloader
        self._change_data(itertools.repeat(None) if data is None else data)

    def _restart_data(self) -> None:
        """Iterate over the data once more."""
        self._start_data()

    def _change_data(self, data: Any) -> None:
        self._close_data()
        try:
            self._iterator = iter(data)
        except BaseException as error:
            self._note_data(error)
            raise
        # The iterator of an iterator is the user's own: it is not closed, another run may go on with it.
        self._owns_iterator = self._iterator is not data

    def _close_data(self, error: BaseException | None = None) -> None:
        """Let go of the data, so that a generator runs to its `finally` and a producer's threads end.

        Closing may fail: then that is raised, or noted on the `error` that is under way.
        """
        iterator, self._iterator = self._iterator, None
        if iterator is None or not self._owns_iterator or getattr(iterator, "gi_running", False):
            return
        close = getattr(iterator, "close", None) or getattr(iterator, "shutdown", None)
        try:
            if callable(close):
                close()
        except Exception as failure:
            if error is None:
                failure.add_note("in closing the iterator over the data")
                raise
            error.add_note(f"closing the iterator over the data failed: {failure!r}")
        finally:
            del error  # or this frame, in the traceback of a failure, would hold it

    def _note_data(self, error: BaseException) -> None:
        error.add_note(f"in the data, at batch {self._counter + 1} of epoch {self.state.epoch}")
