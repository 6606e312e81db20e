import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, check_convolution, conv2d_twin, draw, grad_input_twin, grad_weight_twin

from trainkit import kernels
from trainkit.kernels import conv
from trainkit.kernels.winograd import wants_tiles
from trainkit.kernels.winograd_transforms import PLAIN, SPACED, STRIDED
from trainkit.kernels.winograd_weight import wants_tile_sums

ONE = (1, 1)
can_serve = conv._kind  # before it is patched below


@pytest.fixture(scope="module", autouse=True)
def tiles_everywhere():
    """The planner chooses by cost; the tiles are right for any shape and float64 too, which shows their errors best."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "_kind", lambda x, size, stride, *args: STRIDED if stride == (2, 2) else PLAIN)
        patch.setattr(conv, "wants_tiles", lambda *args: True)
        patch.setattr(conv, "wants_tile_sums", lambda *args: True)
        yield


def check(dtype, N, C, H, W, F, padding, stride=ONE):
    """A roundoff is some 1.6 times that of adding tap by tap."""
    check_convolution(dtype, N, C, H, W, F, (3, 3), stride, padding, roundings=(2, 4))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("N", "C", "H", "W", "F", "padding"),
    [
        (1, 1, 3, 3, 1, (0, 0)),  # one pixel
        (1, 1, 1, 1, 1, (1, 1)),  # a pixel and its zeros
        (2, 16, 6, 6, 16, (0, 0)),  # one whole tile
        (3, 17, 7, 9, 15, (1, 1)),
        (3, 33, 8, 5, 49, (2, 0)),
        (1, 20, 11, 10, 24, (0, 2)),
        (2, 3, 5, 6, 7, (4, 3)),  # padding beyond the filter: tiles of zeros
        (40, 16, 5, 5, 20, (1, 1)),  # several images to a block, the last not whole
        (1, 8, 9, 300, 20, (1, 1)),  # wide rows
        (1, 64, 40, 23, 100, (2, 2)),  # an image in several blocks
        (7, 48, 13, 13, 96, (1, 1)),
        (3, 130, 5, 6, 290, (1, 1)),  # filters in parts
        (0, 16, 8, 8, 16, (1, 1)),  # no image
    ],
)
@pytest.mark.parametrize("stride", [1, 2])
def test_forward_and_both_gradients(dtype, N, C, H, W, F, padding, stride):
    check(dtype, N, C, H, W, F, padding, (stride, stride))


def test_filters_that_are_transformed_by_each_part():
    check(np.float32, 2, 350, 4, 3, 345, (1, 1))
    check(np.float32, 2, 350, 7, 6, 345, (1, 1), (2, 2))


@pytest.mark.parametrize("size", range(1, 15))
def test_sizes_around_every_tile(size):
    for padding in range(3):
        if size + 2 * padding >= 3:
            check(np.float32, 2, 16, size, 4, 32, (padding, 1))
            check(np.float32, 2, 16, 4, size, 32, (1, padding))
    for longer in (size, size + 14):
        for padding in range(4):
            if longer + 2 * padding >= 3:
                check(np.float32, 2, 16, longer, 4, 32, (padding, 1), (2, 2))
                check(np.float32, 2, 16, 4, longer, 32, (1, padding), (2, 2))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 80, 97])
def test_channels_and_filters_around_every_tile(count):
    for dtype in DTYPES:
        check(dtype, 2, count, 5, 6, 20, (1, 1))
        check(dtype, 2, 20, 5, 6, count, (1, 1))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_shape(data):
    padding = data.draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    H, W = (data.draw(st.integers(max(1, 3 - 2 * p), 30)) for p in padding)
    N = data.draw(st.integers(1, 9))
    C, F = (data.draw(st.integers(1, 70)) for _ in range(2))
    check(data.draw(st.sampled_from(DTYPES)), N, C, H, W, F, padding, data.draw(st.sampled_from([ONE, (2, 2)])))


def test_a_gradient_with_fewer_rows_and_columns_stands_for_one_with_zeros():
    x, weight = draw(np.float32, 2, 18, 11, 12), draw(np.float32, 20, 18, 3, 3)
    part = draw(np.float32, 2, 20, 6, 5)
    whole = np.zeros((2, 20, 11, 12), np.float32)
    whole[:, :, :6, :5] = part
    for gradient, args in (
        (kernels.conv2d_grad_input, (weight, x.shape)),
        (kernels.conv2d_grad_weight, (x, weight.shape)),
    ):
        assert_close(gradient(part, *args, ONE, ONE), gradient(whole, *args, ONE, ONE), 30)


@pytest.mark.parametrize("stride", [ONE, (2, 2)])
@pytest.mark.parametrize(
    ("N", "C", "H", "F"), [(19, 20, 13, 40), (2, 350, 4, 345), (9, 64, 30, 64)], ids=["blocks", "parts", "strips"]
)
def test_the_same_bits_on_any_number_of_threads(N, C, H, F, stride):
    x, weight, bias = draw(np.float32, N, C, H, 11), draw(np.float32, F, C, 3, 3), draw(np.float32, F)
    grad = draw(np.float32, *kernels.conv2d(x, weight, bias, stride, ONE).shape)

    def run():
        return (
            kernels.conv2d(x, weight, bias, stride, ONE),
            kernels.conv2d_grad_input(grad, weight, x.shape, stride, ONE),
            kernels.conv2d_grad_weight(grad, x, weight.shape, stride, ONE),
        )

    many = kernels.get_num_threads()
    try:
        first, second = run(), run()
        kernels.set_num_threads(1)
        alone = run()
    finally:
        kernels.set_num_threads(many)
    for a, b, c in zip(first, second, alone, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()


@pytest.mark.parametrize("stride", [ONE, (2, 2)])
@pytest.mark.parametrize("shape", [(2, 17, 9, 11, 20), (2, 8, 5, 7, 3)], ids=["vectors", "single"])
def test_relu_where_it_is_written(shape, stride):
    N, C, H, W, F = shape
    x, weight, bias = draw(np.float32, N, C, H, W), draw(np.float32, F, C, 3, 3), draw(np.float32, F)
    x[1, 2, 3, 4] = np.nan
    out = kernels.conv2d(x, weight, bias, stride, ONE)
    found = kernels.conv2d(x, weight, bias, stride, ONE, relu=True)
    assert np.isnan(found).any()
    assert (found == 0).any()
    np.testing.assert_array_equal(found, kernels.relu(out))


@pytest.mark.parametrize("stride", [ONE, (2, 2)])
def test_many_channels_stay_close_to_a_sum_in_float64(stride):
    x, weight, grad = (
        draw(np.float32, 4, 512, 8, 8),
        draw(np.float32, 32, 512, 3, 3),
        draw(np.float32, 4, 32, 8 // stride[0], 8 // stride[0]),
    )
    wide = [array.astype(np.float64) for array in (x, weight, grad)]
    for found, expected in (
        (kernels.conv2d(x, weight, None, stride, ONE), conv2d_twin(*wide[:2], None, stride, ONE)),
        (
            kernels.conv2d_grad_input(grad, weight, x.shape, stride, ONE),
            grad_input_twin(wide[2], wide[1], x.shape, stride, ONE),
        ),
        (
            kernels.conv2d_grad_weight(grad, x, weight.shape, stride, ONE),
            grad_weight_twin(wide[2], wide[0], weight.shape, stride, ONE),
        ),
    ):
        assert np.abs(found - expected).max() < 3e-5 * expected.std()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_its_tiles_and_no_others(value):
    x, weight = np.ones((2, 16, 12, 14), np.float32), np.ones((16, 16, 3, 3), np.float32)
    x[1, 3, 5, 8] = value
    out = kernels.conv2d(x, weight, None, ONE, ONE)
    expected = np.zeros(out.shape, bool)
    expected[1, :, 4:8, 4:12] = True  # tiles whose inputs are rows 3 to 8, columns 3 to 8 and 7 to 12
    found = ~np.isfinite(out)
    assert found[1, :, 4:7, 7:10].all()  # what a sum tap by tap reaches
    assert not (found & ~expected).any()
    grad = kernels.conv2d_grad_input(x, weight, x.shape, ONE, ONE)
    assert not np.isfinite(grad[1, :, 4:7, 7:10]).any()
    for pair in ((np.ones_like(x), x), (x, np.ones_like(x))):
        taps = kernels.conv2d_grad_weight(*pair, weight.shape, ONE, ONE)
        assert not np.isfinite(taps[3] if pair[0] is x else taps[:, 3]).any()


def test_tiles_serve_where_they_are_quicker():
    for shape in ((64, 32, 64, (24, 24)), (32, 512, 512, (4, 4)), (1, 64, 64, (56, 56))):
        assert wants_tiles(*shape)
        assert wants_tile_sums(*shape)
    for kind, size in ((STRIDED, (28, 28)), (SPACED, (56, 56))):
        assert wants_tiles(8, 64, 128, size, kind)
        assert not wants_tiles(8, 3, 64, size, kind)
    for shape in ((64, 1, 32, (26, 26)), (32, 3, 64, (32, 32)), (1, 64, 64, (1, 1)), (1, 16, 16, (2, 2))):
        assert not wants_tiles(*shape)
        assert not wants_tile_sums(*shape)


def test_tiles_serve_filters_of_three_by_three_in_float32_alone():
    assert can_serve(4, (3, 3), ONE, ONE, 1) == PLAIN
    assert can_serve(4, (3, 3), (2, 2), ONE, 1) == STRIDED
    others = (
        (8, (3, 3), ONE, ONE, 1),
        (4, (3, 1), ONE, ONE, 1),
        (4, (3, 3), (1, 2), ONE, 1),
        (4, (3, 3), (3, 3), ONE, 1),
        (4, (3, 3), ONE, (2, 1), 1),
        (4, (3, 3), ONE, ONE, 2),
    )
    assert not any(can_serve(*other) for other in others)
