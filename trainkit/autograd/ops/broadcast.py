"""Broadcasting and type promotion: what every elementwise op of several arguments shares."""

import inspect
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from trainkit import kernels
from trainkit.autograd.convert import cast_array
from trainkit.autograd.dtypes import bool_, int64, result_type
from trainkit.autograd.graph import UNRECORDED, TensorBase
from trainkit.autograd.op import Op, OpFunction, binary, op, register, run, view_op
from trainkit.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["broadcast_to", "cast", "check_no_mask", "elementwise", "fitted", "promoted", "sum_to"]

Large = Literal["wraps", "raises", "stays"]


@view_op
def broadcast_to(ctx: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """A view of `x` in `shape`; numpy forbids writing to it where an element stands in several places."""
    ctx.save(x.shape)
    strides = [0] * (len(shape) - x.ndim)
    stretched = False
    for size, stride, wanted in zip(x.shape, x.strides, shape[len(strides) :], strict=False):
        if size == wanted:
            strides.append(stride)
        elif size == 1 and wanted >= 0:
            strides.append(0)
            stretched = True
        else:
            break
    if len(strides) != len(shape) or len(shape) < x.ndim:
        raise ShapeError(f"cannot expand shape {x.shape} to {shape}: from the right, each size must be equal or 1")
    if not stretched and all(size == 1 for size in shape[: len(shape) - x.ndim]):
        return x.reshape(shape)
    if not x.flags.c_contiguous:
        return np.broadcast_to(x, shape)
    out: Any = np.ndarray(shape, x.dtype, x, 0, strides)  # as np.broadcast_to, in a fifth of its time
    out.flags.writeable = False
    return out


@broadcast_to.backward
def _(ctx: Any, grad: Any) -> Any:
    return sum_to(grad, ctx.saved[0])


@op
def sum_to(ctx: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """Sum `x` over the axes along which an array of `shape` was broadcast to it."""
    ctx.save(x.shape)
    extra = x.ndim - len(shape)
    kept = tuple(i + extra for i, size in enumerate(shape) if size == 1 and x.shape[i + extra] != 1)
    return kernels.total(x, tuple(range(extra)) + kept).reshape(shape)


@sum_to.backward
def _(ctx: Any, grad: Any) -> Any:
    return broadcast_to(grad, ctx.saved[0])


@op
def cast(ctx: Any, x: Any, dtype: np.dtype[Any]) -> Any:
    ctx.save(x.dtype)
    return cast_array(x, dtype)


@cast.backward
def _(ctx: Any, grad: Any) -> Any:
    return cast(grad, ctx.saved[0])


def elementwise(forward: Callable[..., Any], *, large: Large = "wraps", masks: bool = True) -> OpFunction:
    """Make an op whose arguments meet in one dtype and broadcast; its rule need not care for either.

    Arguments of different dtypes are cast first, by casts that are recorded; the rule's gradients are summed to the
    shapes of their arguments afterwards.

    Args:
        forward: computes an array from arrays and Python numbers.
        large: what happens to a Python integer beyond the integer dtype of a tensor: it "wraps" around, as in PyTorch's
            arithmetic; it "raises", as in PyTorch's `clamp`; it "stays", for the forward to deal with.
        masks: booleans are taken beside other dtypes; the forward itself refuses booleans alone.
    """
    this = Op(forward.__name__, forward)
    pairs = len(inspect.signature(forward).parameters) == 3

    def call(*args: Any) -> Any:
        if pairs and (args[0] is None or args[1] is None):
            raise DTypeError(f"{this.name} takes tensors and numbers, got None")
        if not _agree(args):
            if not any(isinstance(arg, TensorBase) for arg in args):
                return forward(UNRECORDED, *args)
            if not masks:
                check_no_mask(this.name, *args)
            args = promoted(*args, large=large)
        elif not masks:
            check_no_mask(this.name, *args)
        try:
            return run(this, args, broadcasts=True)
        except ValueError:
            shapes = [np.shape(getattr(arg, "array", arg)) for arg in args]
            try:
                np.broadcast_shapes(*shapes)
            except ValueError:
                raise ShapeError(
                    f"{this.name} cannot broadcast shapes {' and '.join(map(str, shapes))}: from the right, sizes "
                    "must be equal or 1"
                ) from None
            raise

    return register(this, binary(this, call) if pairs else call, adapt=_summed)


def _agree(args: tuple[Any, ...]) -> bool:
    """Tell whether numpy itself would meet in the dtype that PyTorch does; it nearly always would."""
    dtype = None
    fraction = False
    large: tuple[int, ...] = ()
    for arg in args:
        array: Any = arg.array if isinstance(arg, TensorBase) else arg
        kind = type(array)
        if kind is np.ndarray:
            if dtype is None or dtype is bool_:
                dtype = array.dtype
            elif array.dtype is not dtype and array.dtype is not bool_:
                return False
        elif kind is float:
            fraction = True
        elif kind is int:
            if not 0 <= array < 128:  # what every dtype holds
                large += (array,)
        elif kind is not bool and array is not None:
            return False
    if dtype is None:
        return False
    if dtype.kind == "f" or not (fraction or large):
        return True
    return not fraction and dtype in (int64, bool_) and all(-(2**63) <= number < 2**63 for number in large)


def check_no_mask(name: str, *args: Any) -> None:
    """Raise if there are booleans among the arguments of an op that has no meaning for them.

    Raises:
        DTypeError: there are.
    """
    for arg in args:
        if getattr(arg, "dtype", None) == bool_ or isinstance(arg, bool):
            raise DTypeError(
                f"{name} does not take booleans; use ~, ^ or logical_not(), or cast the mask with .float()"
            )


def promoted(*args: Any, large: Large = "wraps") -> tuple[Any, ...]:
    """Cast tensors and arrays to the dtype in which they meet; Python scalars and None stay as they are.

    `large` says what happens to an integer beyond an integer dtype, see `elementwise`.
    """
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
        if isinstance(arg, np.ndarray):
            return arg.astype(dtype, copy=False)
        return fitted(arg, dtype, large == "wraps") if isinstance(arg, int) and large != "stays" else arg

    return tuple([meet(arg) for arg in values])


def fitted(number: int, dtype: np.dtype[Any], wraps: bool) -> int:
    """Return an integer as a dtype holds it: as it is, or wrapped around if the dtype is too small an integer one.

    Raises:
        ArgumentError: it must not wrap, or it has more than 64 bits.
    """
    if dtype.kind not in "iu":
        return number
    info = np.iinfo(dtype)
    if info.min <= number <= info.max:
        return number
    # even where PyTorch refuses other numbers, -1 stands for the largest of an unsigned dtype
    if not (-(2**63) <= number < 2**64 if wraps else dtype.kind == "u" and -info.max <= number < 0):
        raise ArgumentError(
            f"{number} does not fit {dtype}, which holds {info.min} to {info.max}; cast the tensor to a wider dtype"
        )
    number &= (1 << info.bits) - 1
    return number if number <= info.max else number - (1 << info.bits)


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
