"""Modules in lists and dicts, found and saved with the module that has them."""

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from trainkit.autograd import TensorBase
from trainkit.errors import ArgumentError, IndexRangeError
from trainkit.nn.activation import ReLU
from trainkit.nn.fusion import WITH_RELU, is_plain, pair_of
from trainkit.nn.module import Module

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


def position_in(index: Any, length: int, name: str) -> int:
    """Return an index from the front; negative ones count from the end."""
    position = operator.index(index)
    if not -length <= position < length:
        raise IndexRangeError(f"{name} has {length} parts, so index {position} is out of range")
    return position % length


class _Sequence(Module):
    """What lists of modules share; the parts are named by their positions."""

    def __len__(self) -> int:
        return len(self._held("module"))

    def __iter__(self) -> Iterator[Module]:
        values = self.__dict__  # written out, for Sequential does it at each call
        return iter([values[name] for name, kind in values.get("_kinds", {}).items() if kind == "module"])

    def __setitem__(self, index: int, module: Module) -> None:
        held = self._held("module")
        name, _ = held[position_in(index, len(held), type(self).__name__)]
        self.add_module(name, module)

    def __delitem__(self, index: "int | slice") -> None:
        left = list(self)
        del left[index if isinstance(index, slice) else position_in(index, len(left), type(self).__name__)]
        self._refill(left)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end.

        Raises:
            TypeError: it is no module.
        """
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end.

        Raises:
            TypeError: what is given cannot be iterated over, or holds something else.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend takes several modules, got {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`; all are numbered anew.

        Raises:
            IndexRangeError: there is no such place.
            TypeError: it is no module.
        """
        position = position_in(index, len(self) + 1, type(self).__name__) if index >= 0 else index + len(self)
        if position < 0:
            raise IndexRangeError(f"{type(self).__name__} has {len(self)} parts, so index {index} is out of range")
        parts = list(self)
        parts.insert(position, module)
        self._refill(parts)
        return self

    def pop(self, key: "int | slice") -> Any:
        """Take a module away, or a slice of them, and return it."""
        found = self[key]  # type: ignore[index]
        del self[key]
        return found

    def _refill(self, modules: list[Module]) -> None:
        if wrong := [module for module in modules if not isinstance(module, (Module, type(None)))]:
            raise TypeError(f"{type(self).__name__} takes modules, got {type(wrong[0]).__name__}")
        for name, _ in self._held("module"):
            delattr(self, name)
        for number, module in enumerate(modules):
            self.add_module(str(number), module)


class ModuleList(_Sequence):
    """A list of modules, each of them a part; it is looped over, and has no `forward`.

    Args:
        modules: any number of them.

    >>> import trainkit as tk
    >>> layers = ModuleList([tk.nn.Linear(2, 2) for _ in range(3)])
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: Any) -> Any:
        parts = list(self)
        if isinstance(index, slice):
            return type(self)(parts[index])
        return parts[position_in(index, len(parts), type(self).__name__)]

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        lines, number = [], 0
        for text, same in groupby(map(repr, self)):
            count = sum(1 for _ in same)
            line = f"({number}): {text}" if count == 1 else f"({number}-{number + count - 1}): {count} x {text}"
            lines.append(line.replace("\n", "\n  "))
            number += count
        return "\n  ".join([f"{self._get_name()}(", *lines]) + "\n)" if lines else f"{self._get_name()}()"


class Sequential(_Sequence):
    """Modules one after the other: the output of each is the input of the next.

    Args:
        args: the modules, or one OrderedDict of modules by name.

    Raises:
        TypeError: something else is given; a list of modules is unpacked: `Sequential(*layers)`.

    >>> import trainkit as tk
    >>> net = Sequential(tk.nn.Linear(4, 3), tk.nn.ReLU())
    >>> net(tk.ones(2, 4)).shape
    (2, 3)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
            return
        for number, module in enumerate(args):
            if isinstance(module, Iterable) and not isinstance(module, (Module, str, TensorBase)):
                unpacked = "Sequential(OrderedDict(...))" if isinstance(module, Mapping) else "Sequential(*layers)"
                raise TypeError(
                    f"Sequential takes modules one by one, got a {type(module).__name__}; unpack it: {unpacked}"
                )
            self.add_module(str(number), module)

    def forward(self, input: Any) -> Any:
        """Pass `input` through every module in turn; without hooks, some go along with the layer before them."""
        waiting: Any = None  # a layer that takes a ReLU or a batch norm along if one follows
        for module in self:
            if waiting is not None:
                layer, waiting = waiting, None
                if type(module) is ReLU and is_plain(layer) and is_plain(module) and isinstance(input, TensorBase):
                    input = WITH_RELU[type(layer)](layer, input)
                    continue
                if (waiting := pair_of(layer, module, input)) is not None:
                    continue
                input = layer(input)
            if type(module) in WITH_RELU:
                waiting = module
            else:
                input = module(input)
        return input if waiting is None else waiting(input)

    def __getitem__(self, index: Any) -> Any:
        held = self._held("module")
        if isinstance(index, slice):
            return type(self)(OrderedDict(held[index]))
        return held[position_in(index, len(held), type(self).__name__)][1]

    def __add__(self, other: "Sequential") -> "Sequential":
        if not isinstance(other, Sequential):
            raise ArgumentError(f"only another Sequential is added to a Sequential, got {type(other).__name__}")
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> "Sequential":
        if not isinstance(times, int):
            return NotImplemented
        if times < 1:
            raise ArgumentError(f"Sequential is repeated at least once, got {times} times")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(list((self * times)[len(self) :]))


class ModuleDict(Module):
    """A dict of modules by name, each of them a part; it is used by its items, and has no `forward`.

    Args:
        modules: a mapping, or pairs of name and module; a name may be neither empty, nor have a dot in it, nor be that
            of a method.

    >>> import trainkit as tk
    >>> acts = ModuleDict({"relu": tk.nn.ReLU(), "tanh": tk.nn.Tanh()})
    >>> acts["relu"](tk.tensor([-1.0, 1.0]))
    tensor([0., 1.])
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take everything away."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take a module away and return it."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return dict(self._modules).keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return pairs of name and module."""
        return dict(self._modules).items()

    def values(self) -> Iterable[Any]:
        """Return the modules."""
        return dict(self._modules).values()

    def update(self, modules: Any) -> None:
        """Set modules by name: those of a mapping, or of pairs.

        Raises:
            TypeError: it is neither.
        """
        for name, module in pairs_of(modules, "ModuleDict"):
            self[name] = module


def pairs_of(values: Any, what: str) -> list[tuple[str, Any]]:
    """Return the items of a mapping, or pairs as they are."""
    if isinstance(values, Mapping) or hasattr(values, "items"):
        return list(values.items())
    if not isinstance(values, Iterable):
        raise TypeError(f"{what}.update takes a dict or pairs of name and value, got {type(values).__name__}")
    listed: list[Any] = list(values)
    if wrong := [pair for pair in listed if not isinstance(pair, Iterable)]:
        raise TypeError(f"{what}.update takes a dict or pairs of name and value, got {wrong[0]!r} among them")
    if wrong := [pair for pair in listed if len(list(pair)) != 2]:
        raise ArgumentError(f"{what}.update takes pairs of name and value, got {wrong[0]!r}")
    return [tuple(pair) for pair in listed]
