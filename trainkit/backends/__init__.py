"""Switches of PyTorch's backends: they can be set and read, and change nothing, for results repeat anyway."""

from trainkit.backends import cuda, cudnn, mps

__all__ = ["are_deterministic_algorithms_enabled", "cuda", "cudnn", "mps", "use_deterministic_algorithms"]

_deterministic = [False]


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remember the wish that results repeat: with one seed and one number of threads, trainkit's always do."""
    _deterministic[0] = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Tell what `use_deterministic_algorithms` was told last."""
    return _deterministic[0]
