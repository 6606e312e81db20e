"""The part of a module that is called: `forward`, and the hooks around it."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd import Function, TensorBase, is_grad_enabled
from trainkit.autograd.hooks import RemovableHandle
from trainkit.errors import GradientError
from trainkit.nn.module_parts import ModuleParts

__all__ = ["ModuleHooks"]

Hook = Callable[..., Any]

_NO_TENSORS = (np.ndarray, np.generic, list, tuple, dict, int, float, type(None))

_used = False  # whether any module has hooks; a global is read faster than an attribute of the module


class _Hooks:
    """The hooks of one module, each kind by the ids of their handles, with what was said when they were registered."""

    def __new__(cls) -> "_Hooks":
        global _used
        _used = True  # also where a module with hooks is copied or unpickled
        return super().__new__(cls)

    def __init__(self) -> None:
        self.before: dict[int, tuple[Hook, bool]] = {}
        self.after: dict[int, tuple[Hook, bool, bool]] = {}
        self.backward_before: dict[int, Hook] = {}
        self.backward: dict[int, Hook] = {}


class ModuleHooks(ModuleParts):
    """What a call of a module does."""

    _hooks: _Hooks | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and the hooks that are registered.

        Raises:
            TypeError: `forward` needs a tensor and was given an array, a list, a number or None.
        """
        try:
            if _used and self._hooks is not None:
                return self._call_with_hooks(self._hooks, args, kwargs)
            return self.forward(*args, **kwargs) if kwargs else self.forward(*args)
        except AttributeError as error:
            given = error.obj
            if isinstance(given, _NO_TENSORS) and any(given is arg for arg in (*args, *kwargs.values())):
                raise TypeError(
                    f"{type(self).__name__} was given a {type(given).__name__} where it needs a tensor; make one with "
                    "as_tensor()"
                ) from error
            raise

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define `def forward(self, x): ...`")

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns takes the place of the positional arguments.

        Args:
            hook: returns None, a tuple, or one value for a single argument.
            prepend: run it before the other hooks.
            with_kwargs: call `hook(module, args, kwargs)`, which returns None or a pair of both.

        >>> import trainkit as tk
        >>> layer = tk.nn.ReLU()
        >>> handle = layer.register_forward_pre_hook(lambda module, args: -args[0])
        >>> layer(tk.tensor([-1.0, 2.0]))
        tensor([1., 0.])
        >>> handle.remove()
        """
        return self._registered("before", (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns, but for None, is the output.

        Args:
            hook: called.
            prepend: run it before the other hooks.
            with_kwargs: call `hook(module, args, kwargs, output)`.
            always_call: call it also where `forward` or a hook raises, with the output that there is, or None.

        >>> import trainkit as tk
        >>> layer, shapes = tk.nn.Linear(3, 2), []
        >>> handle = layer.register_forward_hook(lambda module, args, output: shapes.append(output.shape))
        >>> output = layer(tk.ones(4, 3))
        >>> shapes
        [(4, 2)]
        """
        return self._registered("after", (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known; it may return others.

        `grad_output` is a tuple, a gradient for each output; what is no tensor has None.
        """
        return self._registered("backward_before", hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        Both are tuples; `grad_input` has one for each positional argument, None where there is no gradient. What the
        hook returns, but for None, takes the place of `grad_input`. If no input requires grad it is called all the
        same, when `grad_output` is known.

        >>> import trainkit as tk
        >>> layer, norms = tk.nn.Linear(3, 2), []
        >>> handle = layer.register_full_backward_hook(lambda module, before, after: norms.append(after[0].norm()))
        >>> layer(tk.ones(4, 3)).sum().backward()
        >>> norms
        [tensor(2.8284)]
        """
        return self._registered("backward", hook, prepend)

    def _registered(self, kind: str, entry: Any, prepend: bool) -> RemovableHandle:
        if self._hooks is None:
            self._hooks = _Hooks()
        return registered(getattr(self._hooks, kind), entry, prepend)

    def _call_with_hooks(self, hooks: _Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = None
        done: set[int] = set()
        try:
            for hook, with_kwargs in list(hooks.before.values()):
                args, kwargs = _before(self, hook, with_kwargs, args, kwargs)
            watch = None
            if hooks.backward or hooks.backward_before:
                watch = _Watch(self, list(hooks.backward_before.values()), list(hooks.backward.values()))
                args = watch.enter(args)
            output = self.forward(*args, **kwargs)
            for key, (hook, with_kwargs, _) in list(hooks.after.items()):
                done.add(key)
                changed = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
                output = output if changed is None else changed
            return output if watch is None else watch.leave(output)
        except Exception:
            for key, (hook, with_kwargs, always) in list(hooks.after.items()):
                if not always or key in done:
                    continue
                try:
                    changed = hook(self, args, kwargs, output) if with_kwargs else hook(self, args, output)
                    output = output if changed is None else changed
                except Exception as error:  # noqa: BLE001 -- the error of forward goes on, whatever a hook does
                    warnings.warn(f"a forward hook with always_call raised, after another error: {error}", stacklevel=3)
            raise


def registered(hooks: dict[int, Any], entry: Any, prepend: bool = False) -> RemovableHandle:
    """Enter a hook, before the others or behind them."""
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    handle = RemovableHandle(hooks, entry)
    hooks.update(others)
    return handle


def _before(
    module: Any, hook: Hook, with_kwargs: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Run one hook before `forward` and return the arguments that it leaves."""
    changed = hook(module, args, kwargs) if with_kwargs else hook(module, args)
    if changed is None:
        return args, kwargs
    if not with_kwargs:
        return changed if isinstance(changed, tuple) else (changed,), kwargs
    if not isinstance(changed, tuple) or len(changed) != 2:
        raise RuntimeError(f"a forward pre-hook with kwargs returns None or (args, kwargs), got {changed!r}")
    return changed


class _Watch:
    """One call of a module whose backward is watched: its inputs and its outputs pass through a `_Pass` each."""

    def __init__(self, module: Any, before: list[Hook], after: list[Hook]) -> None:
        self.module, self.before, self.after = module, before, after
        self.inputs: list[int] | None = None
        self.count = 0
        self.grad_output: tuple[Any, ...] | None = None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments so that their gradients are seen."""
        self.count = len(args)
        args, self.inputs = _passed(args, self._at_inputs, True)
        return args

    def leave(self, output: Any) -> Any:
        """Return the output, a tensor or a tuple, so that its gradients are seen."""
        outputs = output if isinstance(output, tuple) else (output,)
        count = len(outputs)
        outputs, _ = _passed(outputs, lambda grads, places: self._at_outputs(grads, places, count), False)
        return outputs if isinstance(output, tuple) else outputs[0]

    def _at_outputs(self, grads: tuple[Any, ...], places: list[int], count: int) -> list[Any]:
        given = _spread(grads, places, count)
        for hook in self.before:
            changed = _tuple(hook(self.module, given))
            if changed is not None:
                given = _fitting(changed, count, "a full backward pre-hook", "outputs")
        self.grad_output = given
        if self.inputs is None:
            for hook in self.after:
                changed = _tuple(hook(self.module, (None,) * self.count, given))
                if changed is not None and any(part is not None for part in changed):
                    raise GradientError("no input requires grad, so a full backward hook has no gradient to replace")
            self.grad_output = None
        return [given[place] for place in places]

    def _at_inputs(self, grads: tuple[Any, ...], places: list[int]) -> list[Any]:
        if self.grad_output is None:  # the gradient came another way than through the outputs
            return list(grads)
        given = _spread(grads, places, self.count)
        for hook in self.after:
            changed = _tuple(hook(self.module, given, self.grad_output))
            if changed is not None:
                given = _fitting(changed, self.count, "a full backward hook", "inputs")
        self.grad_output = None
        return [given[place] for place in places]


class _Pass(Function):
    """Tensors as they are, whose gradients are handed to a function, all of them at once."""

    @staticmethod
    def forward(ctx: Any, seen: Any, zeros: bool, *tensors: Any) -> Any:
        ctx.seen = seen
        ctx.set_materialize_grads(zeros)
        ctx.mark_non_differentiable(*[tensor for tensor in tensors if not tensor.needs_grad])
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return None, None, *ctx.seen(grads)


def _passed(values: tuple[Any, ...], seen: Callable[..., Any], zeros: bool) -> tuple[tuple[Any, ...], list[int] | None]:
    """Pass the tensors among the values through a `_Pass`; return where they are, None if nothing requires grad.

    Where no gradient comes to a tensor, `zeros` says whether zeros are seen, or None.
    """
    places = [place for place, value in enumerate(values) if isinstance(value, TensorBase)]
    if not is_grad_enabled() or not any(values[place].requires_grad for place in places):
        return values, None
    tensors = _Pass.apply(lambda grads: seen(grads, places), zeros, *[values[place] for place in places])
    passed = list(values)
    for place, tensor in zip(places, tensors, strict=True):
        passed[place] = tensor
    return tuple(passed), places


def _tuple(value: Any) -> tuple[Any, ...] | None:
    return value if value is None or isinstance(value, tuple) else (value,)


def _spread(grads: tuple[Any, ...], places: list[int], count: int) -> tuple[Any, ...]:
    """Return the gradients at their places among `count`, None elsewhere."""
    spread: list[Any] = [None] * count
    for place, grad in zip(places, grads, strict=True):
        spread[place] = grad
    return tuple(spread)


def _fitting(changed: tuple[Any, ...], count: int, what: str, where: str) -> tuple[Any, ...]:
    if len(changed) != count:
        raise GradientError(f"{what} returned {len(changed)} gradients for {count} {where}")
    return changed
