"""Parameters that are computed of others by modules: a layer reads `weight`, and what is learned is `original`."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from trainkit.autograd import TensorBase, no_grad
from trainkit.errors import ArgumentError
from trainkit.nn.containers import ModuleDict, ModuleList
from trainkit.nn.parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]

_cache: dict[tuple[int, str], Any] = {}
_caching = 0


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once within a `with` block, such as one around a training step.

    >>> with cached():
    ...     pass
    """
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The modules that one after the other make a tensor of `original`, or of `original0`, `original1` and so on.

    Args:
        modules: parametrizations; where they have a `right_inverse`, it says what to begin with.
        original: the parameter or buffer.
        unsafe: shape and dtype may change.

    Raises:
        ArgumentError: the modules do not make a tensor of the same shape and dtype of it.
    """

    original: Any

    def __init__(self, modules: Sequence[Any], original: Any, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            first: Any = self._inverted(original.detach())
        self.is_tensor = isinstance(first, TensorBase)
        self.ntensors = 1 if self.is_tensor else len(first)
        if self.is_tensor:
            if original.array is not first.array:
                original.array = first.array
            self._register("original", original, original)
        else:
            for number, part in enumerate(first):
                new = Parameter(part) if isinstance(original, Parameter) else part
                self._register(f"original{number}", new, original)

    def _register(self, name: str, value: Any, like: Any) -> None:
        if isinstance(like, Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)

    def _inverted(self, value: Any) -> Any:
        for module in reversed(list(self)):
            inverse = getattr(module, "right_inverse", None)
            value = value if inverse is None else inverse(value)
        return value

    def originals(self) -> list[Any]:
        """Return what is learned."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Any) -> None:
        """Set what is learned so that `value` is made of it; this is what an assignment does.

        Raises:
            ArgumentError: the inverse has another form than what is learned.
        """
        with no_grad():
            made: Any = self._inverted(value.detach())
            parts: list[Any] = [made] if isinstance(made, TensorBase) else list(made)
            own = self.originals()
            if len(parts) != len(own) or any(a.shape != b.shape for a, b in zip(parts, own, strict=True)):
                raise ArgumentError(
                    f"the value has shape {tuple(value.shape)}, and its right inverse does not fit what is learned"
                )
            for target, part in zip(own, parts, strict=True):
                target.copy_(part)

    def forward(self) -> Any:
        """Make the tensor."""
        first, *others = self
        value: Any = first(*self.originals())
        for module in others:
            value = module(value)
        return value


def register_parametrization(module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False) -> Any:
    """Let a module compute one of its parameters or buffers; return the module.

    `module.weight` is then `parametrization(module.parametrizations.weight.original)`, anew each time it is read.
    A second parametrization takes what the first makes. An assignment to it goes through `right_inverse` of each, which
    may return several tensors; `forward` of the first takes as many.

    Args:
        module: a layer.
        tensor_name: the attribute.
        parametrization: a module.
        unsafe: shape and dtype may change.

    Raises:
        ArgumentError: there is no such parameter or buffer, or its shape or dtype would change.

    >>> import trainkit as tk
    >>> class Symmetric(tk.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = register_parametrization(tk.nn.Linear(3, 3), "weight", Symmetric())
    >>> tk.equal(layer.weight, layer.weight.T)
    True
    >>> list(layer.state_dict())
    ['bias', 'parametrizations.weight.original']
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        parts = module.parametrizations[tensor_name]
        with no_grad():
            before = parts()
            after = parametrization(before)
            _check(before, after, unsafe)
            inverse = getattr(parametrization, "right_inverse", None)
            if inverse is not None:
                parts.right_inverse(inverse(before))
        parts.append(parametrization)
        return module
    if module._parameters.get(tensor_name) is None and module._buffers.get(tensor_name) is None:
        raise ArgumentError(f"{type(module).__name__} has no parameter or buffer {tensor_name!r} to parametrize")
    original = getattr(module, tensor_name)
    former = original.array
    parts = ParametrizationList([parametrization], original, unsafe)
    try:
        with no_grad():
            shape, dtype = former.shape, former.dtype
            made = parts()
        if not unsafe and (tuple(made.shape) != shape or made.dtype != dtype):
            raise _refusal(shape, dtype, made)
    except Exception:
        original.array = former
        raise
    names = [tensor_name, *(module.parametrizations if is_parametrized(module) else ())]
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.parametrizations = ModuleDict()
    _set_class(module, type_before_parametrizations(module), names)
    module.parametrizations[tensor_name] = parts
    return module


def _check(before: Any, after: Any, unsafe: bool) -> None:
    if not unsafe and (after.shape != before.shape or after.dtype != before.dtype):
        raise _refusal(before.shape, before.dtype, after)


def _refusal(shape: Any, dtype: Any, made: Any) -> ArgumentError:
    return ArgumentError(
        f"the parametrization makes {made.dtype} of shape {tuple(made.shape)} of {dtype} of shape {tuple(shape)}; "
        "unsafe=True allows it"
    )


def _set_class(module: Any, base: type, names: Sequence[str]) -> None:
    """Give the module a class of its own, in which the names are properties; without names, its former class."""
    if not names:
        module.__class__ = base
        return

    def refuse(self: Any, protocol: int) -> Any:
        raise RuntimeError("a parametrized module is saved by its state_dict(), it cannot be pickled")

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        new = memo[id(self)] = object.__new__(type(self))
        new.__dict__.update(copy.deepcopy(self.__getstate__(), memo))
        return new

    body: dict[str, Any] = {name: _property(name) for name in names}
    body |= {"__reduce_ex__": refuse, "__deepcopy__": copied, "__module__": base.__module__, "_base": base}
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), body)


def _property(name: str) -> property:
    def read(self: Any) -> Any:
        parts = self.parametrizations[name]
        if not _caching:
            return parts()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = parts()
        return _cache[key]

    def write(self: Any, value: Any) -> None:
        _cache.pop((id(self), name), None)
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Tell whether a module computes an attribute, or with None any."""
    parts = module.__dict__.get("parametrizations")
    if not isinstance(parts, ModuleDict):
        return False
    return len(parts) > 0 if tensor_name is None else tensor_name in parts


def type_before_parametrizations(module: Any) -> type:
    """Return the class that a module had before it was parametrized."""
    return getattr(type(module), "_base", type(module))


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make an ordinary attribute of one that is computed; return the module.

    Args:
        module: a layer.
        tensor_name: the attribute.
        leave_parametrized: it keeps the value that is computed; if not, that of `original`.

    Raises:
        ArgumentError: it is not computed, or made of several tensors, of which none is it.
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(f"{type(module).__name__} has no parametrization of {tensor_name!r}")
    parts = module.parametrizations[tensor_name]
    if not leave_parametrized and not parts.is_tensor:
        raise ArgumentError(f"{tensor_name!r} is made of {parts.ntensors} tensors, so it has no original to go back to")
    with no_grad():
        value = parts()
    first = parts.originals()[0]
    if parts.is_tensor:
        new = parts.original
        if leave_parametrized:
            new.array = value.array
    else:
        new = Parameter(value) if isinstance(first, Parameter) else value
    del module.parametrizations[tensor_name]
    _set_class(module, type_before_parametrizations(module), list(module.parametrizations))
    if not module.parametrizations:
        del module.parametrizations
    if isinstance(first, Parameter):
        module.register_parameter(tensor_name, new)
    else:
        module.register_buffer(tensor_name, new)
    return module
