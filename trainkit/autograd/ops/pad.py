"""Padding: with a number, or with elements of the tensor itself."""

from collections.abc import Sequence
from typing import Any

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.autograd.ops.index import getitem
from trainkit.autograd.ops.shape import clone
from trainkit.autograd.size import sizes_of
from trainkit.errors import ArgumentError, ShapeError

__all__ = ["pad", "pad_constant", "pad_edges", "pad_edges_sum"]

Widths = tuple[tuple[int, int], ...]


@op
def pad_constant(ctx: Any, x: Any, widths: Widths, value: float) -> Any:
    """Put `value` around `x`: (before, after) for each dimension."""
    middle = _middle(x.shape, widths)
    ctx.save(middle)
    out = kernels.empty(_padded(x.shape, widths), x.dtype)
    out.fill(value)
    out[middle] = x
    return out


@pad_constant.backward
def _(ctx: Any, grad: Any) -> Any:
    return getitem(grad, ctx.saved[0])


@op
def pad_edges(ctx: Any, x: Any, widths: Widths, mode: str) -> Any:
    """Continue `x` on its own: (before, after) for each dimension, mode "reflect", "replicate" or "circular"."""
    ctx.save(x.shape, widths, mode)
    out = kernels.empty(_padded(x.shape, widths), x.dtype)
    out[_middle(x.shape, widths)] = x
    for target, source in _edges(x.shape, widths, mode):
        out[target] = out[source]
    return out


@pad_edges.backward
def _(ctx: Any, grad: Any) -> Any:
    return pad_edges_sum(grad, *ctx.saved)


@op
def pad_edges_sum(ctx: Any, padded: Any, shape: tuple[int, ...], widths: Widths, mode: str) -> Any:
    """Add each element of the edges to the one from which `pad_edges` took it, and cut the edges off."""
    ctx.save(widths, mode)
    total = padded.copy()
    for target, source in reversed(_edges(shape, widths, mode)):
        edge, kept = total[target], total[source]
        kept += edge if edge.shape == kept.shape else edge.sum(len(source) - 1, keepdims=True)
    return total[_middle(shape, widths)].copy()


@pad_edges_sum.backward
def _(ctx: Any, grad: Any) -> Any:
    return pad_edges(grad, *ctx.saved)


def _padded(shape: tuple[int, ...], widths: Widths) -> tuple[int, ...]:
    return tuple([before + size + after for size, (before, after) in zip(shape, widths, strict=True)])


def _middle(shape: tuple[int, ...], widths: Widths) -> tuple[slice, ...]:
    """Where in the padded tensor the tensor itself is."""
    return tuple([slice(before, before + size) for size, (before, _) in zip(shape, widths, strict=True)])


def _edges(shape: tuple[int, ...], widths: Widths, mode: str) -> list[tuple[Any, Any]]:
    """Pairs of what is to be filled and what it is filled from, in the padded tensor, dimension by dimension."""
    edges = []
    for dim, (size, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        end = before + size
        pairs: tuple[tuple[int, slice, slice], ...]
        if mode == "reflect":
            pairs = (
                (before, slice(before), slice(2 * before, before, -1)),
                (after, slice(end, end + after), slice(end - 2, end - 2 - after if end - 2 - after >= 0 else None, -1)),
            )
        elif mode == "replicate":
            pairs = (
                (before, slice(before), slice(before, before + 1)),
                (after, slice(end, end + after), slice(end - 1, end)),
            )
        else:
            pairs = (
                (before, slice(before), slice(size, end)),
                (after, slice(end, end + after), slice(before, before + after)),
            )
        rest = (slice(None),) * dim
        edges += [((*rest, target), (*rest, source)) for width, target, source in pairs if width]
    return edges


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last dimensions: `pad` is (before, after) of the last one, then of the one before it, and so on.

    A negative width cuts off. The modes: "constant" fills with `value`, "reflect" mirrors at the first and last
    element, "replicate" repeats them, "circular" begins again at the other end. The latter three pad the last 1, 2 or
    3 dimensions behind one or two others: (C, W) or (N, C, W) for a `pad` of 2 numbers.

    Raises:
        ArgumentError: the mode is another, or a value comes with one of the latter three.
        ShapeError: `pad` has not two numbers for a dimension, or the tensor is too small for it.

    >>> import trainkit as tk
    >>> tk.nn.functional.pad(tk.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2]])
    """
    numbers = sizes_of((pad,) if isinstance(pad, (tuple, list)) else tuple(pad), -(2**62))
    shape = input.array.shape
    if len(numbers) % 2 or len(numbers) > 2 * len(shape):
        raise ShapeError(
            f"pad takes two numbers, before and after, for each of at most {len(shape)} dimensions of shape {shape}, "
            f"got pad={numbers}"
        )
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (len(shape) - len(pairs)) + pairs
    widths = tuple([(max(before, 0), max(after, 0)) for before, after in pairs])
    if mode != "constant":
        _check_mode(mode, shape, numbers, value)
    if mode in ("reflect", "replicate"):  # these cut off last
        _check_widths(mode, shape, widths)
        out = pad_edges(input, widths, mode)
        return clone(getitem(out, _cuts(out.array.shape, pairs))) if _negative(numbers) else out
    if _negative(numbers):
        input = getitem(input, _cuts(shape, pairs))
    if mode == "constant":
        return pad_constant(input, widths, 0 if value is None else value)
    _check_widths(mode, input.array.shape, widths)
    return pad_edges(input, widths, mode)


def _negative(numbers: tuple[int, ...]) -> bool:
    return any(number < 0 for number in numbers)


def _cuts(shape: tuple[int, ...], pairs: list[tuple[int, int]]) -> tuple[slice, ...]:
    """Return what negative widths leave of a shape."""
    cuts = [(max(-before, 0), size + min(after, 0)) for size, (before, after) in zip(shape, pairs, strict=True)]
    if any(start > end for start, end in cuts):
        raise ShapeError(f"pad cannot cut off more than there is: widths {pairs} of shape {shape}")
    return tuple([slice(start, end) for start, end in cuts])


def _check_mode(mode: str, shape: tuple[int, ...], numbers: tuple[int, ...], value: float | None) -> None:
    if mode not in ("reflect", "replicate", "circular"):
        raise ArgumentError(f"the mode of pad is 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if value:
        raise ArgumentError(f"pad takes a value in mode 'constant' only, got value={value} with mode {mode!r}")
    dims = len(numbers) // 2
    if not 1 <= dims <= 3 or not dims + 1 <= len(shape) <= dims + 2:
        raise ShapeError(
            f"pad in mode {mode!r} pads the last 1, 2 or 3 dimensions behind one or two others (channels, batch), got "
            f"shape {shape} and pad={numbers}"
        )


def _check_widths(mode: str, shape: tuple[int, ...], widths: Widths) -> None:
    for size, pair in zip(shape, widths, strict=True):
        most = {"reflect": size - 1, "replicate": None if size else 0, "circular": size}[mode]
        if most is not None and max(pair) > max(most, 0):
            raise ShapeError(
                f"pad in mode {mode!r} can add at most {max(most, 0)} to a dimension of size {size}, got {pair} in "
                f"shape {shape}"
            )
