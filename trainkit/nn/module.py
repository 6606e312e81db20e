"""`Module`: what has parameters, buffers and modules as attributes, and a `forward`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from trainkit.autograd import Tensor, TensorBase, no_grad
from trainkit.autograd.backward import clear_gradients
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.nn.parameter import Parameter

__all__ = ["IncompatibleKeys", "Module"]


class IncompatibleKeys(NamedTuple):
    """The names that `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of every layer and network: subclass it, set parameters and modules as attributes, write `forward`.

    What is an attribute is found: a `Parameter` is a parameter, a `Module` is a part, a tensor given to
    `register_buffer` is saved with them but not learned.

    >>> import trainkit as tk
    >>> class Scale(tk.nn.Module):
    ...     def __init__(self):
    ...         self.factor = tk.nn.Parameter(tk.ones(1))
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """

    training = True
    _mode_when_thawed: bool | None = None  # not None: frozen, see nn.freeze

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`."""
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define `def forward(self, x): ...`")

    # What it holds

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set a tensor that belongs to the state but is not learned; a non-persistent one is not saved."""
        if not name.isidentifier():
            raise ArgumentError(f"the name of a buffer must be an identifier, got {name!r}")
        self.__dict__.setdefault("_persistent", {})[name] = persistent
        setattr(self, name, tensor)

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield name and module for each part."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def children(self) -> Iterator["Module"]:
        """Yield each part."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield name and module for this module and, depth first, every one inside it, each once."""
        seen: set[Module] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module in seen:
                continue
            seen.add(module)
            yield name, module
            parts = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
            stack.extend(reversed(parts))

    def modules(self) -> Iterator["Module"]:
        """Yield this module and every one inside it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield name and parameter for each parameter here and inside; one that is shared comes once."""
        seen: set[Parameter] = set()
        for name, value in self._named_tensors():
            if isinstance(value, Parameter) and value not in seen:
                seen.add(value)
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield each parameter here and inside."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield name and tensor for each buffer here and inside."""
        return ((name, value) for name, value in self._named_tensors() if not isinstance(value, Parameter))

    def buffers(self) -> Iterator[Tensor]:
        """Yield each buffer here and inside."""
        return (buffer for _, buffer in self.named_buffers())

    def _named_tensors(self, persistent_only: bool = False) -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter and buffer by its full name, in the order in which they were set."""
        for prefix, module in self.named_modules():
            buffers: dict[str, bool] = vars(module).get("_persistent", {})
            for name, value in vars(module).items():
                wanted = buffers[name] or not persistent_only if name in buffers else isinstance(value, Parameter)
                if wanted and isinstance(value, Tensor):
                    yield f"{prefix}.{name}" if prefix else name, value

    # Its state

    def state_dict(self) -> dict[str, Tensor]:
        """Return every parameter and persistent buffer by name, detached; they share the module's memory."""
        return {name: value.detach() for name, value in self._named_tensors(persistent_only=True)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy the values of `state_dict`, tensors or arrays by name, into the parameters and buffers.

        Args:
            state_dict: as `state_dict()` returns it.
            strict: every name must be on both sides.

        Raises:
            CheckpointError: names or shapes do not fit; nothing has been copied then.
        """
        own = dict(self._named_tensors(persistent_only=True))
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        arrays = {
            name: value.array if isinstance(value, TensorBase) else np.asarray(value)
            for name, value in state_dict.items()
            if name in own
        }
        faults = [
            f"{name} has shape {array.shape} in the state dict, {own[name].shape} in the module"
            for name, array in arrays.items()
            if array.shape != own[name].shape
        ]
        if strict and missing:
            faults.append(f"missing: {', '.join(missing)}")
        if strict and unexpected:
            faults.append(f"not part of the module: {', '.join(unexpected)}")
        if faults:
            hint = "" if not strict or not (missing or unexpected) else "; strict=False passes over names"
            raise CheckpointError(f"the state dict does not fit {type(self).__name__}: {'; '.join(faults)}{hint}")
        for name, array in arrays.items():
            with no_grad():
                own[name].copy_(array)
        return IncompatibleKeys(missing, unexpected)

    # Its modes

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and inside: dropout drops, batch norm takes the batch's statistics.

        A layer whose statistics are frozen (`nn.freeze`) stays in evaluation; the mode is kept for its thaw.
        """
        for module in self.modules():
            if module.is_frozen:
                module._mode_when_thawed, module.training = mode, False
            else:
                module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and inside."""
        return self.train(False)

    @property
    def is_frozen(self) -> bool:
        """Whether this module is held in evaluation, by `nn.freeze`."""
        return self._mode_when_thawed is not None

    def hold_in_evaluation(self, held: bool = True) -> None:
        """Stay in evaluation whatever `train()` says, or take the mode again that was said last."""
        if held and not self.is_frozen:
            self._mode_when_thawed, self.training = self.training, False
        elif not held and self._mode_when_thawed is not None:
            self.training, self._mode_when_thawed = self._mode_when_thawed, None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or thaw every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        clear_gradients(self.parameters(), set_to_none)

    def apply(self, function: Callable[["Module"], None]) -> Self:
        """Call `function` with every module inside, then with this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def to(self, *args: Any, dtype: Any = None) -> Self:
        """Cast floating point parameters and buffers to a dtype; the device "cpu" is accepted."""
        for _, tensor in self._named_tensors():
            if tensor.is_floating_point():
                cast = tensor.detach().to(*args, dtype=dtype)
                if cast.dtype != tensor.dtype:
                    tensor.array, tensor.grad = cast.array, None
        return self

    def float(self) -> Self:
        """Cast to float32."""
        return self.to("float32")

    def double(self) -> Self:
        """Cast to float64."""
        return self.to("float64")

    # How it looks

    def extra_repr(self) -> str:
        """Return what stands between the brackets of the repr."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        inner = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({inner})"
        return "\n  ".join([f"{type(self).__name__}({inner}", *lines]) + "\n)"
