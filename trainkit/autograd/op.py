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

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from trainkit.autograd.graph import OUTPUT, UNRECORDED, Array, Node, TensorBase, View
from trainkit.autograd.modes import mode
from trainkit.errors import GradientError

__all__ = [
    "OPS",
    "Op",
    "OpFunction",
    "array_of",
    "binary",
    "op",
    "register",
    "run",
    "set_tensor_class",
    "view_op",
    "wrap",
]

Rule = Callable[[Any, Any], Any]


class Op:
    """What a node knows of its operation.

    Attributes:
        name: the name of the forward function.
        title: the name in capitals for the repr of nodes: `IndexPut`.
        forward: `forward(ctx, *args)` on arrays.
        rule: `rule(ctx, grad)`; None for an op that has no gradient.
    """

    __slots__ = ("forward", "name", "rule", "title")

    def __init__(self, name: str, forward: Callable[..., Any], rule: Rule | None = None) -> None:
        self.name = name
        self.title = "".join(part.capitalize() for part in name.split("_"))
        self.forward = forward
        self.rule = rule

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
_new = object.__new__
_ndarray = np.ndarray


def set_tensor_class(cls: type[TensorBase]) -> None:
    """Tell the ops which class their results are; done once, by the module that defines `Tensor`."""
    global _tensor_class
    _tensor_class = cls


def wrap(array: Any, node: Node | None = None) -> Any:
    """Make a tensor of an array, recorded by `node`."""
    tensor = _new(_tensor_class)
    # numpy reduces to scalars where an array of no dimensions is meant
    tensor.array = array if type(array) is np.ndarray else np.asarray(array)
    tensor.node = node
    tensor.needs_grad = node is not None
    tensor.version = [0]
    tensor.grad = tensor.hooks = tensor.view_of = None
    return tensor


def run(this: Op, args: tuple[Any, ...], broadcasts: bool = False) -> Any:
    """Run an op: the forward on the arrays beneath the tensors, recorded if a gradient is wanted."""
    arrays: list[Any] = []
    edges: list[Any] = []
    tensors = wanted = False
    for arg in args:
        edge = None
        if isinstance(arg, TensorBase):
            if arg.view_of is not None:
                arg.refresh()
            tensors = True
            if arg.needs_grad:
                wanted = True
                edge = arg.node or arg
            arg = arg.array
        arrays.append(arg)
        edges.append(edge)
    node = None
    if wanted and mode.enabled and this.rule is not None:
        node = Node(this, tuple(edges))
        out = this.forward(node, *arrays)
    else:
        out = this.forward(UNRECORDED, *arrays)
    if not tensors:
        return out
    if type(out) is tuple:
        first, *others = out
        return _finish(node, args, arrays, first), *map(wrap, others)
    if node is None:
        return wrap(out)
    if broadcasts:
        shapes = [array.shape if type(array) is np.ndarray else None for array in arrays]
        if shapes.count(out.shape) + shapes.count(None) < len(shapes):
            node.shapes = tuple(shapes)
    return _finish(node, args, arrays, out)


def _finish(node: Node | None, args: Sequence[Any], arrays: Sequence[Any], out: Any) -> Any:
    result = wrap(out, node)
    if node is not None and node.saved:
        node.stamp(args, arrays, out, result)
    return result


def _unary(this: Op) -> Callable[[Any], Any]:
    """Make the function of an op of one argument and one result: what `run` does, written out for speed."""
    forward = this.forward

    def call(x: Any) -> Any:
        if not isinstance(x, TensorBase):
            return forward(UNRECORDED, x)
        if x.view_of is not None:
            x.refresh()
        array = x.array
        if not x.needs_grad or not mode.enabled or this.rule is None:
            return wrap(forward(UNRECORDED, array))
        node = Node(this, (x.node or x,))
        out = forward(node, array)
        result = wrap(out, node)
        saved = node.saved
        if saved:
            if len(saved) == 1 and saved[0] is out:
                node.sources, node.stamps = (OUTPUT,), ((result.version, 0, 0),)
            elif len(saved) == 1 and saved[0] is array:
                node.sources, node.stamps = (0,), ((x.version, x.version[0], 0),)
            else:
                node.stamp((x,), (array,), out, result)
        return result

    return call


