"""Windows of images as columns, and columns added up to images: compositions of views."""

from typing import Any

from trainkit.autograd import Tensor
from trainkit.autograd.ops.index import getitem, index_put
from trainkit.autograd.ops.pad import pad
from trainkit.autograd.ops.shape import permute, reshape
from trainkit.autograd.ops.strided import unfold as _windows
from trainkit.autograd.ops.strided import unfold_sum
from trainkit.errors import ShapeError
from trainkit.nn.functional.checks import Sizes, check_pooled, check_window, sizes_of

__all__ = ["fold", "unfold"]


def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """Lay the windows of images out as columns: (N, C, H, W) to (N, C kh kw, L), or both without N.

    L is the number of windows, row by row; the sizes are those of `conv2d`, which is a matrix product with these.

    Args:
        input: of a floating point dtype.
        kernel_size: a number, or one for each dimension, as all that follow.
        dilation: the step between the elements of a window.
        padding: zeros on both sides.
        stride: the step between windows.

    Raises:
        ShapeError: `input` has another number of dimensions, or the window is larger than the padded image.

    >>> import trainkit as tk
    >>> unfold(tk.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]), 2)
    tensor([[1., 2.],
            [2., 3.],
            [4., 5.],
            [5., 6.]])
    """
    kernel, spread, edge, steps = _sizes(kernel_size, dilation, padding, stride)
    check_pooled("Unfold", input, 2)
    check_window("Unfold", input.shape[-2:], kernel, edge, spread)
    x = pad(input, (edge[1], edge[1], edge[0], edge[0])) if max(edge) else input
    lead = x.shape[:-3]
    at = len(lead)
    for dim in (0, 1):  # the taps become a last dimension, first the rows of the window, then its columns
        x = _windows(x, at + 1 + dim, (kernel[dim] - 1) * spread[dim] + 1, steps[dim])
        if spread[dim] > 1:
            x = getitem(x, (..., slice(None, None, spread[dim])))
    x = permute(x, (*range(at), at, at + 3, at + 4, at + 1, at + 2))
    return reshape(x, (*lead, x.shape[at] * kernel[0] * kernel[1], x.shape[-2] * x.shape[-1]))


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Add columns up to images of `output_size`: (N, C kh kw, L) to (N, C, H, W), or both without N.

    It is the gradient of `unfold`: elements that several windows share are sums.

    Raises:
        ShapeError: the rows are no multiple of the window's size, or L is not the number of windows.

    >>> import trainkit as tk
    >>> fold(tk.ones(1, 4, 2), (2, 3), 2)
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    kernel, spread, edge, steps = _sizes(kernel_size, dilation, padding, stride)
    size = sizes_of(output_size, 2, "output_size", 1)
    taps = kernel[0] * kernel[1]
    if input.ndim not in (2, 3) or input.shape[-2] % taps or input.shape[-2] == 0:
        raise ShapeError(
            f"Fold expected input of shape (N, C, L) or (C, L), C a multiple of the {taps} elements of the window, got "
            f"{input.shape}"
        )
    check_window("Fold", size, kernel, edge, spread)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, spread, strict=True)]
    padded = [n + 2 * p for n, p in zip(size, edge, strict=True)]
    counts = [(n - r) // s + 1 for n, r, s in zip(padded, reach, steps, strict=True)]
    if input.shape[-1] != counts[0] * counts[1]:
        raise ShapeError(
            f"Fold expected {counts[0]} x {counts[1]} = {counts[0] * counts[1]} columns for an image of {size}, got "
            f"input of shape {input.shape}"
        )
    lead, channels = input.shape[:-2], input.shape[-2] // taps
    at = len(lead)
    x = reshape(input, (*lead, channels, *kernel, *counts))
    x = permute(x, (*range(at), at, at + 3, at + 4, at + 1, at + 2))
    for dim in (1, 0):
        if spread[dim] > 1:
            x = index_put(x, (*x.shape[:-1], reach[dim]), (..., slice(None, None, spread[dim])))
        shape = list(x.shape[:-1])
        shape[at + 1 + dim] = padded[dim]
        x = unfold_sum(x, tuple(shape), at + 1 + dim, reach[dim], steps[dim])
    if max(edge):
        x = getitem(x, (..., slice(edge[0], edge[0] + size[0]), slice(edge[1], edge[1] + size[1])))
    return x


def _sizes(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[tuple[int, ...], ...]:
    return (
        sizes_of(kernel_size, 2, "kernel_size", 1),
        sizes_of(dilation, 2, "dilation", 1),
        sizes_of(padding, 2, "padding", 0),
        sizes_of(stride, 2, "stride", 1),
    )
