"""What scripts ask of GPUs before they use one. There is none: trainkit computes on the CPU."""

from typing import Any, NoReturn

from trainkit.errors import ArgumentError

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "set_device",
    "synchronize",
]


def is_available() -> bool:
    """False: there is no GPU for trainkit."""
    return False


def is_initialized() -> bool:
    """False: there is nothing to initialize."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Do nothing: GPUs have no generator here. `trainkit.manual_seed` seeds the CPU's."""


def manual_seed_all(seed: int) -> None:
    """Do nothing, as `manual_seed`."""


def empty_cache() -> None:
    """Do nothing."""


def synchronize(device: Any = None) -> None:
    """Do nothing: a computation on the CPU is done when its function returns."""


def current_device() -> int:
    """Raise: there is no GPU."""
    _refuse("current_device")


def set_device(device: Any) -> None:
    """Raise: there is no GPU."""
    _refuse("set_device")


def get_device_name(device: Any = None) -> str:
    """Raise: there is no GPU."""
    _refuse("get_device_name")


def _refuse(name: str) -> NoReturn:
    raise ArgumentError(f"cuda.{name} has no GPU to speak of: trainkit computes on the CPU; ask is_available() first")