def binary(this: Op, otherwise: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make the function of an op of two arguments: two tensors of one dtype, or a tensor and a number.

    What `run` does, written out for speed; other arguments take the way of `otherwise`.
    """
    forward = this.forward

    def call(x: Any, y: Any) -> Any:
        if not isinstance(x, TensorBase):
            if type(x) is type(y) is _ndarray and x.dtype is y.dtype:  # as a rule does
                try:
                    return forward(UNRECORDED, x, y)
                except ValueError:
                    return otherwise(x, y)  # which says what is wrong
            return otherwise(x, y)
        if x.view_of is not None:
            x.refresh()
        a = x.array
        b: Any = y
        if isinstance(y, TensorBase):
            if y.view_of is not None:
                y.refresh()
            b = y.array
            if a.dtype is not b.dtype:
                return otherwise(x, y)
            wanted = x.needs_grad or y.needs_grad
            edge = y.node or (y if y.needs_grad else None)
        elif (type(y) is float or type(y) is int) and a.dtype.kind == "f":
            wanted, edge = x.needs_grad, None
        else:
            return otherwise(x, y)
        try:
            if not wanted or not mode.enabled or this.rule is None:
                out = forward(UNRECORDED, a, b)
                return tuple(map(wrap, out)) if type(out) is tuple else wrap(out)
            node = Node(this, (x.node or (x if x.needs_grad else None), edge))
            out = forward(node, a, b)
        except ValueError:
            return otherwise(x, y)  # which says what is wrong
        if type(out) is tuple:
            return _finish(node, (x, y), (a, b), out[0]), *map(wrap, out[1:])
        result = wrap(out, node)
        saved = node.saved
        if saved:
            first, second = saved if len(saved) == 2 else (saved, saved)
            if first is None and second is b and b is not y:
                cell = y.version
                node.sources, node.stamps = (None, 1), ((cell, cell[0], 1),)
            elif first is a and second is None:
                cell = x.version
                node.sources, node.stamps = (0, None), ((cell, cell[0], 0),)
            elif first is a and second is b and b is not y:
                cell, other = x.version, y.version
                node.sources, node.stamps = (0, 1), ((cell, cell[0], 0), (other, other[0], 1))
            else:
                node.stamp((x, y), (a, b), out, result)
        if b is not y and a.shape != b.shape:
            node.shapes = (a.shape, b.shape)
        return result

    return call


def op(forward: Callable[..., Any]) -> OpFunction:
    """Make an op of `forward(ctx, *args)`; see the module's head.

    Args:
        forward: computes an array from arrays and plain values, and names in `ctx.save` all that its backward
            needs. An op of several results returns a tuple; gradients flow through the first alone.
    """
    this = Op(forward.__name__, forward)
    parameters = list(inspect.signature(forward).parameters.values())
    arguments = -1 if parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL else len(parameters) - 1
    if arguments == 1:
        return register(this, _unary(this))

    def call(*args: Any) -> Any:
        for arg in args:
            if isinstance(arg, TensorBase):
                return run(this, args)
        return forward(UNRECORDED, *args)

    def otherwise(x: Any, y: Any) -> Any:
        if isinstance(x, TensorBase) or isinstance(y, TensorBase):
            return run(this, (x, y))
        return forward(UNRECORDED, x, y)

    return register(this, binary(this, otherwise) if arguments == 2 else call)


def view_op(forward: Callable[..., Any]) -> OpFunction:
    """Make an op whose result may be a view of its first argument, the only tensor among its arguments.

    The op is run again on the base of the view when that was changed in place, so it is a function of its arguments
    and of nothing else.
    """
    this = Op(forward.__name__, forward)

    def call(x: Any, *args: Any) -> Any:
        if not isinstance(x, TensorBase):
            return forward(UNRECORDED, x, *args)
        if x.view_of is not None:
            x.refresh()
        array = x.array
        node = None
        if x.needs_grad and mode.enabled and this.rule is not None:
            node = Node(this, (x.node or x,))
            out = forward(node, array, *args)
        else:
            out = forward(UNRECORDED, array, *args)
        result = wrap(out, node)
        owner = getattr(out, "base", None)
        if owner is not None and (owner is array or owner is array.base or np.may_share_memory(out, array)):
            _make_view(result, x, (function, args))
        return result

    function = register(this, call)
    return function


def _make_view(result: TensorBase, x: TensorBase, step: tuple[Any, tuple[Any, ...]]) -> None:
    """Note that `result` is a view: it shares the version counter of `x` and knows the way from its base."""
    result.version = x.version
    base, path = (x, ()) if x.view_of is None else (x.view_of.base, x.view_of.path)
    result.view_of = View(base, (*path, step) if path is not None and mode.enabled else None)


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


def array_of(value: Any) -> Array:
    """Return the array beneath a tensor, or the value as an array."""
    return value.array if isinstance(value, TensorBase) else np.asarray(value)
