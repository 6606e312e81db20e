"""Pooling: windows reduced to one value each."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.autograd.table.rows import Float, Row

__all__ = ["ROWS", "np_windows"]

AXES = {1: "h", 2: "hw", 3: "khw"}


def np_windows(x: Any, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], fill: float) -> Any:
    """Return the windows of the last dimensions: (..., number of windows in each, elements of a window)."""
    dims = len(kernel)
    lead = x.ndim - dims
    padded = np.pad(x, [(0, 0)] * lead + [(p, p) for p in padding], constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=tuple(range(lead, x.ndim)))
    views = views[(slice(None),) * lead + tuple(slice(None, None, step) for step in stride)]
    return views.reshape(*views.shape[: x.ndim], math.prod(kernel))


def np_places(shape: Sequence[int], dims: int) -> Any:
    """Where each element lies in the last dimensions, counted flatly."""
    return np.broadcast_to(np.arange(np.prod(shape[-dims:])).reshape(shape[-dims:]), shape)


def np_max(x: Any, *how: Any) -> Any:
    at = np_windows(x, *how, -np.inf).argmax(-1)[..., None]
    return tuple(
        np.take_along_axis(np_windows(part, *how, -np.inf), at, -1)[..., 0]
        for part in (x, np_places(x.shape, len(how[0])).astype(float))
    )


def np_mean(x: Any, *how: Any) -> Any:
    return np_windows(x, *how, 0.0).mean(-1)


def np_adaptive(x: Any, sizes: Sequence[int | None], reduce: Any) -> Any:
    dims = len(sizes)
    sizes = [have if size is None else size for size, have in zip(sizes, x.shape[-dims:], strict=True)]
    lead = x.shape[:-dims]
    out = np.zeros((*lead, *sizes))
    for at in np.ndindex(*sizes):
        spans = [
            slice(i * have // size, -(-(i + 1) * have // size))
            for i, size, have in zip(at, sizes, x.shape[-dims:], strict=True)
        ]
        window = x[(..., *spans)]
        out[(..., *at)] = reduce(window.reshape(*lead, math.prod(window.shape[len(lead) :])))
    return out


def np_adaptive_max(x: Any, sizes: Sequence[int | None]) -> Any:
    values = np_adaptive(x, sizes, lambda window: window.max(-1))
    order = np.argsort(np.argsort(x.reshape(*x.shape[: -len(sizes)], -1), -1), -1).reshape(x.shape)
    ranks = np_adaptive(order, sizes, lambda window: window.max(-1)).reshape(*values.shape[: -len(sizes)], -1)
    flat = np.argsort(x.reshape(*x.shape[: -len(sizes)], -1), -1)
    return values, np.take_along_axis(flat, ranks.astype(int), -1).reshape(values.shape)


def np_unpool(x: Any, *how: Any) -> Any:
    """What `max_pool` picked, put back among zeros, where the windows share nothing and leave nothing over."""
    values, places = np_max(x, *how)
    out = np.zeros(x.shape)
    lead = x.shape[: x.ndim - len(how[0])]
    flat, count = out.reshape(*lead, math.prod(x.shape[len(lead) :])), math.prod(values.shape[len(lead) :])
    np.put_along_axis(flat, places.astype(int).reshape(*lead, count), values.reshape(*lead, count), -1)
    return out


def window_rows(dims: int) -> list[Row]:
    kernel, stride, padding = (2, 3, 2)[-dims:], (1, 2, 1)[-dims:], (0, 1, 1)[-dims:]
    axes, small = AXES[dims], {"h": 3, "w": 3}
    name = f"nn.functional.{{}}_pool{dims}d"
    how = kernel, stride, padding
    pool, average, norm = (f"{kind}_pool{dims}d" for kind in ("max", "avg", "lp"))
    common: dict[str, Any] = {"least": {"k": 2, **small}, "dtypes": ("float16",)}
    even = (2,) * dims, (2,) * dims, (0,) * dims
    twos = "4" * dims
    return [
        Row(name.format("max"), (f"nc{axes}",), lambda lib, x: getattr(lib.nn.functional, pool)(x, *how, return_indices=True),
            lambda x: np_max(x, *how), special=True, **common),
        Row(name.format("max"), (f"c{twos}",), lambda lib, x: getattr(lib.nn.functional, pool)(x, 2), lambda x: np_max(x, *even)[0],
            special=True, note="even"),
        Row(name.format("avg"), (f"nc{axes}",), lambda lib, x: getattr(lib.nn.functional, average)(x, *how), lambda x: np_mean(x, *how), **common),
        Row(name.format("avg"), (f"c{twos}",), lambda lib, x: getattr(lib.nn.functional, average)(x, [4] * dims),
            lambda x: x.mean(tuple(range(1, dims + 1)), keepdims=True), note="whole"),
        Row(name.format("lp"), (Float(f"nc{axes}", 0.5, 3.0),), lambda lib, x: getattr(lib.nn.functional, norm)(x, 3.0, *([size[0] for size in (kernel, stride)] if dims == 1 else (kernel, stride))),
            lambda x: (np_windows(x, kernel, stride, (0,) * dims, 0.0) ** 3).sum(-1) ** (1 / 3), least=common["least"]),
        Row(f"nn.functional.max_unpool{dims}d", (f"nc{twos}",),
            lambda lib, x: getattr(lib.nn.functional, f"max_unpool{dims}d")(*getattr(lib.nn.functional, pool)(x, 2, return_indices=True), 2),
            lambda x: np_unpool(x, *even)),
    ]  # fmt: skip


def adaptive_rows(dims: int) -> list[Row]:
    axes = AXES[dims]
    sizes: list[tuple[int | None, ...]] = [(2, None, 4)[-dims:], (7,) * dims, (1,) * dims]
    mean, largest = f"adaptive_avg_pool{dims}d", f"adaptive_max_pool{dims}d"
    rows = []
    for size in sizes:
        given: Any = size if dims > 1 else size[0]
        note = "x".join(map(str, size))
        rows += [
            Row(f"nn.functional.{mean}", (f"nc{axes}",), lambda lib, x, given=given: getattr(lib.nn.functional, mean)(x, given),
                lambda x, size=size: np_adaptive(x, size, lambda window: window.mean(-1)), dtypes=("float16",), note=note),
            Row(f"nn.functional.{largest}", (f"c{axes}",), lambda lib, x, given=given: getattr(lib.nn.functional, largest)(x, given, return_indices=True),
                lambda x, size=size: np_adaptive_max(x, size), dtypes=("float16",), note=note),
        ]  # fmt: skip
    return rows


def fractional_row(dims: int) -> Row:
    name, axes = f"fractional_max_pool{dims}d", "7687"[-dims:]
    sizes = (3, 4, 2)[-dims:]

    def call(lib: Any, x: Any, samples: Any) -> Any:
        return getattr(lib.nn.functional, name)(x, 2, sizes, return_indices=True, _random_samples=samples)

    samples = Float(f"nc{dims}", 0.0, 1.0, gradient=False)
    return Row(f"nn.functional.{name}", (f"nc{axes}", samples), call, None, empty=False)


ROWS = [
    *(row for dims in (1, 2, 3) for row in (*window_rows(dims), *adaptive_rows(dims))),
    fractional_row(2),
    fractional_row(3),
]
