"""Elements picked by where they lie in their plane or volume, counted flatly: the largest of windows of any kind."""

import math

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["add_places", "chunk_count", "larger", "max_places", "take_places", "three"]


def max_places(x: Array, starts: tuple[Array, ...], ends: tuple[Array, ...]) -> Array:
    """Where in its plane of x (..., D, H, W) or fewer dimensions the maximum of each window lies, counted flatly.

    Window i of a dimension goes from `starts[dim][p, i]` to `ends[dim][p, i]` in plane p; where they have one row, it
    is that of all planes.
    """
    dims = len(starts)
    lead = x.shape[: x.ndim - dims]
    out = np.empty((*lead, *(start.shape[1] for start in starts)), np.int64)
    if out.size:
        planes = math.prod(lead)
        one = np.zeros((1, 1), np.int64)
        first = (*(one,) * (3 - dims), *(np.ascontiguousarray(start, np.int64) for start in starts))
        last = (*(one + 1,) * (3 - dims), *(np.ascontiguousarray(end, np.int64) for end in ends))
        volumes = np.ascontiguousarray(x).reshape(planes, *three(x.shape[x.ndim - dims :]))
        places = out.reshape(planes, *three(out.shape[out.ndim - dims :]))
        _max_places_all(chunk_count(planes, x.size), volumes, places, *first, *last)
    return out


def take_places(x: Array, places: Array, dims: int) -> Array:
    """The elements of x (..., dims) at places (..., any dims) in their plane, each of which lies in it."""
    out = empty(places.shape, x.dtype)
    if out.size:
        planes = math.prod(x.shape[: x.ndim - dims])
        parts = [np.ascontiguousarray(part).reshape(planes, -1) for part in (x, places)]
        _take_all(chunk_count(planes, out.size), *parts, out.reshape(planes, -1))
    return out


def add_places(values: Array, places: Array, shape: tuple[int, ...], dims: int) -> Array:
    """Values (..., any dims) added, one after the other, into zeros of `shape` at places in their plane."""
    out = empty(shape, values.dtype)
    if out.size:
        planes = math.prod(shape[: len(shape) - dims])
        parts = [np.ascontiguousarray(part).reshape(planes, values.size // planes) for part in (values, places)]
        _add_all(chunk_count(planes, out.size), *parts, out.reshape(planes, -1))
    return out


def three(sizes: tuple[int, ...], least: int = 1) -> tuple[int, ...]:
    """One number for each of three dimensions: `least` for those in front that are not there."""
    return (*(least,) * (3 - len(sizes)), *sizes)


def chunk_count(tasks: int, work: int) -> int:
    """Into how many chunks so many tasks are cut, by the work that they are together."""
    return max(1, min(tasks, work >> 14))


@inner_kernel
def larger(best, at, value, position):
    """The larger of two and where it is; NaN is larger than any number."""
    wins = (value > best) | (value != value)
    return (value if wins else best), (position if wins else at)


@inner_kernel
def _max_places(chunk, chunks, x, out, z0, y0, x0, z1, y1, x1):
    planes, depth, height, width = out.shape
    for plane in range(planes * chunk // chunks, planes * (chunk + 1) // chunks):
        pz, py, px = min(plane, len(z0) - 1), min(plane, len(y0) - 1), min(plane, len(x0) - 1)
        for z in range(depth):
            for y in range(height):
                for column in range(width):
                    at = (z0[pz, z] * x.shape[2] + y0[py, y]) * x.shape[3] + x0[px, column]
                    best = x[plane, z0[pz, z], y0[py, y], x0[px, column]]
                    for a in range(z0[pz, z], z1[pz, z]):
                        for i in range(y0[py, y], y1[py, y]):
                            for j in range(x0[px, column], x1[px, column]):
                                place = (a * x.shape[2] + i) * x.shape[3] + j
                                best, at = larger(best, at, x[plane, a, i, j], place)
                    out[plane, z, y, column] = at


_max_places_all = parallel_kernel(_max_places, counted=True)


@inner_kernel
def _take(chunk, chunks, x, places, out):
    for plane in range(x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks):
        for i in range(places.shape[1]):
            out[plane, i] = x[plane, np.uint64(places[plane, i])]


_take_all = parallel_kernel(_take, counted=True)


@inner_kernel
def _add(chunk, chunks, values, places, out):
    for plane in range(out.shape[0] * chunk // chunks, out.shape[0] * (chunk + 1) // chunks):
        out[plane] = 0
        for i in range(places.shape[1]):
            out[plane, np.uint64(places[plane, i])] += values[plane, i]


_add_all = parallel_kernel(_add, counted=True)
