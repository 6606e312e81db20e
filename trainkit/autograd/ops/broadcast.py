"""Broadcasting and type promotion: what every elementwise op of several arguments shares."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import bool_, result_type
from trainkit.autograd.graph import UNRECORDED, TensorBase
from trainkit.autograd.op import Op, OpFunction, op, register, run, unwrap, view_op
from trainkit.errors import DTypeError, ShapeError

__all__ = ["broadcast_to", "cast", "elementwise", "promoted", "sum_to"]


@view_op
def broadcast_to(ctx: Any, x: Any, shape: tuple[int, ...]) -> Any:
    ctx.save(x.shape)
    try:
        return np.broadcast_to(x, shape)
    except ValueError:
        raise ShapeError(
            f"cannot expand shape {x.shape} to {shape}: from the right, each size must be equal or 1"
        ) from None


@broadcast_to.backward
def _(ctx: Any, grad: Any) -> Any:
    return sum_to(grad, ctx.saved[0])


@op
def sum_to(ctx: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """Sum `x` over the axes along which an array of `shape` was broadcast to it."""
    ctx.save(x.shape)
    extra = x.ndim - len(shape)
    kept = tuple(i + extra for i, size in enumerate(shape) if size == 1 and x.shape[i + extra] != 1)
    return x.sum(axis=tuple(range(extra)) + kept).reshape(shape)


@sum_to.backward
def _(ctx: Any, grad: Any) -> Any:
    return broadcast_to(grad, ctx.saved[0])


@op
def cast(ctx: Any, x: Any, dtype: np.dtype[Any]) -> Any:
    ctx.save(x.dtype)
    return x.astype(dtype)


@cast.backward
def _(ctx: Any, grad: Any) -> Any:
    return cast(grad, ctx.saved[0])


def elementwise(forward: Callable[..., Any]) -> OpFunction:
    """Make an op whose arguments meet in one dtype and broadcast; its rule need not care for either.

    Arguments of different dtypes are cast first, by casts that are recorded; the rule's gradients are summed to the
    shapes of their arguments afterwards.
    """
    this = Op(forward.__name__, forward)

    def call(*args: Any) -> Any:
        arrays, tensors, wanted = unwrap(args)
        if not tensors:
            return forward(UNRECORDED, *args)
        if not _agree(arrays):
            args = promoted(*args)
            arrays, tensors, wanted = unwrap(args)
        try:
            return run(this, args, arrays, wanted, broadcasts=True)
        except ValueError:
            shapes = [np.shape(array) for array in arrays]
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                raise ShapeError(
                    f"{this.name} cannot broadcast shapes {' and '.join(map(str, shapes))}: from the right, sizes "
                    "must be equal or 1"
                ) from None
            raise

    return register(this, call, adapt=_summed)


def _agree(arrays: list[Any]) -> bool:
    """Tell whether numpy itself would meet in the dtype that PyTorch does; it nearly always would."""
    dtype = None
    fraction = False
    for array in arrays:
        kind = type(array)
        if kind is np.ndarray:
            if dtype is None or dtype is bool_:
                dtype = array.dtype
            elif array.dtype is not dtype and array.dtype is not bool_:
                return False
        elif kind is float:
            fraction = True
        elif kind is not int and kind is not bool and array is not None:
            return False
    return dtype is not None and not (fraction and dtype.kind != "f")


def promoted(*args: Any) -> tuple[Any, ...]:
    """Cast tensors and arrays to the dtype in which they meet; Python scalars and None stay as they are."""
    values = [arg.item() if isinstance(arg, np.generic) else arg for arg in args]
    arrays = [arg.array if isinstance(arg, TensorBase) else arg for arg in values if arg is not None]
    for array in arrays:
        if not isinstance(array, (np.ndarray, bool, int, float)):
            raise DTypeError(
                f"expected a tensor, an array or a number, got {type(array).__name__}; make it a tensor first "
                "(trainkit.tensor(...))"
            )
    dtype = result_type(*arrays)

    def meet(arg: Any) -> Any:
        if isinstance(arg, TensorBase):
            return arg if arg.array.dtype == dtype else cast(arg, dtype)
        return arg.astype(dtype, copy=False) if isinstance(arg, np.ndarray) else arg

    return tuple([meet(arg) for arg in values])


def _summed(rule: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def summed(ctx: Any, grad: Any) -> Any:
        gradients = rule(ctx, grad)
        if not ctx.shapes:
            return gradients
        if type(gradients) is not tuple:
            gradients = (gradients,)
        return tuple(
            [
                part if part is None or shape is None or part.shape == shape else sum_to(part, shape)
                for part, shape in zip(gradients, ctx.shapes, strict=False)
            ]
        )

    return summed
