"""Random numbers: generators with PyTorch's interface over numpy's, and the one that is used when none is given."""

import secrets
from typing import Any

import numpy as np

__all__ = [
    "Generator",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


class Generator:
    """A stream of random numbers with a seed and a state that can be saved.

    Attributes:
        numpy: the numpy generator beneath.

    >>> a, b = Generator().manual_seed(7), Generator().manual_seed(7)
    >>> a.draw_seed() == b.draw_seed()
    True
    """

    def __init__(self, device: str = "cpu") -> None:
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
        """Return where the stream stands, as plain values."""
        return {"seed": self._seed, "bits": self.numpy.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> "Generator":
        """Go to where a stream stood."""
        self.manual_seed(state["seed"])
        self.numpy.bit_generator.state = state["bits"]
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


def set_rng_state(state: dict[str, Any]) -> None:
    """Set the state of the default generator."""
    default_generator.set_state(state)
