"""Random numbers: generators with PyTorch's interface over numpy's, and the one that is used when none is given.

The numbers themselves are not PyTorch's: the same seed gives the same numbers again, but not those of torch.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from trainkit.errors import ArgumentError

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


class Generator:
    """A stream of random numbers with a seed and a state that can be saved.

    Args:
        device: the CPU, by its name or as a device.

    Attributes:
        numpy: the numpy generator beneath.

    >>> a, b = Generator().manual_seed(7), Generator().manual_seed(7)
    >>> a.draw_seed() == b.draw_seed()
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        if str(device).partition(":")[0] != "cpu":
            raise ArgumentError(f"a generator on {str(device)!r} is not available: trainkit computes on the CPU")
        self.manual_seed(secrets.randbits(63))

    def manual_seed(self, seed: int) -> "Generator":
        """Start the stream that belongs to `seed`, any integer; return the generator."""
        self._seed = int(seed)
        self.numpy = np.random.Generator(np.random.PCG64(self._seed % 2**64))
        return self

    def seed(self) -> int:
        """Start a stream that nobody can foretell; return its seed."""
        self.manual_seed(secrets.randbits(63))
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed that the stream started from."""
        return self._seed

    def draw_seed(self) -> int:
        """Draw a seed for something else: another generator, a kernel that makes its own random bits."""
        return int(self.numpy.integers(2**63))

    def get_state(self) -> dict[str, Any]:
        """Return where the stream stands.

        Differs from PyTorch: the state is a dict of plain values, no tensor.
        """
        return {"seed": self._seed, "bits": self.numpy.bit_generator.state}

    def set_state(self, new_state: dict[str, Any]) -> "Generator":
        """Go to where a stream stood.

        Raises:
            ArgumentError: it is not what `get_state` gave.
        """
        try:
            bits = np.random.PCG64()
            bits.state = new_state["bits"]
            self._seed = int(new_state["seed"])
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise ArgumentError(f"expected a state from get_state(), got a {type(new_state).__name__}") from error
        self.numpy = np.random.Generator(bits)
        return self


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator: initial weights, dropout and shuffling repeat.

    >>> manual_seed(1).initial_seed()
    1
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator with something unforeseeable; return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> dict[str, Any]:
    """Return the state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: dict[str, Any]) -> None:
    """Set the state of the default generator."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Iterable[Any] | None = None, enabled: bool = True) -> Iterator[None]:
    """Use up no random numbers within a `with` block: the default generator goes on as if nothing had been drawn.

    `devices` is accepted and means nothing; `enabled=False` makes the block an ordinary one.

    >>> state = get_rng_state()
    >>> with fork_rng():
    ...     number = default_generator.draw_seed()
    >>> default_generator.draw_seed() == number
    True
    """
    state = default_generator.get_state()
    try:
        yield
    finally:
        if enabled:
            default_generator.set_state(state)
