"""`Optimizer`: parameter groups, state and bookkeeping; a subclass adds its state and its update on ndarrays."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, TensorBase, enable_grad
from trainkit.autograd.backward import clear_gradients
from trainkit.errors import ArgumentError, CheckpointError

__all__ = ["Optimizer"]

Group = dict[str, Any]
State = dict[str, Any]


class Optimizer:
    """The base of all optimizers.

    A subclass has `update(group, params, grads, states)`: it changes the arrays `params` in place, given their
    gradients, and keeps what it needs in `states`, a dict for each parameter. Gradients, groups, `state_dict` and the
    versions that the graph checks are seen to here.

    Args:
        params: parameters, or groups: dicts with "params" and options of their own.
        defaults: the options of a group that names none.

    Attributes:
        param_groups: dicts with "params" and options; change `group["lr"]` to change the rate.
        state: for each parameter that has had a step, a dict of plain values and ndarrays.
    """

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        if isinstance(params, TensorBase):
            raise ArgumentError(
                f"{type(self).__name__} takes an iterable of parameters, got one tensor; put it in a list"
            )
        self.defaults = dict(defaults)
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}
        given = list(params)
        if not given:
            raise ArgumentError(
                f"{type(self).__name__} got no parameters; is the module empty, or an iterator used up?"
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Group) -> None:
        """Add parameters with options of their own.

        Raises:
            ArgumentError: something in it is no leaf tensor, or is in another group already, or an option is unknown.
        """
        params = [group["params"]] if isinstance(group["params"], TensorBase) else list(group["params"])
        taken = {id(param) for other in self.param_groups for param in other["params"]}
        for param in params:
            if not isinstance(param, Tensor) or not param.is_leaf:
                raise ArgumentError(f"{type(self).__name__} can change leaf tensors only, got {_describe(param)}")
            if not param.is_contiguous():
                raise ArgumentError(f"{type(self).__name__} needs contiguous parameters, got {_describe(param)}")
            if id(param) in taken:
                raise ArgumentError(f"a parameter is in two groups or twice in one: {_describe(param)}")
            taken.add(id(param))
        unknown = group.keys() - self.defaults.keys() - {"params"}
        if unknown:
            raise ArgumentError(
                f"{type(self).__name__} has no option {', '.join(sorted(unknown))}; it has {', '.join(self.defaults)}"
            )
        self.param_groups.append({**self.defaults, **group, "params": params})

    def update(self, group: Group, params: list[Any], grads: list[Any], states: list[State]) -> None:
        """Change the arrays `params`, all of one group and each with a gradient; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; called first.

        Returns:
            what the closure returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            tensors = [param for param in group["params"] if param.grad is not None]
            if not tensors:
                continue
            states = [self.state.setdefault(tensor, {}) for tensor in tensors]
            self.update(group, [tensor.array for tensor in tensors], [tensor.grad.array for tensor in tensors], states)
            for tensor in tensors:
                tensor.version[0] += 1
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        clear_gradients(self._params(), set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state in PyTorch's layout: parameters by their number, arrays shared with the optimizer."""
        number = {param: i for i, param in enumerate(self._params())}
        return {
            "state": {number[param]: dict(state) for param, state in self.state.items() if state},
            "param_groups": [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a copy of a state that `state_dict` gave, of an optimizer with the same groups.

        Raises:
            CheckpointError: the groups have other numbers of parameters, or an array another shape.
        """
        groups, params = state_dict["param_groups"], self._params()
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise CheckpointError(f"the state is of groups of {sizes} parameters, this optimizer has groups of {own}")
        state = {params[int(i)]: {k: _copied(v) for k, v in s.items()} for i, s in state_dict["state"].items()}
        for param, values in state.items():
            for name, value in values.items():
                if isinstance(value, np.ndarray) and value.shape not in ((), param.shape):
                    raise CheckpointError(f"{name} has shape {value.shape} in the state, its parameter {param.shape}")
        self.state = state
        for group, loaded in zip(self.param_groups, groups, strict=True):
            group.update({key: value for key, value in loaded.items() if key != "params"})

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def __repr__(self) -> str:
        lines = [type(self).__name__ + " ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"  group {i}: {len(group['params'])} parameters")
            lines += [f"    {key}: {value}" for key, value in group.items() if key != "params"]
        return "\n".join([*lines, ")"])


def at_least(name: str, value: float, least: float) -> None:
    """Raise unless an option is a number of at least `least`."""
    if not value >= least:
        raise ArgumentError(f"{name} must be at least {least}, got {value}")


def _copied(value: Any) -> Any:
    return (
        value.array.copy()
        if isinstance(value, TensorBase)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
    )


def _describe(param: Any) -> str:
    if not isinstance(param, Tensor):
        return f"a {type(param).__name__}"
    return f"a tensor of shape {param.shape}" + ("" if param.is_leaf else f" computed by {param.node!r}")
