"""`Function`: an operation with a gradient of its own, written by the user on tensors."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trainkit.autograd.graph import OUTPUT, Node, TensorBase
from trainkit.autograd.inplace import adopt, check_writable
from trainkit.autograd.modes import mode, no_grad
from trainkit.autograd.op import Op, wrap
from trainkit.autograd.ops.broadcast import cast
from trainkit.errors import ArgumentError, GradientError, ShapeError

__all__ = ["Function", "FunctionCtx", "Variable", "once_differentiable"]


class FunctionCtx:
    """What `forward` and `backward` of a Function share; plain values may be set as attributes.

    Attributes:
        needs_input_grad: for each argument of `forward` whether its gradient is wanted.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Any, ...] = ()
    _read: Callable[[], tuple[Any, ...]] | None = None
    _dirty: tuple[Any, ...] = ()
    _plain: tuple[Any, ...] = ()
    _materialize = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for the backward; that they are not changed in place meanwhile is checked."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, TensorBase):
                raise ArgumentError(
                    f"save_for_backward keeps tensors, got {type(tensor).__name__}; other values are set as attributes"
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept."""
        return self._saved if self._read is None else self._read()

    def mark_dirty(self, *tensors: Any) -> None:
        """Say that `forward` changed these arguments in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say that these results have no gradient."""
        self._plain = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Choose what `backward` gets for a result that took no part: zeros (True, the default) or None."""
        self._materialize = value


class Function:
    """An operation with a gradient of its own: subclass it and call `apply`.

    `forward(ctx, *args)` computes results from tensors and other values, under no_grad; `backward(ctx, *grads)` gets a
    gradient for each result and returns one for each argument of `forward`, None where there is none. With
    `setup_context(ctx, inputs, output)` overridden, `forward` takes no ctx. Written with tensor operations, `backward`
    can be differentiated in turn.

    Source: the interface of torch.autograd.Function.

    >>> import trainkit as tk
    >>> class Cube(tk.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return grad * 3 * x ** 2
    >>> x = tk.tensor([2.0], requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y.backward()
    >>> y, x.grad
    (tensor([8.], grad_fn=<CubeBackward>), tensor([12.]))
    """

    _op: Op

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._op = Op(cls.__name__, cls.forward, functools.partial(_rule, cls))
        cls._op.title = cls.__name__

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results; to be overridden."""
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill `ctx` after a `forward` that takes none; to be overridden."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Return the gradients of the arguments; to be overridden."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grads) to be differentiated")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run the operation, recorded where an argument requires grad."""
        for arg in args:
            if isinstance(arg, TensorBase):
                arg.refresh()
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple([isinstance(arg, TensorBase) and arg.needs_grad for arg in args])
        recorded = mode.enabled and any(ctx.needs_input_grad)
        edges = tuple([arg.edge if isinstance(arg, TensorBase) and recorded else None for arg in args])
        with no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args)
            else:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
        results = list(output) if isinstance(output, (tuple, list)) else [output]
        if recorded:
            _record(cls._op, ctx, args, edges, results)
        return tuple(results) if isinstance(output, (tuple, list)) else results[0]


class _FunctionNode(Node):
    """The node of a Function of several results: each has a node of its own that hands its gradient on."""

    __slots__ = ()

    def output_edge(self, position: int) -> Node:
        node = Node(_SELECT, (self,))
        node.saved = (position,)
        return node


class _Gradients(dict[int, Any]):
    """The gradients of several results, by position; sums as gradients do."""

    def __add__(self, other: "_Gradients") -> "_Gradients":
        return _Gradients(
            {i: self[i] + other[i] if i in self and i in other else (self | other)[i] for i in self | other}
        )


_SELECT = Op("select_result", lambda ctx, x: x, lambda ctx, grad: _Gradients({ctx.saved[0]: grad}))


def _record(this: Op, ctx: FunctionCtx, args: tuple[Any, ...], edges: tuple[Any, ...], results: list[Any]) -> None:
    """Give the results of a Function their history; those that are arguments themselves become new tensors."""
    for tensor in ctx._dirty:
        check_writable(tensor, True)
    several = len(results) > 1
    node = _FunctionNode(this, edges) if several else Node(this, edges)
    shapes = _forms(results)
    before = list(results)
    for position, result in enumerate(results):
        if not isinstance(result, TensorBase) or any(result is plain for plain in ctx._plain):
            continue
        if result.array.dtype.kind != "f":
            continue
        own = node.output_edge(position) if several else node
        if any(result is dirty for dirty in ctx._dirty):
            result.version[0] += 1
            adopt(result, own)
        elif any(result is arg for arg in args) or result.needs_grad:
            alias = wrap(result.array, own)
            alias.version = result.version
            results[position] = alias
        else:
            result.node, result.needs_grad = own, True
    saved: list[Any] = []
    sources: list[int | None] = []
    stamps = []
    for place, tensor in enumerate(ctx._saved):
        source = None
        if tensor is not None:
            for index, arg in enumerate(args):
                source = index if tensor is arg and source is None else source
            for index, result in enumerate(before):
                source = OUTPUT - index if tensor is result else source
            stamps.append((tensor.version, tensor.version[0], place))
        saved.append(None if tensor is None else tensor.array)
        sources.append(source)
    ctx._saved = ctx._dirty = ctx._plain = ()
    forms = _forms(args)
    node.saved = *saved, ctx, forms, shapes
    node.sources, node.stamps = (*sources, None, None, None), tuple(stamps)


