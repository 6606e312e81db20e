"""Whether Apple's GPUs can be used: no, trainkit computes on the CPU."""

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """False: trainkit computes on the CPU."""
    return False


def is_built() -> bool:
    """False: trainkit computes on the CPU."""
    return False
