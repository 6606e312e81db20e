"""Freeze parts of a model: parameters that do not move, layers that keep their statistics.

What is frozen has names: those of parameters, which take no gradient, and those of buffers, whose module stays in
evaluation whatever `train()` says.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, TypeAlias

from trainkit.autograd import Tensor
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["chosen_names", "freeze", "frozen_names", "load_frozen_names", "unfreeze"]

Target: TypeAlias = Module | str | Callable[[str, Tensor], bool]


def freeze(model: Module, *targets: Target) -> list[str]:
    """Let parts of a model stay as they are: no gradient, no step of an optimizer, no new statistics.

    A frozen parameter loses the gradient that it has, and its momentum and weight decay rest with it. A layer whose
    buffers are frozen, such as a BatchNorm, uses its statistics and does not change them, also after another `train()`.
    Dropout in a frozen module goes on to drop.

    Args:
        model: the model.
        targets: what to freeze; all of it if there are none. A module inside; a pattern of names with `*`, `?` and
            `[...]`, such as "conv1.*"; or a function of name and tensor that tells. Names are those of parameters and
            buffers, as in `state_dict()`.

    Returns:
        the names that are frozen now and were not before.

    Raises:
        ArgumentError: a target fits nothing in the model.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.Linear(3, 1))
    >>> freeze(net, "0.*")
    ['0.weight', '0.bias']
    >>> [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    ['1.weight', '1.bias']
    """
    before = set(frozen_names(model))
    _set(model, chosen_names(model, targets, "freeze"), True)
    return [name for name in frozen_names(model) if name not in before]


def unfreeze(model: Module, *targets: Target) -> list[str]:
    """Take back what `freeze` did, all of it or parts; a layer goes back to the mode that it would have without it.

    Args:
        model: the model.
        targets: as for `freeze`.

    Returns:
        the names that were frozen and are not any more.

    Raises:
        ArgumentError: a target fits nothing in the model.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Linear(2, 3), tk.nn.BatchNorm2d(3))
    >>> frozen = freeze(net)
    >>> unfreeze(net, net[1])
    ['1.weight', '1.bias', '1.running_mean', '1.running_var', '1.num_batches_tracked']
    >>> frozen_names(net)
    ['0.weight', '0.bias']
    """
    before = frozen_names(model)
    _set(model, chosen_names(model, targets, "unfreeze"), False)
    kept = set(frozen_names(model))
    return [name for name in before if name not in kept]


def frozen_names(model: Module) -> list[str]:
    """Return the names of the parameters that take no gradient and of the buffers that are frozen.

    >>> import trainkit as tk
    >>> frozen_names(tk.nn.Linear(2, 3).requires_grad_(False))
    ['weight', 'bias']
    """
    return [name for name, tensor, owner in _tensors(model) if _is_frozen(tensor, owner)]


def load_frozen_names(model: Module, names: Iterable[str]) -> None:
    """Freeze what `frozen_names` gave, and unfreeze everything else.

    Raises:
        CheckpointError: the model has no such names; nothing has been changed then.

    >>> import trainkit as tk
    >>> net = tk.nn.Linear(2, 3)
    >>> load_frozen_names(net, ["bias"])
    >>> net.weight.requires_grad, net.bias.requires_grad
    (True, False)
    """
    wanted = list(names)
    known = {name for name, _, _ in _tensors(model)}
    if unknown := [name for name in wanted if name not in known]:
        raise CheckpointError(
            f"the frozen names do not fit {type(model).__name__}: it has no {', '.join(unknown)}; build the model "
            "that they were saved of"
        )
    frozen = set(wanted)
    _set(model, {name for name in frozen_names(model) if name not in frozen}, False)
    _set(model, frozen, True)


def _tensors(model: Module) -> Iterator[tuple[str, Tensor, Module]]:
    """Yield each parameter and buffer with its name and the module that has it; one that is shared comes once."""
    seen: set[int] = set()
    for prefix, module in model.named_modules():
        own = chain(module.named_parameters(prefix, recurse=False), module.named_buffers(prefix, recurse=False))
        for name, value in own:
            if id(value) not in seen:
                seen.add(id(value))
                yield name, value, module


def _is_frozen(tensor: Tensor, owner: Module) -> bool:
    return not tensor.requires_grad if isinstance(tensor, Parameter) else owner.is_frozen


def chosen_names(model: Module, targets: Sequence[Target], what: str) -> set[str]:
    """Return the names that targets stand for, as `freeze` takes them.

    Args:
        model: the model.
        targets: modules, patterns and functions; all names if there are none.
        what: asks, for the error.

    Raises:
        ArgumentError: a target fits nothing in the model.

    >>> import trainkit as tk
    >>> sorted(chosen_names(tk.nn.Linear(2, 3), ["w*"], "freeze"))
    ['weight']
    """
    tensors = list(_tensors(model))
    if not targets:
        return {name for name, _, _ in tensors}
    chosen: set[str] = set()
    for target in targets:
        if isinstance(target, str):
            found = {name for name, _, _ in tensors if fnmatchcase(name, target)}
        elif isinstance(target, Module):
            inside = set(map(id, target.modules()))
            own = {id(tensor) for _, tensor, _ in _tensors(target)}
            found = {name for name, tensor, owner in tensors if id(owner) in inside or id(tensor) in own}
        elif callable(target):
            found = {name for name, tensor, _ in tensors if target(name, tensor)}
        else:
            raise ArgumentError(
                f"{what} expected modules, patterns of names or functions of name and tensor, got {target!r}"
            )
        if not found:
            raise ArgumentError(f"{what} found nothing for {_described(target)}; the names are {_listed(tensors)}")
        chosen |= found
    return chosen


def _set(model: Module, names: Iterable[str], frozen: bool) -> None:
    chosen = set(names)
    for name, tensor, owner in list(_tensors(model)):
        if name not in chosen:
            continue
        if not isinstance(tensor, Parameter):
            owner.hold_in_evaluation(frozen)
        elif tensor.is_floating_point():
            tensor.requires_grad_(not frozen)
            if frozen:
                tensor.grad = None


def _described(target: Any) -> str:
    return f"the module {type(target).__name__}" if isinstance(target, Module) else repr(target)


def _listed(tensors: list[tuple[str, Tensor, Module]]) -> str:
    names = [name for name, _, _ in tensors]
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
