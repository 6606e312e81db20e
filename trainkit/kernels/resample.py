"""Weighted sums of neighbours along up to three axes: average pooling, interpolation, and the gradients of both.

The map of each axis is a table of taps. The rows that an output row draws from are summed first, element by element
along the row; then the row is drawn from that sum. The gradient is the same with the tables transposed.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from trainkit.kernels.jit import Array, inner_kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.parallel import parallel_kernel

__all__ = ["Axis", "plane_mean", "resample"]

NARROW, FEW, SMALL = 32, 9, 4096  # columns, taps and elements up to which images are resampled as lines


class Axis:
    """What each place along an axis of the output is made of.

    Attributes:
        size: of the input along the axis; `places.shape[1]` is that of the output.
        places: (taps, out), which elements are summed; `size` stands for none.
        weights: (taps, out), of each; 0 where there is none.
        divisors: (out,), what the sum is divided by, so that an average of equal numbers is that number; or None.
    """

    __slots__ = ("_tables", "_transposed", "divisors", "places", "size", "weights")

    def __init__(self, size: int, places: Array, weights: Array | None = None, divisors: Array | None = None) -> None:
        self.size = size
        self.places = np.ascontiguousarray(places, np.uint32)
        self.weights = np.asarray(self.places < size, np.float64) if weights is None else weights
        self.divisors = divisors
        self._transposed: Axis | None = None
        self._tables: dict[str, tuple[Array, ...]] = {}

    @property
    def out(self) -> int:
        """The size of the output along the axis."""
        return int(self.places.shape[1])

    @property
    def taps(self) -> int:
        """The number of taps."""
        return len(self.places)

    def transposed(self) -> "Axis":
        """The axis of the gradient: each place of the input, with the outputs that it went to."""
        if self._transposed is None:
            tap, column = np.nonzero(self.places < self.size)
            source, weights = self.places[tap, column].astype(np.int64), self.weights[tap, column]
            if self.divisors is not None:
                weights = weights / self.divisors[column]
            order = np.lexsort((column, source))
            source, column, weights = source[order], column[order], weights[order]
            counts = np.bincount(source, minlength=self.size)
            rank = np.arange(source.size) - np.repeat(np.cumsum(counts) - counts, counts)
            table = np.full((int(counts.max(initial=0)), self.size), self.out)
            values = np.zeros(table.shape)
            table[rank, source], values[rank, source] = column, weights
            self._transposed = Axis(self.out, table, values)
            self._transposed._transposed = self
        return self._transposed

    def tables(self, dtype: np.dtype) -> tuple[Array, ...]:
        """Places and weights as the kernel reads them."""
        found = self._tables.get(dtype.char)
        if found is None:
            found = self._tables[dtype.char] = (self.places, self.weights.astype(dtype))
        return found

    def rows(self, dtype: np.dtype) -> tuple[Array, ...]:
        """The same with the taps of each place side by side."""
        found = self._tables.get(f"rows {dtype.char}")
        if found is None:
            found = tuple([np.ascontiguousarray(table.T) for table in self.tables(dtype)])
            self._tables[f"rows {dtype.char}"] = found
        return found


_whole = Axis(1, np.zeros((1, 1)))


def _is_small(rows: Axis, columns: Axis) -> bool:
    """Tell whether an image is resampled as one line: a short row costs more than its elements."""
    few = columns.out <= NARROW and rows.taps * columns.taps <= FEW
    return few and max(rows.size * columns.size, rows.out * columns.out) <= SMALL


@lru_cache(maxsize=64)
def _flat(rows: Axis, columns: Axis) -> Axis:
    """The axis of images laid out flat."""
    y, x = rows.places[:, None, :, None].astype(np.int64), columns.places[:, None, :].astype(np.int64)
    size, shape = rows.size * columns.size, (rows.taps * columns.taps, rows.out * columns.out)
    places = np.where((y < rows.size) & (x < columns.size), y * columns.size + x, size)
    weights = rows.weights[:, None, :, None] * columns.weights[:, None, :]
    divisors = None
    if rows.divisors is not None or columns.divisors is not None:
        down, across = (np.ones(axis.out) if axis.divisors is None else axis.divisors for axis in (rows, columns))
        divisors = (down[:, None] * across).ravel()
    return Axis(size, places.reshape(shape), weights.reshape(shape), divisors)


def resample(x: Array, axes: Sequence[Axis]) -> Array:
    """Sum x (..., sizes of the axes) as one to three axes say: (..., their outputs)."""
    dims = len(axes)
    lead = x.shape[: x.ndim - dims]
    out = empty((*lead, *(axis.out for axis in axes)), x.dtype)
    if out.size:
        if dims == 2 and _is_small(*axes):
            dims, axes = 1, (_flat(*axes),)
        depth, height, width = (*(_whole,) * (3 - dims), *axes)
        planes = math.prod(lead)
        source = np.ascontiguousarray(x).reshape(planes, depth.size, height.size, width.size)
        target = out.reshape(planes, depth.out, height.out, width.out)
        rows = planes * depth.out * height.out
        work = rows * (width.out * width.taps + width.size * height.taps * depth.taps)
        tables = *depth.rows(x.dtype), *height.rows(x.dtype), *width.tables(x.dtype)
        _resample_all(max(1, min(rows, work >> 15)), source, target, *tables, *_divisors(axes, x.dtype))
    return out


def plane_mean(x: Array, dims: int) -> Array:
    """The average of the last dimensions, which stay as sizes of 1; sums of blocks are added in float64."""
    lead = x.shape[: x.ndim - dims]
    out = np.empty((*lead, *(1,) * dims), x.dtype)
    if out.size:
        planes = math.prod(lead)
        _plane_mean_all(max(1, min(planes, x.size >> 15)), np.ascontiguousarray(x).reshape(planes, -1), out.reshape(-1))
    return out


def _divisors(axes: Sequence[Axis], dtype: np.dtype) -> tuple[Array, Array]:
    """What each row of the output and each element of a row is divided by; nothing if there is no need."""
    if all(axis.divisors is None for axis in axes):
        return np.empty((0, 0), dtype), np.empty(0, dtype)
    *rows, last = [np.ones(axis.out) if axis.divisors is None else axis.divisors for axis in axes]
    rows = [np.ones(1)] * (2 - len(rows)) + rows
    return (rows[0][:, None] * rows[1]).astype(dtype), last.astype(dtype)


@inner_kernel
def _resample(chunk, chunks, x, out, zs, z_weights, ys, y_weights, xs, x_weights, row_divisors, divisors):
    planes, depth, height, width = out.shape
    total = planes * depth * height
    line = np.empty(x.shape[3] + 1, x.dtype)  # the element behind the end stands for none
    line[x.shape[3]] = 0
    first, end = total * chunk // chunks, total * (chunk + 1) // chunks
    plane, z, y = first // (depth * height), first // height % depth, first % height
    for _ in range(first, end):
        _sum_rows(x[plane], line, zs[z], z_weights[z], ys[y], y_weights[y])
        row = out[plane, z, y]
        _draw(line, row, xs, x_weights)
        if divisors.size:
            divisor = row_divisors[z, y]
            for column in range(width):
                row[column] /= divisor * divisors[column]
        y += 1
        if y == height:
            y = 0
            z += 1
            if z == depth:
                z = 0
                plane += 1


_resample_all = parallel_kernel(_resample, counted=True)


@inner_kernel
def _sum_rows(x, line, zs, z_weights, ys, y_weights):
    """The sum of the rows that the taps of two axes name."""
    depth, height, width = x.shape
    empty = True
    for a in range(zs.size):
        if zs[a] >= depth:
            continue
        for b in range(ys.size):
            if ys[b] >= height:
                continue
            row, weight = x[zs[a], ys[b]], z_weights[a] * y_weights[b]
            if empty:
                for column in range(width):
                    line[column] = weight * row[column]
                empty = False
            else:
                for column in range(width):
                    line[column] += weight * row[column]
    if empty:
        line[:width] = 0


@inner_kernel
def _draw(line, row, xs, x_weights):
    """The sums that the taps of the last axis make of a line."""
    taps = xs.shape[0]
    if taps == 0:
        row[:] = 0
        return
    places, weights = xs[0], x_weights[0]
    if taps == 1:
        for column in range(row.size):
            row[column] = weights[column] * line[places[column]]
        return
    others, shares = xs[1], x_weights[1]
    for column in range(row.size):
        row[column] = weights[column] * line[places[column]] + shares[column] * line[others[column]]
    for tap in range(2, taps):
        places, weights = xs[tap], x_weights[tap]
        for column in range(row.size):
            row[column] += weights[column] * line[places[column]]


@inner_kernel
def _plane_mean(chunk, chunks, x, out):
    for plane in range(x.shape[0] * chunk // chunks, x.shape[0] * (chunk + 1) // chunks):
        total = 0.0
        for start in range(0, x.shape[1], 512):
            block = x[plane, start : start + 512]
            part = x.dtype.type(0)
            for value in block:
                part += value
            total += part
        out[plane] = total / x.shape[1]


_plane_mean_all = parallel_kernel(_plane_mean, counted=True)
