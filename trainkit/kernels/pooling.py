"""Max pooling: the index of a maximum within its window, mostly one byte, is all that the gradient needs.

Lines and images are volumes of one row and of one plane.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel
from trainkit.kernels.places import chunk_count, larger, take_places, three

__all__ = ["Window", "max_pool", "max_pool_gather", "max_pool_grad", "max_pool_places", "max_pool_values"]


_BYTE, _INT = np.dtype(np.uint8), np.dtype(np.int32)


class Window(NamedTuple):
    """The windows of a pooling: a number for each of the one to three dimensions, and how many windows there are."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    counts: tuple[int, ...]


def max_pool(x: Array, window: Window) -> tuple[Array, Array]:
    """The maximum of each window of x (..., D, H, W) or fewer dimensions, and its index: two arrays (..., OD, OH, OW).

    The index is the number of the tap in the window, uint8 where it fits and int32 else. As in PyTorch the padding is
    minus infinity, the first of equal maxima wins, and a NaN is larger than any number. Each window must reach an
    element.
    """
    x = np.ascontiguousarray(x)
    plan = _plan(x.shape, window)
    return _pooled(x, plan, empty(plan.shape, plan.places))


def max_pool_values(x: Array, window: Window) -> Array:
    """The first result of `max_pool` alone, which takes less time."""
    x = np.ascontiguousarray(x)
    plan = _plan(x.shape, window)
    return _pooled(x, plan, None if plan.launch is _even_windows_all else empty(plan.shape, plan.places))[0]


def _pooled(x: Array, plan: "_Plan", index: Any) -> tuple[Array, Any]:
    out = empty(plan.shape, x.dtype)
    if out.size:
        places = None if index is None else index.reshape(plan.form)
        plan.launch(plan.chunks, x.reshape(plan.planes), out.reshape(plan.form), places, *plan.rest)
    return out, index


class _Plan(NamedTuple):
    """A pooling: the shape of its result, the dtype of the indices, what is launched, and the shapes that it sees."""

    shape: tuple[int, ...]
    places: np.dtype[Any]
    launch: Any
    chunks: int
    planes: tuple[int, ...]
    form: tuple[int, ...]
    rest: tuple[Array, ...] = ()


@lru_cache(maxsize=256)
def _plan(shape: tuple[int, ...], window: Window) -> _Plan:
    counts, taps = window.counts, math.prod(window.kernel_size)
    lead, size = shape[: -len(counts)], shape[-len(counts) :]
    planes, result, index = math.prod(lead), lead + counts, _BYTE if taps <= 256 else _INT
    if _even(window):
        chunks = chunk_count(planes, math.prod(shape))
        return _Plan(result, index, _even_windows_all, chunks, (planes, *size), (planes, *counts))
    form = planes, *three(counts)
    chunks = chunk_count(math.prod(form[:3]), math.prod(result) * taps)
    return _Plan(result, index, _max_pool_all, chunks, (planes, *three(size)), form, (_geometry(window),))


def max_pool_grad(grad: Array, index: Array, shape: tuple[int, ...], window: Window) -> Array:
    """The gradient of the input, of `shape`: grad (..., OD, OH, OW) added at each window's maximum."""
    grad_x = empty(shape, grad.dtype)
    if grad_x.size:
        dims = len(window.counts)
        planes, size = math.prod(shape[:-dims]), shape[-dims:]
        grad, index, chunks = np.ascontiguousarray(grad), np.ascontiguousarray(index), chunk_count(planes, grad_x.size)
        if _even(window):
            parts = [part.reshape(planes, *part.shape[-2:]) for part in (grad, index, grad_x)]
            _scatter_even_windows_all(chunks, *parts)
        else:
            form = planes, *three(window.counts)
            parts = [grad.reshape(form), index.reshape(form), grad_x.reshape(planes, -1)]
            _scatter_all(chunks, *parts, *_offsets(window, size))
    return grad_x


def max_pool_gather(x: Array, index: Array, window: Window) -> Array:
    """The elements of x (..., D, H, W) that `max_pool` found: (..., OD, OH, OW)."""
    return take_places(x, max_pool_places(index, x.shape, window), len(window.counts))


