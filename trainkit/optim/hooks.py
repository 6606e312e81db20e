"""Hooks of optimizers: what runs before and after a step, and around the state dicts."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from trainkit.autograd.hooks import RemovableHandle

__all__ = ["OptimizerHooks", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

_everywhere_before: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_everywhere_after: OrderedDict[int, Callable[..., Any]] = OrderedDict()


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run a hook before every step of every optimizer; see `Optimizer.register_step_pre_hook`."""
    return RemovableHandle(_everywhere_before, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run a hook after every step of every optimizer; see `Optimizer.register_step_post_hook`."""
    return RemovableHandle(_everywhere_after, hook)


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Make of a `step` one that runs the hooks once, also where it calls the `step` of its base class."""

    @functools.wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if self._stepping or not (self._before or self._after or _everywhere_before or _everywhere_after):
            return step(self, *args, **kwargs)
        self._stepping, given = True, (self, *args)
        try:
            for hook in [*_everywhere_before.values(), *self._before.values()]:
                changed = hook(self, given, kwargs)
                if changed is None:
                    continue
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(f"a hook before step() returns None or (args, kwargs), got {changed!r}")
                given, kwargs = changed
            result = step(*given, **kwargs)
            for hook in [*self._after.values(), *_everywhere_after.values()]:
                hook(self, given, kwargs)
        finally:
            self._stepping = False
        return result

    return run


class OptimizerHooks:
    """The part of an optimizer that keeps its hooks."""

    _opt_called = False  # the name that scripts written for PyTorch set
    _stepping = False

    def __init__(self) -> None:
        self._before: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._after: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._before_state: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._after_state: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._before_load: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._after_load: OrderedDict[int, Callable[..., Any]] = OrderedDict()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in cls.__dict__:
            cls.step = hooked(cls.__dict__["step"])  # type: ignore[attr-defined]

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before every step; it may return (args, kwargs) to be used instead.

        `args` begins with the optimizer, as in PyTorch.
        """
        return RemovableHandle(self._before, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after every step."""
        return RemovableHandle(self._after, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before a state dict is made; with `prepend` before the other hooks."""
        return _registered(self._before_state, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` when a state dict was made; it may return another one."""
        return _registered(self._after_state, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before one is loaded; it may return another one."""
        return _registered(self._before_load, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` when a state dict was loaded."""
        return _registered(self._after_load, hook, prepend)


def _registered(hooks: OrderedDict[int, Any], hook: Callable[..., Any], prepend: bool) -> RemovableHandle:
    handle = RemovableHandle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle
