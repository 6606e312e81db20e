"""The graph: what a tensor is to it, the nodes that ops record, and the walk backward."""

import itertools
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from trainkit.errors import GradientError, InPlaceError

__all__ = [
    "UNRECORDED",
    "Array",
    "Node",
    "TensorBase",
    "walk_backward",
]

Array = npt.NDArray[Any]


class TensorBase:
    """What the graph knows of a tensor. `Tensor` adds the methods that users see, ops need no more than this.

    Attributes:
        array: the ndarray that holds the values, with nothing in between.
        grad: the accumulated gradient, a tensor, or None.
        node: what recorded this tensor; None for a leaf.
        needs_grad: whether gradients flow to or through this tensor.
        version: a list of one number, shared by every tensor on the same block of memory; each change in
            place adds one.
        base: the tensor of which this one is a view, or None.
        base_node: what had recorded the base when this view was made; None without a base.
    """

    __slots__ = ("__weakref__", "array", "base", "base_node", "grad", "needs_grad", "node", "version")

    array: Array
    grad: Any
    node: "Node | None"
    needs_grad: bool
    version: list[int]
    base: "TensorBase | None"
    base_node: "Node | None"

    @property
    def edge(self) -> "Node | TensorBase | None":
        """Where a gradient of this tensor goes: its node, itself if it is a leaf, or nowhere."""
        return self.node if self.node is not None else self if self.needs_grad else None

    def check_view(self) -> None:
        """Raise if a recorded change in place of the base has made this view's own history wrong."""
        if self.base is not None and self.base.node is not self.base_node:
            raise InPlaceError(
                f"a view of shape {self.array.shape} was made before its base was changed in place, so its gradient "
                "would be that of the old values; make the view again, after the change"
            )


_OUTPUT = -1
_RELEASED = ("released",)
_order = itertools.count()


