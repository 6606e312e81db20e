"""The graph: what a tensor is to it, the views between tensors, and the nodes that ops record."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainkit.autograd.modes import anomaly, mode
from trainkit.errors import GradientError, InPlaceError

__all__ = [
    "OUTPUT",
    "RELEASED",
    "UNRECORDED",
    "Array",
    "DifferentiableContext",
    "Node",
    "TensorBase",
    "View",
]

Array = npt.NDArray[Any]


class TensorBase:
    """What the graph knows of a tensor. `Tensor` adds the methods that users see, ops need no more than this.

    Attributes:
        array: the ndarray that holds the values, with nothing in between.
        grad: the accumulated gradient, a tensor, or None.
        hooks: what runs on a leaf's gradient, a `Hooks`, or None; those of another tensor are its node's.
        needs_grad: whether gradients flow to or through this tensor.
        node: what recorded this tensor; None for a leaf.
        version: a list of one number, shared by every tensor on the same block of memory; each change in
            place adds one.
        view_of: of what this tensor is a view, or None.
    """

    __slots__ = ("__weakref__", "array", "grad", "hooks", "needs_grad", "node", "version", "view_of")

    array: Array
    grad: Any
    hooks: Any
    needs_grad: bool
    node: "Node | None"
    version: list[int]
    view_of: "View | None"

    @property
    def edge(self) -> "Node | TensorBase | None":
        """Where a gradient of this tensor goes: its node, itself if it is a leaf, or nowhere."""
        return self.node or (self if self.needs_grad else None)

    def refresh(self) -> None:
        """Take the history anew if the base of this view was changed in place since it was last taken."""
        view = self.view_of
        if view is not None and view.base.node is not view.node:
            view.node = view.base.node
            if view.path is not None:
                previous, mode.enabled = mode.enabled, True
                try:
                    twin = follow(view.path, view.base)
                finally:
                    mode.enabled = previous
                self.node, self.needs_grad = twin.node, twin.needs_grad


class View:
    """How a tensor is a view: of which base, and by which ops.

    The base is never a view itself. A change in place of the base, or through another view of it, gives the base a
    new node; the ops of `path`, run on the base again, then give this view its history: see `TensorBase.refresh`.

    Attributes:
        base: the tensor that the memory belongs to.
        node: the node of the base when the view's history was taken.
        path: pairs of an op and its arguments after the first, from the base to the view; None for a view that was
            made under `no_grad`, which has no history to take.
    """

    __slots__ = ("base", "node", "path")

    def __init__(self, base: TensorBase, path: "Path | None") -> None:
        self.base = base
        self.node = base.node
        self.path = path


Path = tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...]


def follow(path: Path, x: Any) -> Any:
    """Run the ops of a view's path on a tensor, or on an array."""
    for function, args in path:
        x = function(x, *args)
    return x


OUTPUT = -1
"""The source of a saved array that is the output itself."""

RELEASED = ("released",)
"""What is saved by a node that let go of it."""

_next_order = itertools.count().__next__


