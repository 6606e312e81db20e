"""`Optimizer`: parameter groups, state and bookkeeping; a subclass adds its state and its update on ndarrays."""

import copy
import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trainkit.autograd import Tensor, TensorBase, enable_grad, get_default_dtype
from trainkit.autograd.backward import clear_gradients
from trainkit.autograd.op import wrap
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.optim.hooks import (
    OptimizerHooks,
    hooked,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

Group = dict[str, Any]
State = dict[str, Any]
Arrays = list[Any]


class Optimizer(OptimizerHooks):
    """The base of all optimizers.

    A subclass has `update(group, params, grads, states)`: it changes the arrays `params` in place, given their
    gradients, and keeps what it needs in `states`, a dict for each parameter. Gradients, groups, `state_dict`, hooks
    and the versions that the graph checks are seen to here. One that has a `step` of its own, as in PyTorch, works on
    `param_groups` and `state` itself.

    Args:
        params: parameters, pairs of a name and a parameter, or groups: dicts with "params" and options of their own.
        defaults: the options of a group that names none.

    Attributes:
        param_groups: dicts with "params" and options; change `group["lr"]` to change the rate.
        state: for each parameter that has had a step, a dict of tensors and plain numbers.
        counters: the names of the plain numbers in the state; in `state_dict()` they are tensors, as in PyTorch.
    """

    counters: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        super().__init__()
        if isinstance(params, TensorBase):
            raise TypeError(f"{type(self).__name__} takes an iterable of parameters, got one tensor; put it in a list")
        self.defaults = dict(defaults)
        self.param_groups: list[Group] = []
        self.state: dict[Any, State] = defaultdict(dict)
        given = list(params)
        if not given:
            raise ArgumentError(
                f"{type(self).__name__} got no parameters; is the module empty, or an iterator used up?"
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with options of their own; keys that are no options are kept.

        Raises:
            ArgumentError: a parameter is no leaf or in a group already, or an option seems misspelt.
            TypeError: something in it is no tensor, or the parameters have no order.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f'a group is a dict with "params", got a {type(param_group).__name__}')
        name, given = type(self).__name__, param_group["params"]
        if isinstance(given, (set, frozenset)):
            raise TypeError(f"{name} needs the parameters in order, and a set has none; use a list")
        pairs = [given] if isinstance(given, TensorBase) else list(given)
        names = [pair[0] for pair in pairs if isinstance(pair, tuple)]
        params = [pair[1] if isinstance(pair, tuple) else pair for pair in pairs]
        if names and len(names) != len(params):
            raise ArgumentError(f"{name} needs names for all parameters or for none; {len(names)} have one")
        taken = {id(param) for other in self.param_groups for param in other["params"]}
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"{name} can change tensors only, got a {type(param).__name__}")
            if not param.is_leaf:
                raise ArgumentError(f"{name} can change leaf tensors only, got {_describe(param)}")
            if id(param) in taken:
                raise ArgumentError(f"a parameter is in two groups or twice in one: {_describe(param)}")
            taken.add(id(param))
        for key in param_group.keys() - self.defaults.keys() - {"params"}:
            if near := difflib.get_close_matches(str(key), self.defaults, 1, 0.86):
                raise ArgumentError(f"{name} has no option {key}; did you mean {near[0]}?")
        group = {**self.defaults, **param_group, "params": params}
        if names:
            group["param_names"] = names
        if any(("param_names" in other) != ("param_names" in group) for other in self.param_groups):
            raise ArgumentError(f"{name} needs names for the parameters of all groups or of none")
        self.param_groups.append(group)

    def update(self, group: Group, params: Arrays, grads: Arrays, states: list[State]) -> None:
        """Change the arrays `params`, all of one group and each with a gradient; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    @hooked
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; called first.

        Returns:
            what the closure returned.

        Raises:
            ShapeError: a gradient has not the shape of its parameter.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        state = self.state
        for group in self.param_groups:
            tensors = [param for param in group["params"] if param.grad is not None]
            if not tensors:
                continue
            params, grads = [tensor.array for tensor in tensors], [tensor.grad.array for tensor in tensors]
            self.update(group, params, grads, [state[tensor] for tensor in tensors])
            for tensor in tensors:
                tensor.version[0] += 1
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        clear_gradients(self._params(), set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state in PyTorch's layout: parameters by their number, tensors shared with the optimizer."""
        for hook in list(self._before_state.values()):
            hook(self)
        number = {param: i for i, param in enumerate(self._params())}
        real = np.float64 if get_default_dtype() == np.float64 else np.float32
        states = {
            number[param]: {k: wrap(np.array(v, real)) if k in self.counters else v for k, v in state.items()}
            for param, state in self.state.items()
            if state and param in number
        }
        groups = [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups]
        result: dict[str, Any] = {"state": states, "param_groups": groups}
        for hook in list(self._after_state.values()):
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a copy of a state that `state_dict` gave, of an optimizer with the same groups.

        Tensors may also be arrays; they take the dtype of their parameter.

        Raises:
            CheckpointError: the groups have other numbers of parameters, or an array another shape.
        """
        state_dict = dict(state_dict)
        for hook in list(self._before_load.values()):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        groups = state_dict["param_groups"]
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise CheckpointError(f"the state is of groups of {sizes} parameters, this optimizer has groups of {own}")
        numbers = [int(number) for group in groups for number in group["params"]]
        params = dict(zip(numbers, self._params(), strict=True))
        loaded: dict[Any, State] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if int(number) not in params:
                raise CheckpointError(f"the state has values for parameter {number}, which is in none of its groups")
            param = params[int(number)]
            loaded[param] = {name: self._loaded(name, value, param) for name, value in values.items()}
        self.state = loaded
        for group, saved in zip(self.param_groups, groups, strict=True):
            kept = {"params": group["params"]}
            if "param_names" in group:
                kept["param_names"] = group["param_names"]
            group.update({**copy.deepcopy({k: v for k, v in saved.items() if k != "params"}), **kept})
        for hook in list(self._after_load.values()):
            hook(self)

    def _loaded(self, name: str, value: Any, param: Tensor) -> Any:
        """Return what the state of a parameter is to hold for a loaded value."""
        if name in self.counters:
            number = float(value.item() if hasattr(value, "item") else value)
            return int(number) if name == "step" else number
        if not isinstance(value, (TensorBase, np.ndarray)):
            return copy.deepcopy(value)
        array = value.array if isinstance(value, TensorBase) else value
        if array.shape not in ((), param.shape):
            raise CheckpointError(f"{name} has shape {array.shape} in the state, its parameter {tuple(param.shape)}")
        return wrap(np.array(array, param.dtype))

    def _params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        OptimizerHooks.__init__(self)  # hooks stay behind, as in PyTorch
        self.__dict__.update(state)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
        return text + ")"


def at_least(least: float, **options: Any) -> None:
    """Raise unless each option is a number, or a tensor of one, of at least `least`."""
    for name, value in options.items():
        if isinstance(value, TensorBase) and value.array.size != 1:
            raise ArgumentError(f"{name} must be one number, got a tensor of shape {value.array.shape}")
        if not value >= least:
            raise ArgumentError(f"{name} must be at least {least}, got {value}")


def check_betas(betas: Sequence[Any]) -> tuple[Any, ...]:
    """Return the two decay rates as a tuple; raise unless both are in [0, 1)."""
    if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):
        raise ArgumentError(f"betas must be two numbers in [0, 1), got {betas}")
    return tuple(betas)


def inert(**options: Any) -> dict[str, Any]:
    """Return the options that choose among PyTorch's implementations; here there is one, so they change nothing.

    Raises:
        ArgumentError: one asks for what this one does not do.
    """
    if options.get("capturable"):
        raise ArgumentError("capturable=True is for CUDA graphs, which are not supported; leave it out")
    if options.get("differentiable"):
        raise ArgumentError("differentiable=True is not supported: steps are not recorded in the graph; leave it out")
    if options.get("foreach") and options.get("fused"):
        raise ArgumentError("foreach and fused cannot both be True; leave both out: steps are fused always")
    return options


def count_steps(states: list[State]) -> list[int]:
    """Count one step more in each state."""
    steps = []
    for state in states:
        state["step"] = step = state.get("step", 0) + 1
        steps.append(step)
    return steps


def alike(keys: list[Any], *lists: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield each different key with the items of the lists that have it: as a rule one key with all items.

    A parameter that was frozen for a while is at another step than its neighbours.
    """
    if keys.count(keys[0]) == len(keys):
        yield keys[0], *lists
        return
    for key in dict.fromkeys(keys):
        places = [i for i, other in enumerate(keys) if other == key]
        yield key, *([items[i] for i in places] for items in lists)


def gather(states: list[State], name: str, params: Arrays, value: float = 0.0) -> Arrays:
    """Return the arrays of one name of all states; those that are not there begin filled with `value`."""
    try:
        return [state[name].array for state in states]
    except (KeyError, AttributeError):
        for state, param in zip(states, params, strict=True):
            held = state.get(name)
            if not isinstance(held, TensorBase):
                state[name] = wrap(np.full_like(param, value) if held is None else held)
        return [state[name].array for state in states]


def _describe(param: Tensor) -> str:
    return f"a tensor of shape {tuple(param.shape)}" + ("" if param.is_leaf else f" computed by {param.node!r}")
