import numpy as np
import pytest
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels
from trainkit.errors import IndexRangeError
from trainkit.kernels.index import CHUNK, LEAST

SHAPES = [(1, 5, 3, 4), (2, 4, 7, 1), (3, 1, 2, 2), (1, 6, 0, 4), (2, 3, 5, 0), (1, 9, 700, LEAST * 5 + 3), (70, 5, 99, 13), (1, 3, CHUNK + 1, 1)]  # fmt: skip


def added(out, index, values):
    expected = out.astype(np.float64)
    np.add.at(expected, (slice(None), index), values.astype(np.float64))
    return expected


@pytest.mark.parametrize("dtype", [*DTYPES, np.float16, np.int64, np.int32, np.bool_])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_added_where_the_index_says(dtype, shape):
    places, rows, count, columns = shape
    out = (draw(np.float64, places, rows, columns) * 3).astype(dtype)
    values = (draw(np.float64, places, count, columns, seed=1) * 3).astype(dtype)
    index = np.random.default_rng(0).integers(-rows, rows, count)
    expected = added(out, index, values)
    if dtype == np.bool_:
        expected = expected > 0
    if dtype == np.float16 and count > 10:
        return  # the sum of many loses too much
    kernels.add_rows(out, index, values)
    assert out.dtype == dtype
    if dtype == np.float16:
        np.testing.assert_allclose(out, expected, rtol=0.01, atol=0.01)
    elif dtype in DTYPES:
        assert_close(out, expected, scale=count / rows)
    else:
        np.testing.assert_array_equal(out, expected)


def test_layouts_and_int32():
    out, values = np.zeros((2, 4, 3)), draw(np.float64, 3, 5, 2).T
    index = np.array([3, 0, 3, 1, -1], np.int32)
    expected = added(out, index, values)
    kernels.add_rows(out, index, values)
    np.testing.assert_allclose(out, expected)


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_outside_is_refused(index):
    out = np.zeros((1, 3, 2))
    with pytest.raises(IndexRangeError, match=f"index {index} is out of bounds for 3 rows"):
        kernels.add_rows(out, np.array([0, index]), np.ones((1, 2, 2)))
    assert not out.any()


def test_sums_do_not_depend_on_the_number_of_threads():
    values, index = draw(np.float32, 2, 5000, 70), np.random.default_rng(0).integers(0, 9, 5000)
    many = kernels.get_num_threads()
    results = []
    try:
        for threads in (many, 1):
            kernels.set_num_threads(threads)
            out = np.zeros((2, 9, 70), np.float32)
            kernels.add_rows(out, index, values)
            results.append(out)
    finally:
        kernels.set_num_threads(many)
    np.testing.assert_array_equal(*results)
