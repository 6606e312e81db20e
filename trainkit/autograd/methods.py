"""The methods of Tensor that are functions too: a line each, under PyTorch's names; and those that are methods only."""

from typing import Any

import numpy as np

from trainkit.autograd import inplace
from trainkit.autograd.functions import elementwise, index, linalg, reduce, shape
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.op import wrap
from trainkit.autograd.ops import elementwise as elementwise_ops
from trainkit.autograd.ops import index as index_ops
from trainkit.autograd.ops import shape as shape_ops

__all__ = ["TensorMethods"]


class TensorMethods(TensorBase):
    """What tensors do by functions: `x.exp()` is `exp(x)`."""

    __slots__ = ()

    # Arithmetic

    __add__ = __radd__ = elementwise_ops.add
    __sub__ = elementwise_ops.sub
    __mul__ = __rmul__ = elementwise_ops.mul
    __truediv__ = elementwise_ops.div
    __pow__ = elementwise_ops.pow
    __neg__ = elementwise_ops.neg
    __abs__ = elementwise_ops.abs
    __matmul__ = linalg.matmul
    __eq__ = eq = elementwise_ops.eq
    __ne__ = ne = elementwise_ops.ne
    __lt__ = lt = elementwise_ops.lt
    __le__ = le = elementwise_ops.le
    __gt__ = gt = elementwise_ops.gt
    __ge__ = ge = elementwise_ops.ge
    __and__ = __rand__ = elementwise_ops.bitwise_and
    __or__ = __ror__ = elementwise_ops.bitwise_or
    __invert__ = elementwise_ops.bitwise_not
    __hash__ = object.__hash__

    def __rsub__(self, other: Any) -> Any:
        return elementwise_ops.sub(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return elementwise_ops.div(other, self)

    def __rpow__(self, other: Any) -> Any:
        return elementwise_ops.pow(other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return linalg.matmul(wrap(np.asarray(other)), self)

    # Element by element

    add = elementwise.add
    sub = elementwise.sub
    mul = elementwise.mul
    div = elementwise.div
    pow = elementwise.pow
    neg = elementwise.neg
    abs = elementwise.abs
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    exp = elementwise.exp
    log = elementwise.log
    sqrt = elementwise.sqrt
    sin = elementwise.sin
    cos = elementwise.cos
    tanh = elementwise.tanh
    sigmoid = elementwise.sigmoid
    relu = elementwise.relu
    sign = elementwise.sign
    clamp = elementwise.clamp
    isnan = elementwise.isnan
    isfinite = elementwise.isfinite
    equal = elementwise.equal
    allclose = elementwise.allclose

    # Reductions

    sum = reduce.sum
    mean = reduce.mean
    var = reduce.var
    std = reduce.std
    max = reduce.max
    min = reduce.min
    amax = reduce.amax
    amin = reduce.amin
    argmax = reduce.argmax
    argmin = reduce.argmin
    logsumexp = reduce.logsumexp
    softmax = reduce.softmax
    log_softmax = reduce.log_softmax

    # Sorting

    # Linear algebra

    matmul = linalg.matmul

    # Shapes

    flatten = shape.flatten
    transpose = shape.transpose
    movedim = shape.movedim
    squeeze = shape.squeeze
    unsqueeze = shape.unsqueeze
    clone = shape.clone
    contiguous = shape_ops.contiguous

    def reshape(self, *sizes: Any) -> Any:
        """Give the elements another shape: a view where the layout allows it, else a copy."""
        return shape_ops.reshape(self, _sizes(sizes))

    def view(self, *sizes: Any) -> Any:
        """Give the elements another shape without a copy; raises where the layout does not allow it."""
        return shape_ops.view(self, _sizes(sizes))

    def permute(self, *dims: Any) -> Any:
        """Put the dimensions into another order."""
        return shape_ops.permute(self, _sizes(dims))

    def expand(self, *sizes: Any) -> Any:
        """Broadcast to `sizes` as a view; -1 keeps a size."""
        return shape_ops.expand(self, _sizes(sizes))

    @property
    def T(self) -> Any:  # noqa: N802 -- PyTorch's name
        """The dimensions in reverse."""
        return shape_ops.permute(self, tuple(reversed(range(self.array.ndim))))

    # Elements

    gather = index.gather

    def __getitem__(self, key: Any) -> Any:
        return index_ops.getitem(self, index_ops.plain_index(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        inplace.set_item(self, key, value)

    # In place

    add_ = __iadd__ = inplace.in_place(elementwise.add)
    sub_ = __isub__ = inplace.in_place(elementwise.sub)
    mul_ = __imul__ = inplace.in_place(elementwise.mul)
    div_ = __itruediv__ = inplace.in_place(elementwise.div)

    def copy_(self, other: Any) -> Any:
        """Take over the values of `other`, which broadcasts."""
        self[...] = other
        return self

    def fill_(self, value: Any) -> Any:
        """Set every element to one number."""
        self[...] = value
        return self

    def zero_(self) -> Any:
        """Set every element to 0."""
        return self.fill_(0)


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Take sizes one by one or as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
