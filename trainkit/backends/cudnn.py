"""The switches of cuDNN, which trainkit does not use: they may be set and mean nothing."""

__all__ = ["allow_tf32", "benchmark", "deterministic", "enabled", "is_available", "version"]

enabled: bool = True
benchmark: bool = False
deterministic: bool = False
allow_tf32: bool = True


def is_available() -> bool:
    """False: there is no cuDNN."""
    return False


def version() -> int | None:
    """Return None: there is no cuDNN."""
    return None
