"""Changes in place: the out-of-place op is recorded, its result written into the tensor, the version goes up."""

from collections.abc import Callable
from typing import Any

from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.modes import mode
from trainkit.autograd.op import op
from trainkit.autograd.ops.broadcast import sum_to
from trainkit.autograd.ops.index import getitem, plain_index
from trainkit.errors import GradientError, IndexRangeError, InPlaceError, ShapeError

__all__ = ["assign", "in_place", "put", "set_item"]


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
        GradientError: `tensor` is a leaf that requires a gradient.
        InPlaceError: `tensor` is a view and the change would have to be recorded through it.
        ShapeError: broadcasting made the result larger than the tensor.
    """
    _check_writable(tensor, result.needs_grad)
    if result.array.shape != tensor.array.shape:
        raise ShapeError(
            f"the result of a change in place has shape {result.array.shape}, the tensor {tensor.array.shape}; "
            "use the out-of-place form"
        )
    tensor.array[...] = result.array
    tensor.version[0] += 1
    if mode.enabled and (result.needs_grad or tensor.needs_grad):
        tensor.node, tensor.needs_grad = result.node, result.needs_grad
    return tensor


def _check_writable(tensor: TensorBase, recorded: bool) -> None:
    """Raise if a change in place of `tensor` could not be given its gradient."""
    if not mode.enabled:
        return
    base = tensor if tensor.base is None else tensor.base
    if base.needs_grad and base.node is None:
        raise GradientError(
            "a leaf tensor that requires grad, or a view of one, cannot be changed in place: its own gradient would "
            "be lost; change it under no_grad(), or change a clone()"
        )
    if tensor.base is not None and (recorded or base.needs_grad):
        raise InPlaceError(
            f"a change in place through a view of shape {tensor.array.shape} cannot be recorded; "
            "index the base itself (`x[:, 0] = v` instead of `v = x[:, 0]; v.copy_(...)`)"
        )


@op
def put(ctx: Any, x: Any, value: Any, index: Any) -> Any:
    """A copy of `x` with `value` at `index`."""
    ctx.save(index, getattr(value, "shape", ()))
    out = x.copy()
    _write(out, index, value)
    return out


@put.backward
def _(ctx: Any, grad: Any) -> Any:
    index, shape = ctx.saved
    grad_value = None
    if ctx.needs(1):
        picked = getitem(grad, index)
        grad_value = picked if picked.shape == shape else sum_to(picked, shape)
    return (put(grad, 0.0, index) if ctx.needs(0) else None), grad_value


def set_item(tensor: TensorBase, index: Any, value: Any) -> None:
    """`tensor[index] = value`, recorded where a gradient is wanted."""
    index = plain_index(index)
    recorded = mode.enabled and (tensor.needs_grad or (isinstance(value, TensorBase) and value.needs_grad))
    if recorded:
        assign(tensor, put(tensor, value, index))
        return
    _write(tensor.array, index, value.array if isinstance(value, TensorBase) else value)
    tensor.version[0] += 1


def _write(array: Array, index: Any, value: Any) -> None:
    try:
        array[index] = value
    except ValueError as error:
        raise ShapeError(f"cannot set a value there in a tensor of shape {array.shape}: {error}") from None
    except IndexError as error:
        raise IndexRangeError(f"cannot index a tensor of shape {array.shape}: {error}") from None