def max_pool_places(index: Array, shape: tuple[int, ...], window: Window) -> Array:
    """Where in its plane or volume of an input of `shape`, counted flatly, each maximum lies: int64."""
    offsets, steps = _offsets(window, shape[-len(window.counts) :])
    corner = steps[0]
    for count, step in zip(window.counts, steps[-len(window.counts) :], strict=True):
        corner = corner[..., None] + np.arange(count) * step
    return np.asarray(corner + offsets[index])


def _even(window: Window) -> bool:
    """Tell whether these are windows of 2 x 2 side by side."""
    return window.kernel_size == window.stride == (2, 2) and window.padding == (0, 0) and window.dilation == (1, 1)


def _geometry(window: Window) -> Array:
    kernel_size, stride, padding, dilation, _ = window
    return np.array([*three(kernel_size), *three(stride), *three(padding, 0), *three(dilation)])


@lru_cache(maxsize=256)
def _offsets(window: Window, size: tuple[int, ...]) -> tuple[Array, Array]:
    """Where in the flat input each tap is from its window's corner; the first corner, and the steps to the next."""
    kernel_size, stride, padding, dilation = (three(part, least) for part, least in zip(window, (1, 1, 0, 1)))  # noqa: B905
    rows, columns = three(size)[1:]
    unit = rows * columns, columns, 1
    offsets = np.zeros((), np.int64)
    for taps, step, across in zip(kernel_size, dilation, unit, strict=True):
        offsets = offsets[..., None] + np.arange(taps) * (step * across)
    corner = -sum(width * across for width, across in zip(padding, unit, strict=True))
    steps = [step * across for step, across in zip(stride, unit, strict=True)]
    return offsets.ravel(), np.array([corner, *steps])


@inner_kernel
def _even_windows(chunk, chunks, x, out, index):
    """Windows of 2 x 2 side by side; the index may be None."""
    for plane in range(x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks):
        for row in range(out.shape[1]):
            upper, lower = x[plane, 2 * row], x[plane, 2 * row + 1]
            for column in range(out.shape[2]):
                best, at = upper[2 * column], np.uint8(0)
                best, at = larger(best, at, upper[2 * column + 1], np.uint8(1))
                best, at = larger(best, at, lower[2 * column], np.uint8(2))
                best, at = larger(best, at, lower[2 * column + 1], np.uint8(3))
                out[plane, row, column] = best
                if index is not None:
                    index[plane, row, column] = at


_even_windows_all = parallel_kernel(_even_windows, counted=True)


