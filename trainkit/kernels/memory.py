"""Big arrays whose memory is used again: a steady training step asks the system for none.

Fresh memory costs: the system hands it out page by page, each with a fault and filled with zeros, which takes longer
than to write an activation. `empty` is numpy's, but the memory of a large array goes back to a pool when the last array
that looks at it is gone, and the next of its size class takes it from there. Nobody can hold what is in the pool: an
array keeps its block alive, and views keep the array.
"""

import math
import threading
from typing import Any, NamedTuple

import numpy as np

from trainkit.errors import ArgumentError
from trainkit.kernels.jit import Array

__all__ = ["MemoryStats", "empty", "empty_cache", "is_owner", "memory_limit", "memory_stats"]

LEAST = 1 << 18  # bytes from which on an array is pooled: below, the memory of the process serves and does not fault
ALIGN = 64  # bytes: arrays begin on a vector's boundary
_limit = 1 << 30
_Memory = tuple[Array, int]  # and where an array begins in it
_free: dict[int, list[_Memory]] = {}  # by size class, the one that was used last at the end
_lock = threading.RLock()  # a finalizer may run wherever Python code does, in this thread too
_in_use = _pooled = _peak = _hits = _misses = 0


class MemoryStats(NamedTuple):
    """What `memory_stats` returns, in bytes and counts.

    Attributes:
        in_use: bytes of pooled arrays that are alive.
        pooled: bytes that wait to be used again.
        peak: the most that both have been together.
        hits: arrays made of memory that was there.
        misses: arrays for which memory was asked for.
        limit: the most that may wait.
    """

    in_use: int
    pooled: int
    peak: int
    hits: int
    misses: int
    limit: int


class _Block:
    """The memory of one array, which goes back when the array is gone."""

    __slots__ = ("__array_interface__", "memory")
    __array_interface__: dict[str, Any]
    memory: _Memory

    def __del__(self) -> None:
        _give_back(self.memory)


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an array whose elements are whatever was there: `numpy.empty`, from the pool where it is large."""
    if not isinstance(dtype, np.dtype):
        dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    block = _Block()
    block.memory = memory = _take(_size_class(size))
    block.__array_interface__ = {"data": (memory[1], False), "shape": shape, "typestr": dtype.str, "version": 3}
    return np.asarray(block)


def is_owner(value: Any) -> bool:
    """Tell whether a value is an array with memory of its own, from the pool or not, and no view of another."""
    base: Any = getattr(value, "base", value)
    return base is None or type(base) is _Block


def _size_class(size: int) -> int:
    """Round up to an eighth of the power of two below: at most an eighth is wasted."""
    step = 1 << max(size.bit_length() - 4, 12)
    return -(-size // step) * step


def _take(size: int) -> _Memory:
    global _in_use, _pooled, _peak, _hits, _misses
    with _lock:
        _in_use += size
        waiting = _free.pop(size, None)
        if waiting:
            memory = waiting.pop()
            if waiting:
                _free[size] = waiting
            _pooled -= size
            _hits += 1
            return memory
        _misses += 1
        _peak = max(_peak, _in_use + _pooled)
    fresh = np.empty(size + ALIGN, np.uint8)
    start: int = fresh.ctypes.data
    return fresh, start + -start % ALIGN


def _give_back(memory: _Memory) -> None:
    global _in_use, _pooled
    size = memory[0].size - ALIGN
    with _lock:
        _in_use -= size
        if size > _limit:
            return
        _release(_limit - size)
        waiting = _free.pop(size, [])
        waiting.append(memory)
        _free[size] = waiting
        _pooled += size


def _release(limit: int) -> None:
    """Let memory go until no more than `limit` waits, of the sizes that have not been asked for longest first."""
    global _pooled
    while _pooled > limit:
        size = next(iter(_free))
        _free[size].pop()
        if not _free[size]:
            del _free[size]
        _pooled -= size


def memory_stats() -> MemoryStats:
    """Tell what the pool of big arrays holds.

    >>> import trainkit as tk
    >>> x = tk.relu(tk.ones(1000, 1000))
    >>> tk.memory_stats().in_use >= 4_000_000
    True
    """
    with _lock:
        return MemoryStats(_in_use, _pooled, _peak, _hits, _misses, _limit)


def empty_cache() -> None:
    """Give back to the system what waits to be used again.

    >>> import trainkit as tk
    >>> tk.empty_cache()
    >>> tk.memory_stats().pooled
    0
    """
    with _lock:
        _release(0)


def memory_limit(limit: int) -> None:
    """Set how many bytes may wait to be used again, at most; 0 turns the pool off. The default is 1 GiB.

    Raises:
        ArgumentError: it is no integer of at least 0.

    >>> import trainkit as tk
    >>> tk.memory_limit(1 << 30)
    """
    global _limit
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ArgumentError(f"memory_limit expected a number of bytes of at least 0, got {limit!r}")
    with _lock:
        _limit = limit
        _release(limit)
