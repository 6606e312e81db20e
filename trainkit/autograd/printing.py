"""How a tensor looks, to the character as in PyTorch; dtypes are numpy's names and nodes have no number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainkit.autograd.dtypes import get_default_dtype
from trainkit.autograd.graph import Array
from trainkit.errors import ArgumentError

__all__ = ["set_printoptions", "tensor_repr"]


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = _Options()
_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": float("inf"), "edgeitems": 3, "linewidth": 80},
}
_USUAL = ("int64", "bool")
_PREFIX = "tensor("


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed.

    Args:
        precision: digits after the point; 4 at first.
        threshold: print a tensor of more elements as a summary; 1000 at first.
        edgeitems: how many elements a summary shows at each end of a dimension; 3 at first.
        linewidth: characters in a line; 80 at first.
        profile: "default", "short" or "full" (no summary): sets all of the above that are not given.
        sci_mode: print floats as 1.0000e+00 or not; None, which every call without it restores, decides by the values.

    Raises:
        ArgumentError: there is no such profile.
    """
    if profile is not None and profile not in _PROFILES:
        raise ArgumentError(f"profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in {**(_PROFILES[profile] if profile else {}), **chosen}.items():
        setattr(_options, name, value)
    _options.sci_mode = sci_mode


def tensor_repr(tensor: Any) -> str:
    """Return `tensor([...], dtype=..., requires_grad=True)` or `..., grad_fn=<AddBackward>)`."""
    array = tensor.array
    text = _PREFIX + _values(array, len(_PREFIX))
    room = _options.linewidth - 2  # a line keeps two columns free for what closes it
    column = len(text.rpartition("\n")[2])
    for suffix in _suffixes(tensor, array):
        if column + len(suffix) + 2 > room:
            text += ",\n" + " " * len(_PREFIX) + suffix
            column = len(_PREFIX) + len(suffix) - 2
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _suffixes(tensor: Any, array: Array) -> list[str]:
    suffixes = []
    if array.ndim != 1 if array.size == 0 else not _options.edgeitems:
        suffixes.append(f"size={tuple(array.shape)}")
    # the values of an empty tensor do not tell integers and booleans from the default dtype
    if array.dtype != get_default_dtype() and (array.size == 0 or array.dtype.name not in _USUAL):
        suffixes.append(f"dtype={array.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn={tensor.grad_fn!r}")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes


def _values(array: Array, indent: int) -> str:
    if array.size == 0:
        return "[]"
    edges = _options.edgeitems
    cuts = [array.size > _options.threshold and size > 2 * edges for size in array.shape]
    for axis, cut in enumerate(cuts):
        if cut:
            size = array.shape[axis]
            array = array.take(np.r_[:edges, size - edges : size].astype(int), axis)
    write, width = _number_writer(array)
    return _nested(array.tolist(), cuts, indent, write, width)


def _nested(values: Any, cuts: list[bool], indent: int, write: Callable[[Any], str], width: int) -> str:
    if not cuts:
        return write(values)
    edges = _options.edgeitems
    if len(cuts) == 1:
        parts = [write(value) for value in values]
        if cuts[0]:
            parts.insert(edges, " ..." if edges else "...")
        per_line = max(1, int((_options.linewidth - indent) // (width + 2)))
        parts = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
    else:
        parts = [_nested(value, cuts[1:], indent + 1, write, width) for value in values]
        if cuts[0]:
            parts.insert(edges, "...")
    lines = max(len(cuts) - 1, 1)  # blocks of more dimensions stand further apart
    return "[" + ("," + "\n" * lines + " " * (indent + 1)).join(parts) + "]"


def _number_writer(array: Array) -> tuple[Callable[[Any], str], int]:
    """Return how the numbers of an array are written, all alike, and how wide they are."""
    if array.dtype.kind != "f":
        width = max((len(str(value)) for value in array.ravel().tolist()), default=1)
        return (lambda value: str(value).rjust(width)), width
    plain = _float_writer(array)
    seen = array[np.isfinite(array) & (array != 0)].tolist()
    width = max((len(plain(value)) for value in seen), default=1)
    return (lambda value: plain(value).rjust(width)), width


def _float_writer(array: Array) -> Callable[[float], str]:
    """Choose between `1.`, `1.5000` and `1.5000e+00` by the numbers that are neither 0 nor infinite nor NaN."""
    digits = _options.precision
    seen = array[np.isfinite(array) & (array != 0)].astype(np.float64)
    scientific = False
    if seen.size:
        sizes = np.abs(seen)
        smallest, largest = sizes.min(), sizes.max()
        with np.errstate(over="ignore"):
            scientific = bool(largest / smallest > 1000.0 or largest > 1e8 or smallest < 1e-4)
        if _options.sci_mode is not None:
            scientific = _options.sci_mode
    if scientific:
        return lambda value: f"{value:.{digits}e}"
    if (seen == np.ceil(seen)).all():
        return lambda value: f"{value:.0f}" + ("." if np.isfinite(value) else "")
    return lambda value: f"{value:.{digits}f}"