@inner_kernel
def _max_pool(chunk, chunks, x, out, index, geometry):
    kd, kh, kw, sd, sh, sw, pd, ph, pw, dd, dh, dw = geometry
    planes, depth, height, width = out.shape
    total = planes * depth * height
    # The columns whose windows lie inside, all of them.
    first = min((pw + sw - 1) // sw, width)
    end = max(first, min(width, (x.shape[3] - 1 - (kw - 1) * dw + pw) // sw + 1))
    start, stop = total * chunk // chunks, total * (chunk + 1) // chunks
    plane, out_z, out_y = start // (depth * height), start // height % depth, start % height - 1
    for _ in range(start, stop):
        out_y += 1
        if out_y == height:
            out_y = 0
            out_z += 1
            if out_z == depth:
                out_z = 0
                plane += 1
        best, places = out[plane, out_z, out_y], index[plane, out_z, out_y]
        z, y = out_z * sd - pd, out_y * sh - ph
        fresh = True
        for a in range(_first(z, dd), _end(z, dd, kd, x.shape[1])):
            for i in range(_first(y, dh), _end(y, dh, kh, x.shape[2])):
                line, at = x[plane, z + a * dd, y + i * dh], (a * kh + i) * kw
                _border(line, best[:first], places[:first], -pw, sw, dw, kw, at, fresh)
                _border(line, best[end:], places[end:], end * sw - pw, sw, dw, kw, at, fresh)
                if end > first:
                    inside, values, where = line[first * sw - pw :], best[first:end], places[first:end]
                    if kw == 3 and dw == 1 and sw <= 2:
                        _three_taps(inside, values, where, sw, at, fresh)
                    else:
                        for j in range(kw):
                            _tap(inside[j * dw :], values, where, sw, at + j, fresh and j == 0)
                fresh = False


_max_pool_all = parallel_kernel(_max_pool, counted=True)


@inner_kernel
def _first(start, dilation):
    """The first tap of a window from `start` that is inside."""
    return max(0, -(start // dilation))


@inner_kernel
def _end(start, dilation, taps, size):
    """One more than the last tap inside."""
    return min(taps, (size - 1 - start) // dilation + 1)


@inner_kernel
def _border(line, best, places, start, step, dilation, taps, at, fresh):
    """Compare one row of each window, of which some taps lie outside."""
    for column in range(best.size):
        x = start + column * step
        begin, end = _first(x, dilation), _end(x, dilation, taps, line.size)
        value, place = best[column], places[column]
        if fresh:
            value, place = line[x + begin * dilation], places.dtype.type(at + begin)
        for j in range(begin, end):
            value, place = larger(value, place, line[x + j * dilation], places.dtype.type(at + j))
        best[column], places[column] = value, place


@inner_kernel
def _tap(line, best, places, step, at, fresh):
    """Compare one tap of many windows."""
    place = places.dtype.type(at)
    if fresh:
        for column in range(best.size):
            best[column], places[column] = line[column * step], place
    elif step == 1:
        for column in range(best.size):
            best[column], places[column] = larger(best[column], places[column], line[column], place)
    elif step == 2:
        for column in range(best.size):
            best[column], places[column] = larger(best[column], places[column], line[2 * column], place)
    else:
        for column in range(best.size):
            best[column], places[column] = larger(best[column], places[column], line[column * step], place)


@inner_kernel
def _three_taps(line, best, places, step, at, fresh):
    """Compare three neighbours of many windows at once, 1 or 2 apart."""
    one, two, three = places.dtype.type(at), places.dtype.type(at + 1), places.dtype.type(at + 2)
    if fresh:
        _tap(line, best, places, step, at, True)
    if step == 1:
        for column in range(best.size):
            value, place = larger(best[column], places[column], line[column], one)
            value, place = larger(value, place, line[column + 1], two)
            best[column], places[column] = larger(value, place, line[column + 2], three)
    else:
        for column in range(best.size):
            value, place = larger(best[column], places[column], line[2 * column], one)
            value, place = larger(value, place, line[2 * column + 1], two)
            best[column], places[column] = larger(value, place, line[2 * column + 2], three)


@inner_kernel
def _scatter_even(chunk, chunks, grad, index, grad_x):
    """Windows of 2 x 2 side by side: no sums, and unsigned places that need no check for negative ones."""
    width = np.uint64(grad_x.shape[2])
    for plane in range(grad.shape[0] * chunk // chunks, grad.shape[0] * (chunk + 1) // chunks):
        grad_x[plane] = 0
        flat = grad_x[plane].reshape(grad_x[plane].size)
        for row in range(grad.shape[1]):
            for column in range(grad.shape[2]):
                at = np.uint64(index[plane, row, column])
                corner = np.uint64(2 * row) * width + np.uint64(2 * column)
                flat[corner + (at >> np.uint64(1)) * width + (at & np.uint64(1))] = grad[plane, row, column]


_scatter_even_windows_all = parallel_kernel(_scatter_even, counted=True)


@inner_kernel
def _scatter(chunk, chunks, grad, index, grad_x, offsets, steps):
    for plane in range(grad.shape[0] * chunk // chunks, grad.shape[0] * (chunk + 1) // chunks):
        flat = grad_x[plane]
        flat[:] = 0
        for z in range(grad.shape[1]):
            for y in range(grad.shape[2]):
                corner = steps[0] + z * steps[1] + y * steps[2]
                for column in range(grad.shape[3]):
                    at = offsets[np.uint64(index[plane, z, y, column])]
                    flat[np.uint64(corner + column * steps[3] + at)] += grad[plane, z, y, column]


_scatter_all = parallel_kernel(_scatter, counted=True)
