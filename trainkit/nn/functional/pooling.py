"""Windows reduced to one value each."""

from trainkit.autograd import Tensor
from trainkit.autograd.ops import pooling as _pooling
from trainkit.errors import ArgumentError
from trainkit.nn.functional.checks import Pair, check_images, check_window, pair

__all__ = ["max_pool2d"]


def max_pool2d(x: Tensor, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Tensor:
    """Take the largest element of each window of (N, C, H, W); `stride` defaults to `kernel_size`.

    Raises:
        ShapeError: `x` is not (N, C, H, W), or the window is larger than the padded image.
        ArgumentError: the padding is more than half of the window.
    """
    kernel = pair(kernel_size, "kernel_size", 1)
    steps = kernel if stride is None else pair(stride, "stride", 1)
    padding = pair(padding, "padding", 0)
    if padding[0] * 2 > kernel[0] or padding[1] * 2 > kernel[1]:
        raise ArgumentError(f"max_pool2d: padding {padding} must be at most half of kernel_size {kernel}")
    check_images("MaxPool2d", x)
    check_window("MaxPool2d", x, kernel, steps, padding)
    return _pooling.max_pool2d(x, (kernel, steps, padding))
