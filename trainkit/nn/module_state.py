"""The part of a module that is saved and loaded."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from trainkit.autograd import TensorBase, no_grad, tensor
from trainkit.autograd.hooks import RemovableHandle
from trainkit.errors import CheckpointError
from trainkit.nn.module_hooks import ModuleHooks, registered
from trainkit.nn.parameter import Parameter

__all__ = ["IncompatibleKeys", "ModuleState"]

_EXTRA = "_extra_state"
_PENDING = "pending"


class IncompatibleKeys(NamedTuple):
    """The names that `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class _Change(NamedTuple):
    """What loading does to one tensor of one module once it is known that all fits."""

    module: Any
    name: str
    own: Any
    value: Any
    assign: bool

    def make(self) -> None:
        if not self.assign:
            with no_grad():
                self.own.copy_(self.value.array if isinstance(self.value, TensorBase) else self.value)
            return
        new = self.value if isinstance(self.value, TensorBase) else tensor(self.value)
        if isinstance(self.own, Parameter):
            new = new if isinstance(new, Parameter) else Parameter(new, requires_grad=False)
            new.requires_grad_(self.own.requires_grad)
        setattr(self.module, self.name, new)

    def undo(self, former: Any) -> None:
        setattr(self.module, self.name, self.own)
        with no_grad():
            self.own.copy_(former)


class ModuleState(ModuleHooks):
    """What a module saves, and how it takes it back."""

    _version: int | None = 1  # of what it saves: kept in `state_dict()._metadata`, as PyTorch does
    _state_hooks: dict[str, dict[int, Any]] | None = None

    def state_dict(self, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> dict[str, Any]:
        """Return every parameter and persistent buffer by name, detached; they share the module's memory.

        A parameter that is shared is there under each of its names.

        Args:
            destination: the dict that is filled and returned; None makes one.
            prefix: put before the names.
            keep_vars: return parameters and buffers themselves.

        >>> import trainkit as tk
        >>> list(tk.nn.Linear(2, 3).state_dict(prefix="head."))
        ['head.weight', 'head.bias']
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._hooks_of("before_state"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._held("module"):
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of("after_state"):
            if hook(self, destination, prefix, metadata) is not None:
                raise RuntimeError("a state dict hook changes the dict in place and returns None")
        return destination

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy the values of `state_dict`, tensors or arrays by name, into the parameters and buffers.

        Args:
            state_dict: as `state_dict()` returns it.
            strict: every name must be on both sides.
            assign: put the tensors of the dict in the place of the module's own, whose dtype is lost then.

        Returns:
            the names that are missing and those that are not part of the module: `missing_keys`, `unexpected_keys`.

        Raises:
            CheckpointError: names or shapes do not fit, all of them named; nothing has been changed then.
            TypeError: it is no dict.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict takes a dict of tensors by name, got {type(state_dict).__name__}")
        metadata = getattr(state_dict, "_metadata", None) or {}
        keys = IncompatibleKeys([], [])
        faults: list[str] = []
        pending: list[Any] = []
        hooks: list[tuple[Any, Callable[..., Any]]] = []

        def collect(module: Any, state: Any, prefix: str) -> None:
            local = {**metadata.get(prefix[:-1], {}), "assign_to_params_buffers": assign, _PENDING: pending}
            module._load_from_state_dict(state, prefix, local, True, *keys, faults)
            for name, child in module._held("module"):
                if child is not None:
                    start = f"{prefix}{name}."
                    collect(child, OrderedDict([pair for pair in state.items() if pair[0].startswith(start)]), start)
            hooks.extend([(module, hook) for hook in module._hooks_of("after_load")])

        collect(self, OrderedDict(state_dict), "")
        doubtful = strict and any(keys)  # a hook may still excuse names that are missing
        if faults or (doubtful and not hooks):
            raise self._misfit(faults, keys, strict)
        formers = [(c, c.own.array.copy()) for c in pending if doubtful and isinstance(c, _Change)]
        for change in pending:
            change.make()
        for module, hook in hooks:
            if hook(module, keys) is not None:
                raise RuntimeError("a hook after load_state_dict changes the lists of names in place and returns None")
        if strict and any(keys):
            for change, former in formers:
                change.undo(former)
            raise self._misfit(faults, keys, strict)
        return keys

    def _misfit(self, faults: list[str], keys: IncompatibleKeys, strict: bool) -> CheckpointError:
        texts = list(faults)
        if strict and keys.missing_keys:
            texts.append(f"missing: {', '.join(keys.missing_keys)}")
        if strict and keys.unexpected_keys:
            texts.append(f"not part of the module: {', '.join(keys.unexpected_keys)}")
        hint = "; strict=False passes over names" if strict and any(keys) else ""
        return CheckpointError(f"the state dict does not fit {type(self).__name__}: {'; '.join(texts)}{hint}")

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Write what this module has itself, its parts apart; to be overridden by those that save otherwise."""
        for name, value in self._held("parameter") + self._held("buffer"):
            if value is not None:
                destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not ModuleState.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Check what this module has itself against `state_dict`, and note what is to be copied.

        To be overridden by those that load otherwise, as in PyTorch; `state_dict` may be changed first. The lists take
        what does not fit. Nothing is copied before every module has agreed.
        """
        for hook in self._hooks_of("before_load"):
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        changes: list[Any] = []
        own = {name: value for name, value in self._held("parameter") + self._held("buffer") if value is not None}
        for name, value in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            given = state_dict[key]
            array = given.array if isinstance(given, TensorBase) else _as_array(given)
            if array is None:
                error_msgs.append(f"{key} is a {type(given).__name__} in the state dict, expected a tensor or an array")
            elif array.shape != value.array.shape:
                error_msgs.append(f"{key} has shape {array.shape} in the state dict, {value.array.shape} in the module")
            else:
                assign = local_metadata.get("assign_to_params_buffers", False)
                changes.append(_Change(self, name, value, given if isinstance(given, TensorBase) else array, assign))
        extra = prefix + _EXTRA
        if type(self).set_extra_state is not ModuleState.set_extra_state:
            if extra in state_dict:
                changes.append(_ExtraState(self, state_dict[extra]))
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            parts = dict(self._held("module"))
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    name, dot, _ = key[len(prefix) :].partition(".")
                    if name not in (parts if dot else own):
                        unexpected_keys.append(key)
        if _PENDING in local_metadata:
            local_metadata[_PENDING].extend(changes)
        else:
            for change in changes:
                change.make()

    def get_extra_state(self) -> Any:
        """Return what else is saved, under the name `_extra_state`; to be overridden together with `set_extra_state`.

        It must be something that can be saved: for `trainkit.save`, numbers, strings, arrays, and dicts and lists of
        them.
        """
        raise RuntimeError(f"{type(self).__name__} has no extra state; define get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned; to be overridden."""
        raise RuntimeError(f"{type(self).__name__} has no extra state; define set_extra_state()")

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's state is written."""
        return self._register_state_hook("before_state", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` when it is; it may change the dict in place."""
        return self._register_state_hook("after_state", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook before the module takes its part of a state dict, which it may change in place.

        It gets `(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`.
        """
        return self._register_state_hook("before_load", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` when the module is loaded; names that it removes are excused."""
        return self._register_state_hook("after_load", hook)

    def _register_state_hook(self, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
        if self._state_hooks is None:
            self._state_hooks = {}
        return registered(self._state_hooks.setdefault(kind, {}), hook)

    def _hooks_of(self, kind: str) -> list[Callable[..., Any]]:
        return [] if self._state_hooks is None else list(self._state_hooks.get(kind, {}).values())


class _ExtraState(NamedTuple):
    """The call of `set_extra_state` that waits until it is known that all fits."""

    module: Any
    state: Any

    def make(self) -> None:
        self.module.set_extra_state(self.state)


def _as_array(value: Any) -> Any:
    """Return an array of numbers, or None where the value is none."""
    array = np.asarray(value) if hasattr(value, "__array__") or isinstance(value, (int, float)) else None
    return array if array is not None and array.dtype.kind in "fiub" else None
