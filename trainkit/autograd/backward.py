"""The doors to the walk backward: `backward` accumulates into leaves, `grad` returns gradients."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from trainkit.autograd.graph import TensorBase
from trainkit.autograd.modes import mode
from trainkit.autograd.op import wrap
from trainkit.autograd.walk import walk_backward
from trainkit.errors import ArgumentError, GradientError, ShapeError

__all__ = ["backward", "clear_gradients", "grad"]


def backward(
    tensors: Sequence[TensorBase],
    grad_tensors: Sequence[Any] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[TensorBase] | TensorBase | None = None,
) -> None:
    """Add to `.grad` of every leaf (or of `inputs`) the gradient of `tensors`, weighed with `grad_tensors`.

    Args:
        tensors: where the walk begins.
        grad_tensors: the gradient of each; None means 1 and needs a tensor of one element.
        retain_graph: keep what the graph saved, for another walk; defaults to `create_graph`.
        create_graph: record the walk itself, for derivatives of gradients.
        inputs: the only tensors whose `.grad` is to be added to.

    Raises:
        GradientError: a tensor has no graph, or its graph was walked and released before.
        InPlaceError: something that the graph saved was changed in place since.
        ShapeError: a gradient has not the shape of its tensor.
    """
    wanted = None if inputs is None else [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    found = _walk(tensors, grad_tensors, retain_graph, create_graph, wanted)
    pairs = found.items() if wanted is None else ((target, found.get(_edge(target))) for target in wanted)
    for target, gradient in pairs:
        if gradient is None:
            continue
        if target.grad is None:
            target.grad = gradient if create_graph else wrap(gradient)
        elif create_graph or target.grad.needs_grad:
            target.grad = target.grad + (gradient if create_graph else wrap(gradient))
        else:
            target.grad.array += gradient
            target.grad.version[0] += 1
        if target.node is None and target.hooks is not None:
            for hook in list(target.hooks.accumulated.values()):
                hook(target)


def grad(
    outputs: Sequence[TensorBase] | TensorBase,
    inputs: Sequence[TensorBase] | TensorBase,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of `outputs` with respect to `inputs`, a tuple in their order; touch no `.grad`.

    Raises:
        GradientError: an input is no part of the graph and `allow_unused` is not set.

    >>> import trainkit as tk
    >>> x = tk.tensor(3.0, requires_grad=True)
    >>> (slope,) = tk.autograd.grad(x**3, x, create_graph=True)
    >>> tk.autograd.grad(slope, x)
    (tensor(18.),)
    """
    roots = [outputs] if isinstance(outputs, TensorBase) else list(outputs)
    wanted = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    given = [grad_outputs] if isinstance(grad_outputs, TensorBase) else grad_outputs
    found = _walk(roots, given, retain_graph, create_graph, wanted)
    gradients = []
    for position, tensor in enumerate(wanted):
        gradient = found.get(_edge(tensor))
        if gradient is None and not allow_unused:
            raise GradientError(
                f"input {position} of shape {tensor.array.shape} is no part of the graph of the outputs; "
                "pass allow_unused=True to get None for it"
            )
        gradients.append(gradient if gradient is None or create_graph else wrap(gradient))
    return tuple(gradients)


def clear_gradients(tensors: Iterable[TensorBase], set_to_none: bool) -> None:
    """Drop the gradients of tensors, or fill those that are there with zeros: `zero_grad` of modules and optimizers."""
    for tensor in tensors:
        tensor.grad = None if set_to_none or tensor.grad is None else tensor.grad.detach().zero_()


def _walk(
    tensors: Sequence[TensorBase],
    grad_tensors: Sequence[Any] | None,
    retain_graph: bool | None,
    create_graph: bool,
    wanted: list[TensorBase] | None,
) -> dict[Any, Any]:
    given = [None] * len(tensors) if grad_tensors is None else list(grad_tensors)
    if len(given) != len(tensors):
        raise ArgumentError(f"got {len(tensors)} tensors but {len(given)} gradients for them")
    roots = [
        (_edge(tensor), _first_gradient(tensor, gradient, create_graph))
        for tensor, gradient in zip(tensors, given, strict=True)
    ]
    retain = create_graph if retain_graph is None else retain_graph
    edges = None if wanted is None else [_edge(tensor) for tensor in wanted]
    previous = mode.enabled
    mode.enabled = create_graph  # for rules that users wrote, which work on tensors
    try:
        return walk_backward(roots, retain_graph=retain, wanted=edges, wrap=wrap if create_graph else None)
    finally:
        mode.enabled = previous


def _edge(tensor: TensorBase) -> Any:
    if tensor.view_of is not None:
        tensor.refresh()
    edge = tensor.edge
    if edge is None:
        raise GradientError(
            f"a tensor of shape {tensor.array.shape} has no graph to walk: it does not require grad; "
            "was it computed under no_grad(), from detached tensors, or from integers?"
        )
    return edge


def _first_gradient(tensor: TensorBase, gradient: Any, recorded: bool) -> Any:
    """The gradient with which the walk begins, a tensor if the walk is recorded, else an array; None stands for 1."""
    array = tensor.array
    if gradient is None:
        if array.size != 1:
            raise GradientError(
                f"backward() begins at a tensor of one element, got shape {array.shape}; reduce it first "
                "(.sum(), .mean()) or pass its gradient"
            )
        one = np.array(1, array.dtype)  # np.ones takes five times as long
        if array.ndim:
            one = one.reshape(array.shape)
        return wrap(one) if recorded else one
    if not isinstance(gradient, TensorBase):
        gradient = wrap(np.asarray(gradient, array.dtype))
    if gradient.array.shape != array.shape:
        raise ShapeError(f"the gradient has shape {gradient.array.shape}, the tensor that it belongs to {array.shape}")
    return gradient if recorded else gradient.array
