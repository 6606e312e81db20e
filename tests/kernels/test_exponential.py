import numpy as np
import pytest
from kernel_twins import DTYPES

from trainkit.kernels.exponential import largest
from trainkit.kernels.jit import exact_kernel

ROWS = [[1, 3, 2], [-5, -1, -2], [-np.inf] * 3, [0.0, -0.0], [np.inf, 1], [], [-1e-40, -2e-40], [5e-324, 0]]


@exact_kernel
def _largest(row):
    return largest(row)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS)
def test_the_largest_of_a_row(dtype, row):
    row = np.array(row, dtype)
    found = _largest(row)
    assert found == row.max(initial=-np.inf)
    long = np.concatenate([np.full(1000, -np.inf, dtype), row, np.full(77, -np.inf, dtype)])
    assert _largest(long) == row.max(initial=-np.inf)
