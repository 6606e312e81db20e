"""Devices: PyTorch's names for where tensors live. All of trainkit's live in the memory of the CPU."""

from typing import Any

from trainkit.errors import ArgumentError

__all__ = ["CPU", "check_device", "device", "get_default_device", "is_device", "set_default_device"]

_TYPES = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "xla", "meta")


class device:  # noqa: N801 -- PyTorch's name
    """The name of a device; any can be named, tensors live on the CPU.

    Args:
        type: "cpu", "cuda", "cuda:1" and so on, a device, or a number: that of a GPU.
        index: its number, if the type does not say it.

    Raises:
        ArgumentError: there is no such name.

    >>> device("cuda:1")
    device(type='cuda', index=1)
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index if index is None else index
        elif isinstance(type, int) and not isinstance(type, bool):
            type, index = "cuda", type
        name, colon, number = str(type).partition(":")
        if name not in _TYPES or (colon and not number.isdecimal()):
            raise ArgumentError(
                f"{type!r} names no device; expected one of {', '.join(_TYPES)}, as in 'cpu' or 'cuda:1'"
            )
        if colon and index is not None:
            raise ArgumentError(f"the index of a device was given twice: {type!r} and {index}; give it once")
        self.type = name
        self.index = int(number) if colon else index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self) -> Any:
        return device, (self.type, self.index)

    def __enter__(self) -> "device":
        """New tensors are made on this device within a `with` block; it must be the CPU."""
        check_device(self)
        return self

    def __exit__(self, *_: object) -> None:
        pass


CPU = device("cpu")


def is_device(value: Any) -> bool:
    """Tell whether `value` names a device rather than a dtype."""
    if isinstance(value, str):
        return value.partition(":")[0] in _TYPES
    return isinstance(value, device) or (isinstance(value, int) and not isinstance(value, bool))


def check_device(name: Any) -> None:
    """Raise unless `name` is the CPU or None.

    Raises:
        ArgumentError: it is another device, or the name of none.
    """
    if name is not None and name is not CPU and device(name).type != "cpu":
        raise ArgumentError(
            f"device {str(device(name))!r} is not available: trainkit computes on the CPU; use 'cpu', or ask "
            "trainkit.cuda.is_available() first"
        )


def set_default_device(device: Any) -> None:
    """Set where new tensors are made; only the CPU will do."""
    check_device(device)


def get_default_device() -> device:
    """Return where new tensors are made: the CPU."""
    return CPU