class Node:
    """One recorded op: the `ctx` of its forward and backward, and a vertex of the graph.

    Edges run to the nodes and leaves of the inputs, never to the tensors between, and a node never holds its own
    output tensor: a graph is freed by reference counting as soon as its last tensor goes.

    Attributes:
        op: whose rule gives the gradients.
        edges: where the gradient of each argument goes.
        order: nodes are numbered as they are made: a node is newer than all that it draws from.
        saved: what the backward needs.
        sources: for each saved value the argument that it is, OUTPUT, or None; () while nothing saved has one.
        stamps: of each saved array that is a tensor's: its version cell, its version when it was saved, its place.
        shapes: of the arguments that are arrays, if they were broadcast.
        hooks: what runs on the gradient of the output, a `Hooks`, or None.
        trace: where the op was called, under anomaly detection.
    """

    __slots__ = ("edges", "hooks", "op", "order", "saved", "shapes", "sources", "stamps", "trace")

    def __init__(self, op: Any, edges: "tuple[Node | TensorBase | None, ...]") -> None:
        self.op = op
        self.edges = edges
        self.order = _next_order()
        self.saved: tuple[Any, ...] = ()
        self.sources: tuple[int | None, ...] = ()
        self.stamps: tuple[tuple[list[int], int, int], ...] = ()
        self.shapes: tuple[tuple[int, ...] | None, ...] = ()
        self.hooks: Any = None
        if anomaly.enabled:
            self.trace = anomaly.trace()

    def save(self, *values: Any) -> None:
        """Keep what the backward needs: inputs, the output, other arrays, plain values."""
        self.saved = values

    def needs(self, index: int) -> bool:
        """Tell whether the gradient of argument `index` is wanted."""
        return self.edges[index] is not None

    def stamp(self, args: Sequence[Any], arrays: Sequence[Any], out: Any, output: TensorBase) -> None:
        """Note for each saved array which tensor it came from, and at which version that tensor is.

        `arrays` are the arguments as the forward had them, `out` what it returned, `output` the tensor made of it.
        """
        stamps: list[tuple[list[int], int, int]] = []
        sources: list[int | None] = []
        for place, value in enumerate(self.saved):
            source = None
            if value is out:
                source = OUTPUT
                stamps.append((output.version, output.version[0], place))
            elif type(value) is np.ndarray:
                for index, array in enumerate(arrays):
                    if array is value and isinstance(args[index], TensorBase):
                        source, version = index, args[index].version
                        stamps.append((version, version[0], place))
                        break
            sources.append(source)
        if stamps:
            self.sources, self.stamps = tuple(sources), tuple(stamps)

    def keep(self, array: Array) -> None:
        """Copy what was saved of `array`, which is about to be overwritten with the op's own result."""
        places = [place for place, value in enumerate(self.saved) if value is array]
        if places:
            copy = array.copy()
            self.saved = tuple([copy if place in places else value for place, value in enumerate(self.saved)])
            self.stamps = tuple([stamp for stamp in self.stamps if stamp[2] not in places])

    def check(self) -> None:
        """Raise if something saved is gone or is no longer what it was."""
        if self.saved is RELEASED:
            raise GradientError(
                f"the graph of {self.op.name} was already walked backward and released what it had saved; "
                "pass retain_graph=True to the first backward() to walk it twice"
            )
        for version, stamped, place in self.stamps:
            if version[0] != stamped:
                what = "its output" if self.sources[place] == OUTPUT else f"its argument {self.sources[place]}"
                raise InPlaceError(
                    f"{self.op.name} saved {what} of shape {self.saved[place].shape} at version {stamped} for the "
                    f"backward pass, but a change in place brought it to version {version[0]}; use the out-of-place "
                    "form of that change, or change a clone()"
                )

    def release(self) -> None:
        """Let go of the arrays that were saved; without any, the node can be walked again, as in PyTorch."""
        if self.stamps or any(type(value) is np.ndarray for value in self.saved):
            self.saved = RELEASED
            self.stamps = ()

    def output_edge(self, position: int) -> "Node":
        """Where the gradient of one of the results goes: the node itself, for an op of one."""
        return self

    @property
    def name(self) -> str:
        """The name in PyTorch's manner: `MulBackward`."""
        return f"{self.op.title}Backward"

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


class DifferentiableContext:
    """The `ctx` of a backward that is itself recorded: what was saved comes as tensors with their history."""

    __slots__ = ("needs", "saved", "shapes")

    def __init__(self, node: Node, wrap: Callable[..., TensorBase]) -> None:
        self.needs = node.needs
        self.shapes = node.shapes
        saved = []
        for value, source in zip(node.saved, node.sources or (None,) * len(node.saved), strict=True):
            edge = None
            if source is not None:
                edge = node.output_edge(OUTPUT - source) if source < 0 else node.edges[source]
            if isinstance(edge, Node):
                value = wrap(value, edge)
            elif edge is not None:
                value = edge
            saved.append(value)
        self.saved = tuple(saved)
