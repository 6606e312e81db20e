"""Resizing, channels turned into pixels, windows laid out as columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.autograd.table.pooling import np_adaptive, np_windows
from tests.autograd.table.rows import Row

__all__ = ["ROWS"]

AXES = {1: "h", 2: "hw", 3: "khw"}


def np_keys(distance: Any, a: float) -> Any:
    """The kernel of cubic convolution, as Keys writes it."""
    d = abs(distance)
    inner = (a + 2) * d**3 - (a + 3) * d**2 + 1
    return np.where(d <= 1, inner, np.where(d < 2, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a, 0))


def np_matrix(size: int, out: int, kind: str, align: bool) -> Any:
    """Resizing along one dimension, as a matrix."""
    number = np.arange(out)
    at = (number + 0.5) * size / out - 0.5
    if align:
        at = number * (size - 1) / max(out - 1, 1)
    if kind == "nearest":
        return np.eye(size)[number * size // out]
    if kind == "nearest-exact":
        return np.eye(size)[np.floor(at + 0.5).astype(int)]
    if kind == "linear":
        return np.stack([np.interp(at, np.arange(size), unit) for unit in np.eye(size)], 1)
    edge = np.clip(np.arange(-3, size + 3), 0, size - 1)
    return np_keys(at[:, None] - np.arange(-3, size + 3), -0.75) @ np.eye(size)[edge]


def np_resize(x: Any, sizes: Sequence[int], kind: str, align: bool = False) -> Any:
    for dim, out in zip(range(2, x.ndim), sizes, strict=True):
        matrix = np_matrix(x.shape[dim], out, kind, align)
        x = np.moveaxis(np.tensordot(matrix, x, (1, dim)), 0, dim)
    return x


def resize(mode: str, dims: int, sizes: Sequence[int], reference: Any, **how: Any) -> Row:
    def call(lib: Any, x: Any) -> Any:
        return lib.nn.functional.interpolate(x, sizes, mode=mode, **how)

    note = "-".join([mode, f"{dims}d", *how])
    tolerance = 1e-4 if mode == "bicubic" else 1e-5
    return Row("nn.functional.interpolate", (f"nc{AXES[dims]}",), call, reference, note=note, tolerance=tolerance)


def smooth(mode: str, dims: int) -> list[Row]:
    kind, sizes = mode.removeprefix("bi").removeprefix("tri"), (4, 7, 2)[-dims:]
    return [
        resize(mode, dims, sizes, lambda x, align=align: np_resize(x, sizes, kind, align), align_corners=align)
        for align in (False, True)
    ]


def np_unfold(x: Any) -> Any:
    windows = np_windows(x, (2, 3), (1, 2), (1, 1), 0.0)
    return np.moveaxis(windows, -1, -3).reshape(*x.shape[:-3], x.shape[-3] * 6, windows.shape[-3] * windows.shape[-2])


def np_fold(x: Any) -> Any:
    """Columns of windows of 2 x 3, 3 x 2 of them, one row and two columns apart, in 2 x 5 with a zero around."""
    out = np.zeros((*x.shape[:-2], x.shape[-2] // 6, 4, 7))
    parts = x.reshape(*x.shape[:-2], x.shape[-2] // 6, 2, 3, 3, 3)
    for i, j, row, column in np.ndindex(2, 3, 3, 3):
        out[..., row + i, 2 * column + j] += parts[..., i, j, row, column]
    return out[..., 1:-1, 1:-1]


def np_shuffle(x: Any, r: int) -> Any:
    *lead, C, H, W = x.shape
    out = np.zeros((*lead, C // r**2, H * r, W * r))
    for c, i, j in np.ndindex(C // r**2, r, r):
        out[..., c, i::r, j::r] = x[..., c * r**2 + i * r + j, :, :]
    return out


def np_unshuffle(x: Any, r: int) -> Any:
    *lead, C, H, W = x.shape
    out = np.zeros((*lead, C * r**2, H // r, W // r))
    for c, i, j in np.ndindex(C, r, r):
        out[..., c * r**2 + i * r + j, :, :] = x[..., c, i::r, j::r]
    return out


ROWS = [
    *(resize(mode, dims, (4, 7, 2)[-dims:], lambda x, mode=mode, dims=dims: np_resize(x, (4, 7, 2)[-dims:], mode)) for mode in ("nearest", "nearest-exact") for dims in (1, 2, 3)),
    *smooth("linear", 1), *smooth("bilinear", 2), *smooth("bicubic", 2), *smooth("trilinear", 3),
    resize("area", 2, (4, 2), lambda x: np_adaptive(x, (4, 2), lambda window: window.mean(-1))),
    resize("bilinear", 2, (2, 6), None, antialias=True),
    resize("bicubic", 2, (2, 6), None, antialias=True),
    Row("nn.functional.interpolate", ("nchw",), lambda lib, x: lib.nn.functional.interpolate(x, scale_factor=2.0), lambda x: x.repeat(2, 2).repeat(2, 3), dtypes=("float16",), note="factor"),
    Row("nn.functional.upsample", ("nch",), lambda lib, x: lib.nn.functional.upsample(x, scale_factor=3), lambda x: x.repeat(3, 2)),
    Row("nn.functional.pixel_shuffle", ("n4hw",), lambda lib, x: lib.nn.functional.pixel_shuffle(x, 2), lambda x: np_shuffle(x, 2), dtypes=("int64",), empty=False),
    Row("nn.functional.pixel_shuffle", ("9hw",), lambda lib, x: lib.nn.functional.pixel_shuffle(x, 3), lambda x: np_shuffle(x, 3), note="single"),
    Row("nn.functional.pixel_unshuffle", ("nc46",), lambda lib, x: lib.nn.functional.pixel_unshuffle(x, 2), lambda x: np_unshuffle(x, 2), dtypes=("int64",), empty=False),
    Row("nn.functional.channel_shuffle", ("n6h",), lambda lib, x: lib.nn.functional.channel_shuffle(x, 2), lambda x: x[:, [0, 3, 1, 4, 2, 5]]),
    Row("nn.functional.unfold", ("nchw",), lambda lib, x: lib.nn.functional.unfold(x, (2, 3), padding=1, stride=(1, 2)), np_unfold, least={"w": 1}),
    Row("nn.functional.fold", ("n69",), lambda lib, x: lib.nn.functional.fold(x, (2, 5), (2, 3), padding=1, stride=(1, 2)), np_fold),
    Row("nn.functional.fold", ("84",), lambda lib, x: lib.nn.functional.fold(x, (3, 5), 2, dilation=(1, 3)), None, note="dilated"),
]  # fmt: skip
