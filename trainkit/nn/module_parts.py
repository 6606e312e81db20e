"""The part of a module that knows what its attributes are: parameters, buffers, modules or anything else."""

import warnings
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from trainkit.autograd import Tensor, TensorBase
from trainkit.errors import ArgumentError
from trainkit.nn.parameter import Parameter

if TYPE_CHECKING:
    from trainkit.nn.module import Module

__all__ = ["ModuleParts"]

_PARAMETER, _MODULE = ("parameter",), ("module",)
_BUFFER = ("buffer", "transient")
_hidden: set[tuple[str, str]] = set()


class ModuleParts:
    """What a module holds, by name, and how attributes come to be held.

    A registered attribute is an attribute like any other, so that reading it in `forward` costs no more than that.
    `_kinds` says what each registered name is: "parameter", "module", "buffer", or "transient", a buffer that is not
    saved. It is made by the first registration, so a subclass may leave out `super().__init__()`.
    """

    _kinds: "dict[str, str]"

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self.__dict__.get("_kinds", {}).get(name)
        if isinstance(value, Parameter):
            if kind is None and callable(getattr(type(self), name, None)):
                raise KeyError(f"{type(self).__name__} has a method {name!r}; give the parameter another name")
            self._enter(name, value, "parameter")
        elif kind is None and not isinstance(value, ModuleParts):
            if isinstance(value, (list, tuple, dict)):
                self._warn_of_hidden(name, value, stacklevel=3)
            super().__setattr__(name, value)
        elif kind == "parameter":
            if value is not None:
                raise TypeError(
                    f"{type(self).__name__}.{name} is a parameter, so it takes a Parameter or None, got "
                    f"{type(value).__name__}; wrap it in nn.Parameter(...), or write its values by copy_() under "
                    "no_grad()"
                )
            self.__dict__[name] = None
        elif isinstance(value, ModuleParts):
            self._enter(name, value, "module")
        elif value is not None and (kind == "module" or not isinstance(value, TensorBase)):
            what, wanted = ("part", "Module") if kind == "module" else ("buffer", "Tensor")
            raise TypeError(
                f"{type(self).__name__}.{name} is a {what}, so it takes a {wanted} or None, got "
                f"{type(value).__name__}; del it first to make it something else"
            )
        else:
            self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        self.__dict__.get("_kinds", {}).pop(name, None)
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name[:1].isdigit()]

    def __getstate__(self) -> dict[str, Any]:
        # a shallow copy must not go on to register in the module that it was made of
        return self.__dict__ | ({"_kinds": dict(self._kinds)} if "_kinds" in self.__dict__ else {})

    def _enter(self, name: str, value: Any, kind: str) -> None:
        """Register an attribute; a property of the class that has a setter keeps its right."""
        if hasattr(type(getattr(type(self), name, None)), "__set__"):
            super().__setattr__(name, value)
            return
        kinds = self.__dict__.setdefault("_kinds", {})
        if kinds.get(name) != kind and not (kind in _BUFFER and kinds.get(name) in _BUFFER):
            kinds.pop(name, None)  # what changes its kind comes last, as in PyTorch
        kinds[name] = kind
        self.__dict__[name] = value

    def _held(self, *kinds: str) -> list[tuple[str, Any]]:
        """Return name and value of what is registered as one of `kinds`, None among the values."""
        values = self.__dict__
        return [(name, values.get(name)) for name, kind in values.get("_kinds", {}).items() if kind in kinds]

    def _check_name(self, name: Any, what: str, kinds: tuple[str, ...]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a {what} is a string, got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"the name of a {what} is not empty and has no dot in it, got {name!r}")
        if hasattr(self, name) and self.__dict__.get("_kinds", {}).get(name) not in kinds:
            raise KeyError(f"{type(self).__name__} has an attribute {name!r} already; give the {what} another name")

    def _warn_of_hidden(self, name: str, value: Any, stacklevel: int) -> None:
        """Warn once of modules or parameters that lie in a plain list, tuple or dict, where nothing finds them."""
        first = next(iter(value.values() if isinstance(value, dict) else value), None)
        if not isinstance(first, (ModuleParts, Parameter)):
            return
        kind = type(self)
        if (key := (f"{kind.__module__}.{kind.__qualname__}", name)) in _hidden:
            return
        known = {id(module) for module in self.modules()}
        known |= {id(value) for module in self.modules() for _, value in module._held("parameter")}
        inside = value.values() if isinstance(value, dict) else value
        if all(id(part) in known for part in inside if isinstance(part, (ModuleParts, Parameter))):
            return
        _hidden.add(key)
        what, wanted = ("modules", "Module") if isinstance(first, ModuleParts) else ("parameters", "Parameter")
        wanted += "Dict" if isinstance(value, dict) else "List"
        warnings.warn(
            f"{kind.__name__}.{name} is a plain {type(value).__name__} of {what}, which are neither trained nor saved "
            f"nor moved with the module; use nn.{wanted}",
            stacklevel=stacklevel,
        )

    # Registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set a parameter by name; None keeps the name for one that is not there.

        Raises:
            KeyError: the name is empty, has a dot, or is that of something else.
            TypeError: it is no Parameter.
            ArgumentError: it is no leaf of the graph.
        """
        self._check_name(name, "parameter", _PARAMETER)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter takes a Parameter or None, got {type(param).__name__} for {name!r}")
        if param is not None and not param.is_leaf:
            raise ArgumentError(f"the parameter {name!r} is no leaf: compute it in forward(), or detach() it first")
        self._enter(name, param, "parameter")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set a tensor that belongs to the state but is not learned; a non-persistent one is not saved.

        Raises:
            KeyError: the name is empty, has a dot, or is that of something else.
            TypeError: it is no tensor.
        """
        self._check_name(name, "buffer", _BUFFER)
        if tensor is not None and not isinstance(tensor, TensorBase):
            raise TypeError(f"register_buffer takes a tensor or None, got {type(tensor).__name__} for {name!r}")
        self._enter(name, tensor, "buffer" if persistent else "transient")

    def add_module(self, name: str, module: "Module | None") -> None:
        """Set a module by name, which need not be an identifier; None keeps the name for one that is not there.

        Raises:
            KeyError: the name is empty, has a dot, or is that of something else.
            TypeError: it is no Module.
        """
        if module is not None and not isinstance(module, ModuleParts):
            raise TypeError(f"{type(self).__name__} takes modules, got {type(module).__name__} for {name!r}")
        self._check_name(name, "module", _MODULE)
        self._enter(name, module, "module")

    def register_module(self, name: str, module: "Module | None") -> None:
        """Set a module by name: another name of `add_module`."""
        self.add_module(name, module)

    # What it holds

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield name and module for each part, once each."""
        seen: set[int] = set()
        for name, module in self._held("module"):
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator["Module"]:
        """Yield each part."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: "set[Module] | None" = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, "Module"]]:
        """Yield name and module for this module and, depth first, every one inside it.

        Args:
            memo: modules that are passed over; those that come are added.
            prefix: put before the names.
            remove_duplicate: yield a module that is shared once, by its first name.
        """
        seen: set[Any] = set() if memo is None else memo
        stack: list[tuple[str, Any]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module is None or (remove_duplicate and module in seen):
                continue
            if remove_duplicate:
                seen.add(module)
            yield name, module
            stack.extend([(f"{name}.{key}" if name else key, part) for key, part in reversed(module._held("module"))])

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        """Yield this module and every one inside it."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield name and parameter for each parameter here and, with `recurse`, inside.

        `prefix` is put before the names; one that is shared comes once, by its first name, but for
        `remove_duplicate=False`.
        """
        return self._named_tensors(_PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield each parameter here and, with `recurse`, inside."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield name and tensor for each buffer; arguments as for `named_parameters`."""
        return self._named_tensors(_BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield each buffer here and, with `recurse`, inside."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_tensors(self, kinds: tuple[str, ...], prefix: str, recurse: bool, once: bool) -> Iterator[Any]:
        seen: set[int] = set()
        modules: Any = self.named_modules(prefix=prefix, remove_duplicate=once) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in module._held(*kinds):
                if value is None or (once and id(value) in seen):
                    continue
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value
            if kinds is _PARAMETER:
                for name, value in list(module.__dict__.items()):
                    if isinstance(value, (list, tuple, dict)) and value and name != "_kinds":
                        module._warn_of_hidden(name, value, stacklevel=4)  # one that was filled after it was set

    def get_submodule(self, target: str) -> "Module":
        """Return the module of a dotted name, such as "body.0"; "" is this module.

        Raises:
            AttributeError: there is none.
        """
        found: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(found, name):
                raise AttributeError(f"{type(found).__name__} has no attribute {name!r}, asked for {target!r}")
            found = getattr(found, name)
            if not isinstance(found, ModuleParts):
                raise AttributeError(f"{name!r} of {target!r} is no module but a {type(found).__name__}")
        return found

    def set_submodule(self, target: str, module: "Module", strict: bool = False) -> None:
        """Set the module of a dotted name; `strict` takes only a name that is there.

        Raises:
            ArgumentError: the name is empty, or what is given is no module.
            AttributeError: there is no module to set it in, or none to replace.
        """
        path, _, name = target.rpartition(".")
        if not name or not isinstance(module, ModuleParts):
            raise ArgumentError(f"set_submodule takes a name and a module, got {target!r}, {type(module).__name__}")
        parent = self.get_submodule(path)
        if strict or hasattr(parent, name):
            parent.get_submodule(name)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of a dotted name.

        Raises:
            AttributeError: there is none.
        """
        return self._get(target, _PARAMETER)

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of a dotted name.

        Raises:
            AttributeError: there is none.
        """
        return self._get(target, _BUFFER)

    def _get(self, target: str, kinds: tuple[str, ...]) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in dict(module._held(*kinds)):
            raise AttributeError(f"{type(module).__name__} has no {kinds[0]} {name!r}, asked for {target!r}")
        return getattr(module, name)

    @property
    def _modules(self) -> "_Registered":
        return _Registered(self, _MODULE)

    @property
    def _parameters(self) -> "_Registered":
        return _Registered(self, _PARAMETER)

    @property
    def _buffers(self) -> "_Registered":
        return _Registered(self, _BUFFER)


class _Registered(MutableMapping[str, Any]):
    """What is registered as one kind: a dict to scripts that reach for PyTorch's `_modules` and its like."""

    def __init__(self, module: ModuleParts, kinds: tuple[str, ...]) -> None:
        self._module, self._kinds = module, kinds

    def __getitem__(self, name: str) -> Any:
        return dict(self._module._held(*self._kinds))[name]

    def __setitem__(self, name: str, value: Any) -> None:
        former = self._module.__dict__.get("_kinds", {}).get(name)
        self._module._enter(name, value, former if former in self._kinds else self._kinds[0])

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._module._held(*self._kinds)])

    def __len__(self) -> int:
        return len(self._module._held(*self._kinds))

    def __repr__(self) -> str:
        return repr(dict(self))
