"""The walk backward through the graph."""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.graph import RELEASED, DifferentiableContext, Node, TensorBase
from trainkit.autograd.modes import anomaly
from trainkit.autograd.ops.large import copied, is_large, plus
from trainkit.errors import GradientError

__all__ = ["walk_backward"]


def walk_backward(
    roots: Sequence[tuple[Node | TensorBase, Any]],
    *,
    retain_graph: bool,
    wanted: Sequence[Node | TensorBase] | None = None,
    wrap: Callable[..., TensorBase] | None = None,
) -> dict[Node | TensorBase, Any]:
    """Walk the graph newest node first; return the gradient that arrives at each leaf, or at each of `wanted`.

    A node is always newer than the nodes it draws from, so when the newest pending node is taken, every gradient
    that goes to it has arrived: a heap replaces both recursion and a first pass that counts dependencies.

    Args:
        roots: pairs of where to begin and the gradient there.
        retain_graph: keep what the nodes saved.
        wanted: the nodes and leaves whose gradients are asked for; None means every leaf.
        wrap: makes tensors of arrays. If given, rules run on tensors and are recorded (`create_graph`).
    """
    pending: dict[Node | TensorBase, Any] = {}
    owned: set[Node | TensorBase] = set()  # whose gradient is an array of our own, free to be added to
    heap: list[tuple[int, Node]] = []
    found: dict[Node | TensorBase, Any] = {}
    wanted_nodes = {edge for edge in wanted if isinstance(edge, Node)} if wanted is not None else ()

    def add(edge: Node | TensorBase, gradient: Any) -> None:
        """Add to a gradient that is there already."""
        if edge in owned and wrap is None:
            previous = pending[edge]
            if is_large(previous):
                kernels.combine("add", previous, gradient, previous)
                return
            previous += gradient
            pending[edge] = previous  # a numpy scalar is not changed in place
        else:
            pending[edge] = plus(pending[edge], gradient)
            owned.add(edge)

    for edge, gradient in roots:
        if edge in pending:
            add(edge, gradient)
        else:
            pending[edge] = gradient
            if isinstance(edge, Node):
                heappush(heap, (-edge.order, edge))
    with np.errstate(all="ignore"):  # infinities and NaN are answers, as in PyTorch
        while heap:
            node = heappop(heap)[1]
            gradient = pending.pop(node)
            if node.hooks is not None:
                gradient = node.hooks.run(gradient)
            if node in wanted_nodes:
                found[node] = gradient if wrap else copied(gradient)
            if node.stamps or node.saved is RELEASED:
                node.check()
            gradients = node.op.rule(node if wrap is None else DifferentiableContext(node, wrap), gradient)
            if type(gradients) is not tuple:
                gradients = (gradients,)
            if anomaly.enabled:
                _check_numbers(node, gradients)
            if not retain_graph and node.saved:
                node.release()
            for target, result in zip(node.edges, gradients):  # noqa: B905 -- a rule may leave out the last ones
                if target is None or result is None:
                    continue
                if target in pending:
                    add(target, result)
                    continue
                pending[target] = result
                if isinstance(target, Node):
                    heappush(heap, (-target.order, target))
                elif result is not gradient and kernels.is_owner(result):
                    # A rule may hand its own gradient on, or a view of something: only an array that it made is ours.
                    owned.add(target)
    if wanted is not None:
        pending = {edge: pending[edge] for edge in wanted if edge in pending}
    for leaf, gradient in pending.items():
        if leaf.hooks is not None:
            gradient = leaf.hooks.run(gradient)
        elif wrap is None and leaf not in owned:
            gradient = copied(gradient)
        found[leaf] = gradient
    return found


def _check_numbers(node: Node, gradients: tuple[Any, ...]) -> None:
    """Raise if a rule made a NaN, and say where the op was called."""
    for position, gradient in enumerate(gradients):
        array = getattr(gradient, "array", gradient)
        if anomaly.check_nan and isinstance(array, (np.ndarray, np.floating)) and np.isnan(array).any():
            raise GradientError(
                f"{node.op.name} returned NaN in the gradient of its argument {position}; it was called here:\n"
                + getattr(node, "trace", "(before anomaly detection was turned on)\n")
            )
