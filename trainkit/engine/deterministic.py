"""An engine whose runs repeat: what is random in an epoch follows from a seed and the number of the epoch."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from trainkit.engine.engine import Engine
from trainkit.engine.events import Events
from trainkit.engine.state import State
from trainkit.engine.status import Status
from trainkit.errors import ArgumentError
from trainkit.random import default_generator, get_rng_state, manual_seed, set_rng_state

__all__ = ["DeterministicEngine", "keep_random_state"]

R = TypeVar("R")
_END = object()


def _random_states() -> list[Any]:
    return [random.getstate(), get_rng_state(), np.random.get_state()]  # noqa: NPY002 -- what users' code draws from


def _set_random_states(states: list[Any]) -> None:
    version, numbers, gauss = states[0]
    random.setstate((version, tuple(numbers), gauss))
    set_rng_state(states[1])
    np.random.set_state(states[2])  # noqa: NPY002


def _seed_all(seed: int) -> None:
    random.seed(seed)
    manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


def keep_random_state(function: Callable[..., R]) -> Callable[..., R]:
    """Decorate a function to use up no random numbers: those of trainkit, numpy and Python go on as if it had not run.

    Example:
        >>> import trainkit as tk
        >>> generator = tk.manual_seed(3)
        >>> numbers = tk.rand(2)
        >>> generator = tk.manual_seed(3)
        >>> some = keep_random_state(tk.rand)(5)
        >>> tk.equal(tk.rand(2), numbers)
        True
    """

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> R:
        states = _random_states()
        try:
            return function(*args, **kwargs)
        finally:
            _set_random_states(states)

    return wrapper


class DeterministicEngine(Engine):
    """An engine that gives the same batches and the same random numbers again, also where a run is resumed.

    Each pass over the data is seeded by `state.seed` and the number of the pass, which is that of the epoch where an
    epoch goes once over the data. The seed is drawn when a run begins, so `trainkit.manual_seed` decides it. Seed
    and random states are part of `state_dict()`. Resumed amid an epoch, a loader with a `batch_sampler` passes over
    the batches that are done without fetching them; other data are fetched up to the place. The batches of a loader
    are drawn ahead, so that the process function may draw random numbers too.

    The seeded generators are trainkit's default one, numpy's global one, and `random`.

    Raises:
        ArgumentError: a run without data.

    Example:
        >>> import trainkit as tk
        >>> data = tk.data.DataLoader(tk.data.TensorDataset(tk.arange(100)), batch_size=10, shuffle=True)
        >>> def last_epoch(**options):
        ...     engine = DeterministicEngine(lambda engine, batch: batch[0].tolist())
        ...     if "load" in options:
        ...         engine.load_state_dict(options["load"])
        ...     return engine.run(data, max_epochs=options["epochs"]).output, engine.state_dict()
        >>> generator = tk.manual_seed(1)
        >>> whole, _ = last_epoch(epochs=4)
        >>> generator = tk.manual_seed(1)
        >>> _, saved = last_epoch(epochs=2)
        >>> last_epoch(epochs=4, load=saved)[0] == whole
        True
    """

    def __init__(self, process_function: Callable[[Any, Any], Any]) -> None:
        super().__init__(process_function)
        self.state_dict_user_keys.append("rng_states")
        self.state.rng_states = None  # type: ignore[attr-defined]
        self._pass: int | None = None  # the number of the pass over the data; None: to be found from the state
        self._pass_begun = 0  # the iterations that were done when it began
        self._held_states: list[Any] | None = None  # at an interrupt
        self.add_event_handler(Events.STARTED, self._draw_seed)

    def run(
        self,
        data: Iterable[Any] | None = None,
        max_epochs: int | None = None,
        max_iters: int | None = None,
        epoch_length: int | None = None,
        *,
        resume: bool | str = "auto",
    ) -> State:
        """Run as `Engine.run` does, but not without data."""
        if data is None and (self.status is not Status.INTERRUPTED or resume is False):
            raise ArgumentError("a DeterministicEngine expected data, got None; give data, or use an Engine")
        if self.status is not Status.INTERRUPTED or resume is False:
            self._pass, self._held_states = None, None
        if self._held_states is not None:
            _set_random_states(self._held_states)
        try:
            return super().run(data, max_epochs, max_iters, epoch_length, resume=resume)
        finally:
            self._held_states = _random_states() if self.status is Status.INTERRUPTED else None

    def state_dict(self) -> dict[str, Any]:
        """What a run needs to go on, with the seed and the random states as they are now."""
        self.state.rng_states = None  # type: ignore[attr-defined]
        return {**super().state_dict(), "rng_states": _random_states(), "seed": self.state.seed}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Set the state; without a "seed" in it, the next run draws one."""
        super().load_state_dict(state_dict)
        self.state.seed = state_dict.get("seed")
        self._pass = None

    def _draw_seed(self) -> None:
        if self.state.seed is None or not self.state.iteration:
            self.state.seed = default_generator.draw_seed() % 10**9

    def _seed(self) -> None:
        _seed_all((self.state.seed or 0) + (self._pass or 0))

    def _restart_data(self) -> None:
        self._pass = (self._pass or 0) + 1
        self._pass_begun = self.state.iteration
        self._begin_pass(0)

    def _start_data(self) -> None:
        state, length = self.state, _length(self.state.dataloader)
        if self._pass is None:
            if length is None:
                self._replay()
                return
            self._pass = state.iteration // length
            self._pass_begun = state.iteration - state.iteration % length
            self._begin_pass(state.iteration - self._pass_begun)
            self._restore()
        else:  # Ctrl-C has ended its iterator, or an interrupt came between two passes
            done = state.iteration - self._pass_begun
            if length is not None and done >= length:
                self._restart_data()
            else:
                self._begin_pass(done)

    def _begin_pass(self, done: int) -> None:
        """Seed, and iterate over the data from behind the first `done` batches."""
        self._seed()
        data: Any = self.state.dataloader
        batches = getattr(data, "batch_sampler", None)
        if batches is None:
            self._change_data(data)
            for _ in range(done):
                next(self._iterator, None)
            return
        loader = copy.copy(data)
        loader.batch_sampler = list(batches)[done:]
        self._change_data(loader)

    def _replay(self) -> None:
        """Fetch the batches that were done, over as many passes as they took: the data have no length."""
        self._pass, self._pass_begun, done = 0, 0, 0
        self._begin_pass(0)
        while done < self.state.iteration:
            if next(self._iterator, _END) is not _END:
                done += 1
            elif done == self._pass_begun:
                break  # the data cannot be started again, which the run will say
            else:
                self._pass, self._pass_begun = self._pass + 1, done
                self._begin_pass(0)
        self._restore()

    def _restore(self) -> None:
        """Go to the random states of the state dict, amid a pass; at its begin the seed has set them."""
        states = self.state.rng_states  # type: ignore[attr-defined]
        if states is not None and self.state.iteration > self._pass_begun:
            _set_random_states(states)
        self.state.rng_states = None  # type: ignore[attr-defined]


def _length(data: Any) -> int | None:
    try:
        return len(data) or None
    except TypeError:
        return None