def _forms(values: Sequence[Any]) -> list[Any]:
    """Return the shape and the dtype of each tensor, None for other values."""
    return [(v.array.shape, v.array.dtype) if isinstance(v, TensorBase) else None for v in values]


def _rule(cls: type[Function], node: Any, grad: Any) -> Any:
    """Run the user's `backward`: on tensors, whatever the walk works on."""
    *saved, ctx, forms, shapes = node.saved
    walk_records = _is_recorded(grad)
    ctx._read = lambda: tuple([wrap(value) if isinstance(value, np.ndarray) else value for value in saved])
    if not isinstance(grad, _Gradients):
        grad = _Gradients({0: grad})
    grads = []
    for position, form in enumerate(shapes):
        given = grad.get(position)
        if given is None and form is not None and ctx._materialize:
            given = np.zeros(*form)
        grads.append(given if given is None or isinstance(given, TensorBase) else wrap(given))
    gradients = cls.backward(ctx, *grads)
    if not isinstance(gradients, tuple):
        gradients = (gradients,)
    wanted = len(ctx.needs_input_grad)
    if (len(gradients) > wanted and any(extra is not None for extra in gradients[wanted:])) or len(gradients) < wanted:
        raise GradientError(
            f"{cls.__name__}.backward returned {len(gradients)} gradients for the {wanted} arguments of its forward; "
            "return one for each, None where there is none"
        )
    checked = [_fitting(cls, g, form) for g, form in zip(gradients, forms, strict=False)]
    return tuple(checked if walk_records else [None if g is None else g.array for g in checked])


def _fitting(cls: type[Function], gradient: Any, form: Any) -> Any:
    """Return a gradient in the dtype of its argument, having checked its shape."""
    if gradient is None or form is None:
        return None
    shape, dtype = form
    if not isinstance(gradient, TensorBase):
        raise GradientError(f"{cls.__name__}.backward returned {type(gradient).__name__}, expected tensors or None")
    if gradient.array.shape != shape:
        raise ShapeError(
            f"{cls.__name__}.backward returned a gradient of shape {gradient.array.shape} for an argument of {shape}"
        )
    return gradient if gradient.array.dtype == dtype else cast(gradient, dtype)


def _is_recorded(grad: Any) -> bool:
    return isinstance(next(iter(grad.values())) if isinstance(grad, _Gradients) else grad, TensorBase)


def _refuse(ctx: Any, grad: Any) -> Any:
    raise GradientError(f"{ctx.saved[0]} is marked once_differentiable: its gradient cannot be differentiated again")


_ONCE = Op("once_differentiable", lambda ctx, x: x, _refuse)


def _dead_end(name: str) -> Node:
    """Return a node whose gradient raises."""
    node = Node(_ONCE, ())
    node.save(name)
    return node


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` that does not work on tensors that record: to differentiate its result raises."""

    @functools.wraps(function)
    def backward(ctx: Any, *grads: Any) -> Any:
        seen = (*grads, *ctx.saved_tensors)
        recorded = mode.enabled and any(isinstance(g, TensorBase) and g.needs_grad for g in seen)
        with no_grad():
            gradients = function(ctx, *grads)
        if not recorded:
            return gradients
        parts = gradients if isinstance(gradients, tuple) else (gradients,)
        return tuple([None if part is None else wrap(part.array, _dead_end(function.__qualname__)) for part in parts])

    return backward


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TensorBase)


class Variable(metaclass=_VariableMeta):
    """The old name of a tensor: `Variable(x, requires_grad=True)` is a tensor that shares the memory of `x`."""

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:  # noqa: D102
        if not isinstance(data, TensorBase):
            raise ArgumentError(f"Variable wraps a tensor, got {type(data).__name__}; make one with trainkit.tensor()")
        new = wrap(data.array)
        return new.requires_grad_() if requires_grad else new
