"""The switches of CUDA's arithmetic, which trainkit does not use: they may be set and mean nothing."""

from types import SimpleNamespace

__all__ = ["is_built", "matmul"]

matmul = SimpleNamespace(allow_tf32=False)


def is_built() -> bool:
    """False: trainkit computes on the CPU."""
    return False
