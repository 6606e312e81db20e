"""Padding layers: what is put around lines, images and volumes."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.checks import Sizes, sizes_of
from trainkit.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """What padding of all kinds and dimensions shares: the widths, a number or (before, after) of each dimension."""

    dims: int
    mode = "constant"
    value: float | None = None

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = sizes_of(padding, 2 * self.dims, "padding", -(2**62))

    def forward(self, input: Tensor) -> Tensor:
        """Pad the last dimensions."""
        return functional.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Padding with a number."""

    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """Return the widths and the number."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Puts a number around lines: (N, C, L) to (N, C, L'), or both without N; see `ConstantPad2d`.

    >>> import trainkit as tk
    >>> ConstantPad1d((1, 2), 9.0)(tk.tensor([[1.0, 2.0, 3.0]]))
    tensor([[9., 1., 2., 3., 9., 9.]])
    """

    dims = 1


class ConstantPad2d(_ConstantPad):
    """Puts a number around images: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        padding: a number, or (left, right, top, bottom); a negative one cuts off.
        value: the number.

    >>> import trainkit as tk
    >>> ConstantPad2d(1, 9.0)(tk.ones(1, 2, 4, 5)).shape
    (1, 2, 6, 7)
    """

    dims = 2


class ConstantPad3d(_ConstantPad):
    """Puts a number around volumes: (N, C, D, H, W) to (N, C, D', H', W'), or both without N; see `ConstantPad2d`.

    >>> import trainkit as tk
    >>> ConstantPad3d(1, 9.0)(tk.ones(1, 2, 4, 5, 6)).shape
    (1, 2, 6, 7, 8)
    """

    dims = 3


class ZeroPad1d(_Pad):
    """Puts zeros around lines: (N, C, L) to (N, C, L'), or both without N; see `ZeroPad2d`.

    >>> import trainkit as tk
    >>> ZeroPad1d((1, 2))(tk.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 1., 2., 3., 0., 0.]])
    """

    dims = 1


class ZeroPad2d(_Pad):
    """Puts zeros around images: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        padding: a number, or (left, right, top, bottom); a negative one cuts off.

    >>> import trainkit as tk
    >>> ZeroPad2d(1)(tk.ones(1, 2, 4, 5)).shape
    (1, 2, 6, 7)
    """

    dims = 2


class ZeroPad3d(_Pad):
    """Puts zeros around volumes: (N, C, D, H, W) to (N, C, D', H', W'), or both without N; see `ZeroPad2d`.

    >>> import trainkit as tk
    >>> ZeroPad3d(1)(tk.ones(1, 2, 4, 5, 6)).shape
    (1, 2, 6, 7, 8)
    """

    dims = 3


class ReflectionPad1d(_Pad):
    """Continues lines mirrored at their first and last elements: (N, C, L) to (N, C, L'), or both without N.

    See `ReflectionPad2d`.

    >>> import trainkit as tk
    >>> ReflectionPad1d((1, 2))(tk.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2., 1.]])
    """

    dims = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Continues images mirrored at their first and last elements: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        padding: a number, or (left, right, top, bottom); a negative one cuts off.

    >>> import trainkit as tk
    >>> ReflectionPad2d(1)(tk.ones(1, 2, 4, 5)).shape
    (1, 2, 6, 7)
    """

    dims = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Continues volumes mirrored at their first and last elements: (N, C, D, H, W) to (N, C, D', H', W').

    See `ReflectionPad2d`.

    >>> import trainkit as tk
    >>> ReflectionPad3d(1)(tk.ones(1, 2, 4, 5, 6)).shape
    (1, 2, 6, 7, 8)
    """

    dims = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Continues lines with their first and last elements: (N, C, L) to (N, C, L'), or both without N.

    See `ReplicationPad2d`.

    >>> import trainkit as tk
    >>> ReplicationPad1d((1, 2))(tk.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 2., 3., 3., 3.]])
    """

    dims = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Continues images with their first and last elements: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        padding: a number, or (left, right, top, bottom); a negative one cuts off.

    >>> import trainkit as tk
    >>> ReplicationPad2d(1)(tk.ones(1, 2, 4, 5)).shape
    (1, 2, 6, 7)
    """

    dims = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Continues volumes with their first and last elements: (N, C, D, H, W) to (N, C, D', H', W'), or both without N.

    See `ReplicationPad2d`.

    >>> import trainkit as tk
    >>> ReplicationPad3d(1)(tk.ones(1, 2, 4, 5, 6)).shape
    (1, 2, 6, 7, 8)
    """

    dims = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Continues lines from their other end: (N, C, L) to (N, C, L'), or both without N; see `CircularPad2d`.

    >>> import trainkit as tk
    >>> CircularPad1d((1, 2))(tk.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1., 2.]])
    """

    dims = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Continues images from their other end: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        padding: a number, or (left, right, top, bottom); a negative one cuts off.

    >>> import trainkit as tk
    >>> CircularPad2d(1)(tk.ones(1, 2, 4, 5)).shape
    (1, 2, 6, 7)
    """

    dims = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Continues volumes from their other end: (N, C, D, H, W) to (N, C, D', H', W'), or both without N.

    See `CircularPad2d`.

    >>> import trainkit as tk
    >>> CircularPad3d(1)(tk.ones(1, 2, 4, 5, 6)).shape
    (1, 2, 6, 7, 8)
    """

    dims = 3
    mode = "circular"
