"""Changes in place: the out-of-place op is recorded, its result written into the tensor, the version goes up.

A change through a view is recorded as a change of its base: the base gets a node that puts the new values at the
view's place (`put_view`), and the view takes its history from the base anew, as does every other view of it when it is
used next (`TensorBase.refresh`). PyTorch does the same with CopySlices.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import can_cast
from trainkit.autograd.graph import Array, Node, TensorBase, follow
from trainkit.autograd.hooks import hooks_of
from trainkit.autograd.modes import mode
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import cast, sum_to
from trainkit.autograd.ops.index import getitem
from trainkit.autograd.ops.places import plain_index, set_at
from trainkit.autograd.ops.shape import reshape
from trainkit.errors import DTypeError, GradientError, InPlaceError, ShapeError

__all__ = ["adopt", "assign", "check_writable", "in_place", "put", "put_view", "set_item"]


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make of `function(x, ...)` the method that writes the result into `x`: of `add` `add_`."""

    def change(self: TensorBase, *args: Any, **kwargs: Any) -> Any:
        return assign(self, function(self, *args, **kwargs))

    change.__name__ = change.__qualname__ = function.__name__ + "_"
    change.__doc__ = f"`{function.__name__}` in place."
    return change


def assign(tensor: TensorBase, result: TensorBase) -> Any:
    """Give `tensor` the values and the history of `result`, which was computed from it; return `tensor`.

    Raises:
        DTypeError: the result is of a higher category (bool < integer < float) than the tensor.
        GradientError: `tensor` is a leaf that requires a gradient, or a view of one.
        InPlaceError: its memory cannot be written, or the change could not be given its gradient.
        ShapeError: broadcasting made the result larger than the tensor.
    """
    recorded = mode.enabled and (result.needs_grad or tensor.needs_grad)
    check_writable(tensor, recorded)
    if result.array.shape != tensor.array.shape:
        raise ShapeError(
            f"the result of a change in place has shape {result.array.shape}, the tensor {tensor.array.shape}; "
            "use the out-of-place form"
        )
    if not can_cast(result.array.dtype, tensor.array.dtype):
        raise DTypeError(
            f"a change in place made {result.array.dtype}, which a tensor of dtype {tensor.array.dtype} cannot hold; "
            "use the out-of-place form, or cast the tensor first"
        )
    if recorded and result.node is not None:
        result.node.keep(tensor.array)
    tensor.array[...] = result.array
    tensor.version[0] += 1
    if recorded:
        adopt(tensor, result.node)
    return tensor


def check_writable(tensor: TensorBase, recorded: bool) -> None:
    """Raise if `tensor` cannot be changed in place, or the change could not be given its gradient."""
    array = tensor.array
    if not array.flags.writeable:
        if 0 in array.strides and array.size > 1:
            raise InPlaceError(
                f"several elements of this expanded tensor of shape {array.shape} lie at one place in memory, so it "
                "cannot be changed in place; clone() it first"
            )
        raise InPlaceError("this tensor shares the memory of a read-only array; clone() it before changing it in place")
    if not mode.enabled:
        return
    base = tensor if tensor.view_of is None else tensor.view_of.base
    if base.needs_grad and base.node is None:
        raise GradientError(
            "a leaf tensor that requires grad, or a view of one, cannot be changed in place: its own gradient would "
            "be lost; change it under no_grad(), or change a clone()"
        )
    if tensor.view_of is not None and tensor.view_of.path is None and (recorded or base.needs_grad):
        raise InPlaceError(
            f"this view of shape {array.shape} was made under no_grad() and is changed in place where gradients are "
            "recorded; make the view and change it in the same mode, or change a clone()"
        )


def adopt(tensor: TensorBase, node: Node | None) -> None:
    """Make `node` the history of `tensor`, whose memory was written; None where the new values have none."""
    view = tensor.view_of
    if view is None:
        if tensor.node is not None and tensor.node.hooks is not None:
            _move_retained(tensor, node)
        tensor.node, tensor.needs_grad = node, node is not None
        return
    base = view.base
    assert view.path is not None  # check_writable saw to it
    change = Node(put_view.op, (base.edge, node, None))
    change.saved = (view.path,)
    base.node, base.needs_grad = change, True
    tensor.refresh()


def _move_retained(tensor: TensorBase, node: Node | None) -> None:
    """Let `retain_grad` follow the tensor to its new history; hooks stay with the values that they were set on."""
    old = tensor.node.hooks if tensor.node is not None else None
    if old is not None and old.retained is not None and old.retained() is tensor and node is not None:
        tensor.node, old.retained, retained = node, None, old.retained
        hooks_of(tensor).retained = retained


@op
def put_view(ctx: Any, x: Any, value: Any, path: Any) -> Any:
    """A copy of `x` with `value` in place of the view that `path` makes of it."""
    ctx.save(path)
    out = np.array(x, order="C")
    view = follow(path, out)
    if np.may_share_memory(view, out):
        view[...] = value
    else:  # the view was one of another layout in memory
        places = follow(path, np.arange(out.size).reshape(out.shape))
        out.reshape(-1)[places] = value
    return out


@put_view.backward
def _(ctx: Any, grad: Any) -> Any:
    (path,) = ctx.saved
    return put_view(grad, 0.0, path) if ctx.needs(0) else None, follow(path, grad) if ctx.needs(1) else None


@op
def put(ctx: Any, x: Any, value: Any, index: Any) -> Any:
    """A copy of `x` with `value` at `index`."""
    ctx.save(index, getattr(value, "shape", ()))
    out = np.array(x)
    _write(out, index, value)
    return out


@put.backward
def _(ctx: Any, grad: Any) -> Any:
    index, shape = ctx.saved
    grad_value = None
    if ctx.needs(1):
        picked = getitem(grad, index)
        extra = max(len(shape) - picked.ndim, 0)  # a value may have more dimensions, of size 1, before the others
        inner = picked if picked.shape == shape[extra:] else sum_to(picked, shape[extra:])
        grad_value = reshape(inner, shape) if extra else inner
    return (put(grad, 0.0, index) if ctx.needs(0) else None), grad_value


def set_item(tensor: TensorBase, index: Any, value: Any) -> None:
    """`tensor[index] = value`, recorded where a gradient is wanted."""
    index = plain_index(index)
    tensor.refresh()
    given = value if isinstance(value, TensorBase) else None
    if given is not None:
        given.refresh()
        if given.array.dtype is not tensor.array.dtype:
            given = cast(given, tensor.array.dtype)
    recorded = mode.enabled and (tensor.needs_grad or (given is not None and given.needs_grad))
    check_writable(tensor, recorded)
    _write(tensor.array, index, value if given is None else given.array)
    tensor.version[0] += 1
    if recorded:
        # `put` without its copy: the values stand in the tensor's own memory already
        node = Node(put.op, (tensor.edge, None if given is None else given.edge, None))
        node.save(_frozen(index), () if given is None else given.array.shape)
        adopt(tensor, node)


def _frozen(index: Any) -> Any:
    """Return an index that its owner cannot change: its arrays are copied."""
    if isinstance(index, tuple):
        return tuple([_frozen(part) for part in index])
    return index.copy() if isinstance(index, np.ndarray) else index


def _write(array: Array, index: Any, value: Any) -> None:
    try:
        set_at(array, index, value)
    except ValueError as error:
        raise ShapeError(f"cannot set a value there in a tensor of shape {array.shape}: {error}") from None
