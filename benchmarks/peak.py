"""The most arithmetic that a thread of this machine can do: `python -m benchmarks.peak` prints GFLOP/s in float32.

A tile of sums stays in the registers, as in the kernels, and what is multiplied in the first-level cache. There are
sums enough to wait for none of them, and each step reads less than the machine can read meanwhile.
"""

import time
from typing import Any

import numba
import numpy as np

from trainkit.kernels.simd import COLUMNS, ROWS, VECTOR_BYTES, outer, store, zero_tile

__all__ = ["peak"]

STEPS = 64  # whose operands are 14 kB with AVX-512


@numba.njit(fastmath={"contract", "nsz"}, error_model="numpy")  # type: ignore[misc]
def _multiply_adds(repeats: int, a: Any, b: Any, out: Any) -> None:
    width = COLUMNS * VECTOR_BYTES // b.itemsize
    tile = zero_tile(b, COLUMNS)
    for _ in range(repeats):
        for k in range(STEPS):
            tile = outer(tile, a, k * ROWS, 1, b, k * width)
    store(tile, out, 0, width)


def peak(seconds: float = 0.5, repeats: int = 2000) -> float:
    """Return the GFLOP/s of the best of many short loops."""
    width = COLUMNS * VECTOR_BYTES // 4
    a = np.full(STEPS * ROWS, 1e-3, "float32")
    raw = np.full((STEPS + 1) * width, 1e-3, "float32")
    b = raw[-raw.ctypes.data % VECTOR_BYTES // 4 :]  # from the beginning of a vector on
    out = np.empty(ROWS * width, "float32")
    _multiply_adds(1, a, b, out)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        _multiply_adds(repeats, a, b, out)
        best = max(best, 2e-9 * repeats * STEPS * ROWS * width / (time.perf_counter() - begin))
    return best


if __name__ == "__main__":
    print(peak())
