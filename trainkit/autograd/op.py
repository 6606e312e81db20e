"""`@op`: one decorated forward with its backward directly below it makes an operation of the autograd.

    @op
    def exp(ctx, x):
        out = np.exp(x)
        ctx.save(out)
        return out

    @exp.backward
    def _(ctx, grad):
        (out,) = ctx.saved
        return grad * out

Both work on ndarrays. Called with plain arrays the op is its forward; called with a `Tensor` it returns a `Tensor`
and, where a gradient is wanted, records a node. A rule is written with ops and operators only: the usual backward
runs it on arrays, a backward with `create_graph=True` runs the same rule on tensors and records it in turn.

A rule returns a gradient for each argument in order (None where there is none to give; trailing ones may be left
out), each of its argument's shape. What it returns is the gradient that it was given, a view, or an array that it
made, each such array once and never one that was saved: the walk adds to it in place.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from trainkit.autograd.graph import UNRECORDED, Array, Node, TensorBase
from trainkit.autograd.modes import mode
from trainkit.errors import GradientError

__all__ = [
    "OPS",
    "Op",
    "OpFunction",
    "array_of",
    "op",
    "register",
    "run",
    "set_tensor_class",
    "unwrap",
    "view_op",
    "wrap",
]

Rule = Callable[[Any, Any], Any]


class Op:
    """What a node knows of its operation.

    Attributes:
        name: the name of the forward function.
        forward: `forward(ctx, *args)` on arrays.
        rule: `rule(ctx, grad)`; None for an op that has no gradient.
    """

    __slots__ = ("forward", "name", "rule")

    def __init__(self, name: str, forward: Callable[..., Any]) -> None:
        self.name = name
        self.forward = forward
        self.rule: Rule | None = None

    def __repr__(self) -> str:
        return f"<op {self.name}>"


class OpFunction(Protocol):
    """What `@op` makes of a forward: a function of the same arguments without `ctx`."""

    __name__: str
    op: Op

    def __call__(self, *args: Any) -> Any:
        """Run the op."""

    def backward(self, rule: Rule) -> Rule:
        """Register the rule of the gradient; a decorator."""


OPS: dict[str, OpFunction] = {}
"""Every op by its name. The op test table must have a row for each."""

_tensor_class: type[TensorBase] = TensorBase


def set_tensor_class(cls: type[TensorBase]) -> None:
    """Tell the ops which class their results are; done once, by the module that defines `Tensor`."""
    global _tensor_class
    _tensor_class = cls


def wrap(array: Any, node: Node | None = None, view_of: TensorBase | None = None) -> Any:
    """Make a tensor of an array, recorded by `node`; a view shares its base's version counter."""
    tensor = _tensor_class.__new__(_tensor_class)
    # numpy reduces to scalars where an array of no dimensions is meant
    tensor.array = array if type(array) is np.ndarray else np.asarray(array)
    tensor.node = node
    tensor.needs_grad = node is not None
    tensor.grad = None
    if view_of is None:
        tensor.version = [0]
        tensor.base = tensor.base_node = None
    else:
        tensor.version = view_of.version
        tensor.base = base = view_of if view_of.base is None else view_of.base
        tensor.base_node = base.node
    return tensor


def unwrap(args: tuple[Any, ...]) -> tuple[list[Any], bool, bool]:
    """Return the arrays beneath `args`, whether there is a tensor among them, and whether one wants a gradient."""
    tensors = wanted = False
    arrays = []
    for arg in args:
        if isinstance(arg, TensorBase):
            tensors = True
            arrays.append(arg.array)
            if arg.needs_grad:
                wanted = True
            if arg.base is not None and arg.base.node is not arg.base_node:
                arg.check_view()
        else:
            arrays.append(arg)
    return arrays, tensors, wanted


def run(
    this: Op,
    args: tuple[Any, ...],
    arrays: list[Any],
    wanted: bool,
    view: bool = False,
    broadcasts: bool = False,
) -> Any:
    """Run an op on tensors: the forward on the arrays beneath, recorded if a gradient is wanted."""
    if wanted and mode.enabled and this.rule is not None:
        node = Node(this, tuple([arg.edge if isinstance(arg, TensorBase) else None for arg in args]))
        out = this.forward(node, *arrays)
        if broadcasts:
            shapes = [array.shape if type(array) is np.ndarray else None for array in arrays]
            if shapes.count(out.shape) + shapes.count(None) < len(shapes):
                node.shapes = tuple(shapes)
    else:
        node = None
        out = this.forward(UNRECORDED, *arrays)
    others = None
    if type(out) is tuple:
        out, *others = out
    base = args[0] if view and np.may_share_memory(out, arrays[0]) else None
    result = wrap(out, node, view_of=base)
    if node is not None and node.saved:
        node.stamp(args, out, result)
    return result if others is None else (result, *map(wrap, others))


def op(forward: Callable[..., Any], *, view: bool = False) -> OpFunction:
    """Make an op of `forward(ctx, *args)`; see the module's head.

    Args:
        forward: computes an array from arrays and plain values, and names in `ctx.save` all that its backward
            needs. An op of several results returns a tuple; gradients flow through the first alone.
        view: the result may share the memory of the first argument.
    """
    this = Op(forward.__name__, forward)

    def call(*args: Any) -> Any:
        arrays, tensors, wanted = unwrap(args)
        if not tensors:
            return forward(UNRECORDED, *args)
        return run(this, args, arrays, wanted, view)

    return register(this, call)


def register(this: Op, call: Callable[..., Any], adapt: Callable[[Rule], Rule] | None = None) -> OpFunction:
    """Enter an op under its name and give its function the `backward` decorator; `adapt` wraps the rule."""

    def backward(rule: Rule) -> Rule:
        this.rule = rule if adapt is None else adapt(rule)
        return rule

    if this.name in OPS:
        raise GradientError(f"an op named {this.name!r} exists already; ops have one name each")
    function: Any = call
    function.__name__ = function.__qualname__ = this.name
    function.__module__, function.__doc__ = this.forward.__module__, this.forward.__doc__
    function.op = this
    function.backward = backward
    OPS[this.name] = function
    return function


def view_op(forward: Callable[..., Any]) -> OpFunction:
    """Make an op whose result may be a view of its first argument."""
    return op(forward, view=True)


def array_of(value: Any) -> Array:
    """Return the array beneath a tensor, or the value as an array."""
    return value.array if isinstance(value, TensorBase) else np.asarray(value)
