"""Parameters in lists and dicts, found and saved with the module that has them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from trainkit.autograd import TensorBase
from trainkit.nn.containers import pairs_of, position_in
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, TensorBase) and not isinstance(value, Parameter) else value


def _described(key: Any, value: Any, type_of: Callable[[Any], Any]) -> str:
    if not isinstance(value, TensorBase):
        return f"  ({key}): Object of type: {type(value).__name__}"
    sizes = "x".join(map(str, value.array.shape))
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"  ({key}): {kind} containing: [{type_of(value)} of size {sizes}]"


class ParameterList(Module):
    """A list of parameters, which are learned and saved; other values may be among them and are only kept.

    Args:
        values: tensors, which become parameters, or anything.

    >>> import trainkit as tk
    >>> weights = ParameterList([tk.ones(2), tk.ones(3)])
    >>> [name for name, _ in weights.named_parameters()]
    ['0', '1']
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(position_in(index, self._size, type(self).__name__)))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(position_in(index, self._size, type(self).__name__)), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, str(number)) for number in range(self._size)])

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end.

        Raises:
            TypeError: what is given is one tensor, or cannot be iterated over.
        """
        if isinstance(values, TensorBase) or not isinstance(values, Iterable):
            raise TypeError(f"{type(self).__name__}.extend takes several values, got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Return a line for each value."""
        return "\n".join(_described(number, value, lambda x: x.dtype) for number, value in enumerate(self))


class ParameterDict(Module):
    """A dict of parameters by name, which are learned and saved; other values may be among them and are only kept.

    Args:
        parameters: a mapping, or pairs of name and value; tensors become parameters. A name may be neither empty, nor
            have a dot in it, nor be that of a method.

    >>> import trainkit as tk
    >>> sides = ParameterDict({"left": tk.ones(2), "right": tk.zeros(2)})
    >>> [name for name, _ in sides.named_parameters()]
    ['left', 'right']
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys:
            self._check_name(key, "value", ())
        setattr(self, key, _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __or__(self, other: "ParameterDict") -> "ParameterDict":
        return ParameterDict([*self.items(), *other.items()])

    def __ior__(self, other: "ParameterDict") -> Self:
        self.update(other)
        return self

    def copy(self) -> "ParameterDict":
        """Return a dict of its own with the same parameters."""
        return ParameterDict(self.items())

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or `default` where there is none."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value, set to `default` where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Take a value away and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last value away and return it with its name."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Take everything away."""
        for key in list(self):
            del self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> "ParameterDict":
        """Return a new dict with the same value under each of the keys."""
        return ParameterDict([(key, default) for key in keys])

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._keys.keys()

    def items(self) -> list[tuple[str, Any]]:
        """Return pairs of name and value."""
        return [(key, self[key]) for key in self._keys]

    def values(self) -> list[Any]:
        """Return the values."""
        return [self[key] for key in self._keys]

    def update(self, parameters: Any) -> None:
        """Set values by name: those of a mapping, or of pairs.

        Raises:
            TypeError: it is neither.
        """
        for name, value in pairs_of(parameters, "ParameterDict"):
            self[name] = value

    def extra_repr(self) -> str:
        """Return a line for each value."""
        return "\n".join(_described(key, value, lambda x: x.type()) for key, value in self.items())