class Node:
    """One recorded op: the `ctx` of its forward and backward, and a vertex of the graph.

    Edges run to the nodes and leaves of the inputs, never to the tensors between, and a node never holds its own
    output tensor: a graph is freed by reference counting as soon as its last tensor goes.
    """

    __slots__ = ("edges", "op", "order", "saved", "shapes", "sources", "stamps")

    def __init__(self, op: Any, edges: "tuple[Node | TensorBase | None, ...]") -> None:
        self.op = op
        self.edges = edges
        self.order = next(_order)
        self.saved: tuple[Any, ...] = ()
        self.shapes: tuple[tuple[int, ...] | None, ...] = ()  # of the arrays among the arguments, if they broadcast
        self.sources: tuple[int | None, ...] = ()
        self.stamps: tuple[tuple[list[int], int], ...] = ()

    def save(self, *values: Any) -> None:
        """Keep what the backward needs: inputs, the output, other arrays, plain values."""
        self.saved = values

    def needs(self, index: int) -> bool:
        """Tell whether the gradient of argument `index` is wanted."""
        return self.edges[index] is not None

    def stamp(self, args: Sequence[Any], out: Any, output: TensorBase) -> None:
        """Note for each saved array which tensor it came from, and at which version that tensor is.

        `out` is what the forward returned, `output` the tensor made of it.
        """
        sources: list[int | None] = []
        stamps: list[tuple[list[int], int]] = []
        for value in self.saved:
            source = None
            if value is out:
                source, version = _OUTPUT, output.version
                stamps.append((version, version[0]))
            elif type(value) is np.ndarray:
                for index, arg in enumerate(args):
                    if isinstance(arg, TensorBase) and arg.array is value:
                        source, version = index, arg.version
                        stamps.append((version, version[0]))
                        break
            sources.append(source)
        self.sources, self.stamps = tuple(sources), tuple(stamps)

    def check(self) -> None:
        """Raise if something saved is gone or is no longer what it was."""
        if self.saved is _RELEASED:
            raise GradientError(
                f"the graph of {self.op.name} was already walked backward and released what it had saved; "
                "pass retain_graph=True to the first backward() to walk it twice"
            )
        for version, value in self.stamps:
            if version[0] != value:
                self._raise_changed()

    def _raise_changed(self) -> None:
        stamps = iter(self.stamps)
        for value, source in zip(self.saved, self.sources, strict=True):
            if source is None:
                continue
            version, stamped = next(stamps)
            if version[0] != stamped:
                what = "its output" if source == _OUTPUT else f"its argument {source}"
                raise InPlaceError(
                    f"{self.op.name} saved {what} of shape {value.shape} at version {stamped} for the backward pass, "
                    f"but a change in place brought it to version {version[0]}; use the out-of-place form of that "
                    "change, or change a clone()"
                )

    def release(self) -> None:
        """Let go of what was saved."""
        self.saved = _RELEASED
        self.stamps = ()

    @property
    def name(self) -> str:
        """The name in PyTorch's manner: `MulBackward`."""
        return "".join(part.capitalize() for part in self.op.name.split("_")) + "Backward"

    @property
    def next_functions(self) -> "tuple[tuple[Node | TensorBase | None, int], ...]":
        """Where gradients go from here, one pair for each argument, as in PyTorch."""
        return tuple((edge, 0) for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class _Unrecorded:
    """The `ctx` of an op that nothing records."""

    __slots__ = ()

    def save(self, *values: Any) -> None:
        pass

    def needs(self, index: int) -> bool:
        return False


UNRECORDED = _Unrecorded()


class _DifferentiableContext:
    """The `ctx` of a backward that is itself recorded: what was saved comes as tensors with their history."""

    __slots__ = ("needs", "saved", "shapes")

    def __init__(self, node: Node, wrap: Callable[..., TensorBase]) -> None:
        self.needs = node.needs
        self.shapes = node.shapes
        saved = []
        for value, source in zip(node.saved, node.sources or (None,) * len(node.saved), strict=True):
            edge = None if source is None else node if source == _OUTPUT else node.edges[source]
            if isinstance(edge, Node):
                value = wrap(value, edge)
            elif edge is not None:
                value = edge
            saved.append(value)
        self.saved = tuple(saved)


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

    def deliver(edge: Node | TensorBase, gradient: Any, fresh: bool) -> None:
        previous = pending.get(edge)
        if previous is None:
            pending[edge] = gradient
            if type(edge) is Node:
                heappush(heap, (-edge.order, edge))
            elif fresh:
                owned.add(edge)
        elif edge in owned and wrap is None:
            previous += gradient
            pending[edge] = previous  # a numpy scalar is not changed in place
        else:
            pending[edge] = previous + gradient
            owned.add(edge)

    for edge, gradient in roots:
        deliver(edge, gradient, False)
    with np.errstate(all="ignore"):  # infinities and NaN are answers, as in PyTorch
        while heap:
            node = heappop(heap)[1]
            gradient = pending.pop(node)
            if node in wanted_nodes:
                found[node] = gradient if wrap else np.array(gradient)
            node.check()
            ctx = node if wrap is None else _DifferentiableContext(node, wrap)
            gradients = node.op.rule(ctx, gradient)
            if type(gradients) is not tuple:
                gradients = (gradients,)
            if not retain_graph:
                node.release()
            for edge_, result in zip(node.edges, gradients, strict=False):
                if edge_ is not None and result is not None:
                    # A rule may hand its own gradient on, or a view of something: only an array that it made is ours.
                    deliver(edge_, result, result is not gradient and getattr(result, "base", 0) is None)
    if wanted is not None:
        leaves = {edge for edge in wanted if not isinstance(edge, Node)}
        pending = {edge: gradient for edge, gradient in pending.items() if edge in leaves}
    if wrap is None:
        for edge, gradient in pending.items():
            found[edge] = gradient if edge in owned else np.array(gradient)
    else:
        found.update(pending)
    return found
