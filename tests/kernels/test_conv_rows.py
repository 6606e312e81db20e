"""Depthwise convolutions whose rows are a few vectors, read under masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, check_convolution, draw

from trainkit import kernels
from trainkit.kernels import conv, conv_rows
from trainkit.kernels.conv_filters import FEW
from trainkit.kernels.conv_rows import MOST_TAPS, WIDEST, wants_rows
from trainkit.kernels.simd import VECTOR_BYTES
from trainkit.kernels.simd_masked import MASKS

pytestmark = pytest.mark.skipif(not MASKS, reason="this machine's vectors have no masks of bits")
ONE = (1, 1)
LANES = VECTOR_BYTES // 4


def around(*sizes):
    return [size + step for size in sizes for step in (-1, 0, 1)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2), (3, 1)])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 5, *around(LANES // 2, LANES, 2 * LANES)])
def test_columns(dtype, stride, columns):
    check_convolution(dtype, 2, 1, 6, columns, 1, (3, 3), stride, (1, 1), ONE, 5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel_size", [(1, 1), (1, 2), (2, 5), (5, 5), (4, MOST_TAPS), (9, 3)])
@pytest.mark.parametrize("padding", [(0, 0), (2, 2), (7, 9)])  # beyond the kernel too
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_kernels(dtype, kernel_size, padding, stride):
    check_convolution(dtype, 2, 1, 11, 13, 1, kernel_size, stride, padding, ONE, 3)


@pytest.mark.parametrize("dilation", [(2, 2), (3, 1), (1, 4)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_dilation(dilation, stride):
    check_convolution(np.float32, 2, 1, 14, 18, 1, (3, 3), stride, (2, 3), dilation, 4)


@pytest.mark.parametrize("filters", around(FEW))
@pytest.mark.parametrize("groups", [1, 6])
def test_several_filters_to_a_group(filters, groups):
    check_convolution(np.float32, 3, 1, 9, 9, filters, (3, 3), ONE, ONE, ONE, groups)


@pytest.mark.parametrize("N", [1, 2, 17, 40])
def test_many_images_and_groups(N):
    check_convolution(np.float32, N, 1, 7, 7, 1, (3, 3), ONE, ONE, ONE, 70)
    check_convolution(np.float32, N, 1, 20, 20, 1, (3, 3), (2, 2), ONE, ONE, 30)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 70), st.integers(1, 4)),
    st.tuples(st.integers(1, 5), st.integers(1, MOST_TAPS)),
    st.tuples(st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_drawn(sizes, kernel_size, stride, padding, dilation):
    N, H, W, groups = sizes
    reach = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    H, W = max(H, reach[0] - 2 * padding[0]), max(W, reach[1] - 2 * padding[1])
    check_convolution(np.float32, N, 1, H, W, 1, kernel_size, stride, padding, dilation, groups)


def test_who_takes_this_way():
    assert wants_rows(1, 1, WIDEST, (3, 3), (1, 1))
    assert wants_rows(1, 1, 10 * WIDEST, (3, 3), (2, 2))
    for other in (
        (2, 1, 8, (3, 3), (1, 1)),
        (1, FEW + 1, 8, (3, 3), (1, 1)),
        (1, 1, WIDEST + 1, (3, 3), (1, 1)),
        (1, 1, 8, (3, MOST_TAPS + 1), (1, 1)),
        (1, 1, 8, (3, 3), (1, 3)),
    ):
        assert not wants_rows(*other)
    plan = conv._forward((2, 5, 7, 7), (5, 1, 3, 3), 4, ONE, ONE, ONE, 5)
    kernel = conv_rows._convolve_rows_all
    assert plan.way.launch in (kernel, kernel.serial)
    ways, covered = conv._phase_ways((2, 5, 7, 7), (5, 1, 3, 3), (14, 14), 4, (2, 2), ONE, ONE, 5)
    assert len(ways) == 1
    assert ways[0].launch in (kernel, kernel.serial)
    assert covered


def test_the_same_on_any_number_of_threads():
    x, weight = draw(np.float32, 8, 96, 14, 14), draw(np.float32, 96, 1, 3, 3)
    how = ONE, ONE, ONE, 96
    found, most = [], kernels.get_num_threads()
    for threads in (1, most):
        kernels.set_num_threads(threads)
        out = kernels.conv2d(x, weight, None, *how)
        gradients = kernels.conv2d_grad_input(out, weight, x.shape, *how), kernels.conv2d_grad_weight(out, x, weight.shape, *how)  # fmt: skip
        found.append((out, *gradients))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_relu_and_factors():
    x, weight, bias = draw(np.float32, 3, 20, 7, 7), draw(np.float32, 20, 1, 3, 3), draw(np.float32, 20)
    factors = np.stack([draw(np.float32, 20, seed=seed) for seed in (1, 2, 3)])
    plain = kernels.conv2d(x, weight, bias, ONE, ONE, ONE, 20)
    start, scale, shift = factors[:, :, None, None]
    found = kernels.conv2d(x, weight, bias, ONE, ONE, ONE, 20, True, factors)
    np.testing.assert_allclose(found, np.maximum((plain - start) * scale + shift, 0), rtol=1e-5, atol=1e-6)


def test_nothing_beside_an_array_is_read():
    """What lies beside is NaN, which every product would show."""
    pixels, wide = 40 * 7 * 7, np.full(40 * 7 * 7 + 64, np.nan, np.float32)
    x = wide[32 : 32 + pixels].reshape(1, 40, 7, 7)
    x[...] = draw(np.float32, 1, 40, 7, 7)
    weight = draw(np.float32, 40, 1, 3, 3)
    for stride in (ONE, (2, 2)):
        how = stride, ONE, ONE, 40
        out = kernels.conv2d(x, weight, None, *how)
        np.testing.assert_array_equal(out, kernels.conv2d(x.copy(), weight, None, *how))
        assert np.isfinite(kernels.conv2d_grad_weight(out, x, weight.shape, *how)).all()
