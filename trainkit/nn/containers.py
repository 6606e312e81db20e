"""Modules of modules."""

from collections.abc import Iterable, Iterator
from typing import Any

from trainkit.errors import ArgumentError
from trainkit.nn.module import Module

__all__ = ["ModuleList", "Sequential"]


class ModuleList(Module):
    """A list of modules, each of them a part.

    >>> import trainkit as tk
    >>> len(ModuleList([tk.nn.ReLU(), tk.nn.ReLU()]))
    2
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> "ModuleList":
        """Add a module at the end."""
        if not isinstance(module, Module):
            raise ArgumentError(f"{type(self).__name__} holds modules, got {type(module).__name__}")
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: Any) -> Any:
        picked = list(self.children())[index]
        return type(self)(*picked) if isinstance(picked, list) and type(self) is Sequential else picked

    def __setitem__(self, index: int, module: Module) -> None:
        names = [name for name, _ in self.named_children()]
        setattr(self, names[index], module)


class Sequential(ModuleList):
    """Modules one after the other: the output of each is the input of the next.

    >>> import trainkit as tk
    >>> net = Sequential(tk.nn.Linear(4, 3), tk.nn.ReLU())
    >>> net(tk.ones(2, 4)).shape
    (2, 3)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Pass `x` through every module in turn."""
        for module in self.children():
            x = module(x)
        return x
