import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_twins import DTYPES, assert_close, check_convolution, conv2d_twin, draw, grad_input_twin

from trainkit import kernels
from trainkit.kernels import conv, conv_tiles, conv_weight, conv_weight_pixels
from trainkit.kernels.conv_filters import FEW
from trainkit.kernels.simd import COLUMNS


@pytest.fixture(scope="module", autouse=True)
def tap_by_tap():
    """Winograd's tiles and rows under masks have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv, "_kind", lambda *args: ())
        patch.setattr(conv, "wants_rows", lambda *args: False)
        yield


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("N", "C", "H", "W", "F", "kernel_size", "stride", "padding"),
    [
        (2, 3, 9, 9, 5, (3, 3), (1, 1), (0, 0)),
        (2, 3, 11, 12, 9, (3, 2), (2, 1), (1, 3)),  # padding beyond the kernel
        (3, 1, 28, 28, 32, (3, 3), (1, 1), (1, 1)),
        (1, 2, 7, 8, 3, (1, 1), (2, 3), (0, 0)),  # pixels that no tap reaches
        (2, 2, 8, 8, 4, (3, 3), (4, 4), (1, 0)),
        (2, 2, 9, 8, 4, (2, 5), (3, 2), (0, 2)),
        (17, 4, 10, 10, 17, (5, 5), (1, 1), (2, 2)),
        (33, 2, 5, 4, 3, (3, 3), (1, 1), (1, 1)),  # more images than chunks
        (1, 1, 1, 1, 1, (1, 1), (1, 1), (0, 0)),
        (1, 5, 3, 3, 16, (3, 3), (1, 1), (0, 0)),  # one pixel
        (2, 3, 4, 31, 7, (4, 4), (1, 1), (0, 0)),  # one row
        (2, 3, 31, 4, 8, (4, 4), (1, 1), (0, 0)),  # one column
        (0, 3, 8, 8, 4, (3, 3), (1, 1), (1, 1)),  # no image
        (3, 40, 7, 7, 35, (3, 3), (1, 1), (1, 1)),  # small planes, many channels: panels and pixels
        (5, 35, 9, 8, 64, (3, 3), (2, 2), (1, 1)),
        (2, 96, 5, 5, 70, (1, 1), (2, 2), (0, 0)),
        (1, 80, 3, 3, 33, (3, 3), (1, 1), (1, 1)),  # fewer pixels than a panel
    ],
)
def test_conv2d_and_both_gradients(dtype, N, C, H, W, F, kernel_size, stride, padding):
    check_convolution(dtype, N, C, H, W, F, kernel_size, stride, padding)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("N", "C", "H", "W", "F", "kernel_size", "stride", "padding", "dilation", "groups"),
    [
        (2, 3, 9, 10, 5, (3, 3), (1, 1), (2, 2), (2, 2), 1),
        (2, 3, 11, 12, 9, (3, 2), (2, 3), (1, 3), (3, 2), 1),
        (1, 2, 12, 13, 3, (4, 3), (2, 4), (0, 1), (2, 2), 2),  # a step and a dilation with a common factor
        (2, 2, 13, 14, 9, (3, 3), (6, 4), (3, 0), (4, 6), 3),
        (2, 33, 7, 7, 40, (3, 3), (1, 1), (2, 2), (2, 2), 2),
        (2, 36, 9, 9, 33, (3, 3), (2, 2), (1, 1), (1, 1), 3),
        (2, 4, 8, 8, 4, (3, 3), (1, 1), (1, 1), (1, 1), 8),
        (3, 1, 9, 9, 1, (3, 3), (1, 1), (1, 1), (1, 1), 6),  # a filter for a channel
        (3, 1, 10, 9, 1, (3, 3), (2, 2), (1, 1), (1, 1), 40),
        (3, 1, 10, 30, 3, (5, 3), (2, 1), (2, 1), (1, 2), 5),
        (2, 1, 7, 200, 2, (1, 7), (1, 1), (0, 3), (1, 1), 3),
        (17, 1, 5, 5, 1, (3, 3), (1, 1), (1, 1), (1, 1), 3),
        (0, 1, 5, 5, 1, (3, 3), (1, 1), (1, 1), (1, 1), 3),
        (2, 64, 6, 6, 2, (3, 3), (1, 1), (1, 1), (1, 1), 1),  # many channels to few, and back
    ],
)
def test_dilation_and_groups(dtype, N, C, H, W, F, kernel_size, stride, padding, dilation, groups):
    check_convolution(dtype, N, C, H, W, F, kernel_size, stride, padding, dilation, groups)


@pytest.mark.parametrize("width", [7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 50, 97, 127, 128, 129, 177])
def test_widths_around_every_tile(width):
    for dtype in DTYPES:
        check_convolution(dtype, 1, 2, 3, width, 3, (3, 3), (1, 1), (1, 1))
        check_convolution(dtype, 1, 2, 3, width, 9, (3, 3), (1, 1), (1, 1))
        check_convolution(dtype, 1, 40, 2, width, 40, (2, 3), (1, 1), (1, 1))


@pytest.mark.parametrize("filters", [1, 3, 4, 5, 7, 8, 9, 16, 17, 47, 48, 49, 64, 65, 81])
def test_filters_around_every_tile(filters):
    for dtype in DTYPES:
        check_convolution(dtype, 2, filters, 6, 6, filters, (2, 2), (1, 1), (0, 0))


@pytest.mark.parametrize("filters", [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 25])
def test_few_channels_to_filters_around_every_tile(filters):
    for dtype in DTYPES:
        check_convolution(dtype, 3, 1, 11, 12, filters, (5, 5), (1, 1), (0, 0))
        check_convolution(dtype, 2, 3, 9, 9, filters, (3, 3), (2, 2), (1, 1))


@pytest.fixture
def small_blocks(monkeypatch):
    """Images in many bands, or few images to a block."""
    plans = conv_weight._plan, conv_weight_pixels._plan
    for plan in plans:
        plan.cache_clear()
    monkeypatch.setattr(conv_weight, "MOST", 80)
    monkeypatch.setattr(conv_weight, "TOGETHER", 60)
    monkeypatch.setattr(conv_weight, "SUMMING", 100)
    monkeypatch.setattr(conv_weight_pixels, "MOST", 50)
    yield
    for plan in plans:
        plan.cache_clear()


@pytest.mark.parametrize("channels", [1, 3, 16, 33])
def test_blocks_of_few_pixels(small_blocks, channels):
    for dtype in DTYPES:
        for width in (5, 16, 33):
            check_convolution(dtype, 2, channels, 17, width, 10, (3, 3), (1, 1), (1, 1))
        check_convolution(dtype, 7, channels, 9, 9, 8, (3, 2), (2, 3), (1, 0), (2, 1))
        check_convolution(dtype, 2, channels, 23, 21, 6, (5, 3), (3, 2), (2, 1), (1, 2), 2)
        check_convolution(dtype, 5, channels, 6, 7, 13, (2, 2), (1, 1), (0, 0))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_shape(data):
    kernel_size, stride, padding, dilation = (
        data.draw(st.tuples(st.integers(a, b), st.integers(a, b))) for a, b in ((1, 4), (1, 4), (0, 4), (1, 4))
    )
    H, W = (
        data.draw(st.integers(max(1, (k - 1) * d + 1 - 2 * p), 14))
        for k, p, d in zip(kernel_size, padding, dilation, strict=True)
    )
    N, groups = (data.draw(st.integers(1, 5)) for _ in range(2))
    C, F = (data.draw(st.sampled_from([1, 2, 3, 5, 6, 9, 10, 16, 32, 50])) for _ in range(2))
    check_convolution(np.float32, N, C, H, W, F, kernel_size, stride, padding, dilation, groups)


def test_arrays_that_are_not_contiguous():
    x, weight = (
        draw(np.float32, 2, 9, 9, 6).transpose(0, 3, 1, 2),
        draw(np.float32, 3, 3, 6, 5).transpose(3, 2, 0, 1),
    )
    bias = draw(np.float32, 10)[::2]
    out = kernels.conv2d(x, weight, bias, (1, 1), (0, 0))
    np.testing.assert_array_equal(out, kernels.conv2d(x.copy("C"), weight.copy("C"), bias.copy(), (1, 1), (0, 0)))
    grad = np.broadcast_to(np.float32(1), out.shape)
    for gradient, args in (
        (kernels.conv2d_grad_input, (weight, x.shape)),
        (kernels.conv2d_grad_weight, (x, weight.shape)),
    ):
        copies = [np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a for a in args]
        np.testing.assert_array_equal(
            gradient(grad, *args, (1, 1), (0, 0)), gradient(grad.copy(), *copies, (1, 1), (0, 0))
        )


@pytest.mark.parametrize(
    ("C", "H", "F", "groups"),
    [(5, 13, 10, 1), (1, 90, 12, 1), (64, 7, 64, 1), (40, 7, 48, 2), (12, 7, 12, 12)],
    ids=["runs", "bands", "panels", "grouped", "depthwise"],
)
def test_the_same_bits_on_any_number_of_threads(C, H, F, groups):
    x, weight, bias = draw(np.float32, 19, C, H, 11), draw(np.float32, F, C // groups, 3, 3), draw(np.float32, F)
    grad = draw(np.float32, 19, F, H, 11)
    how = (1, 1), (1, 1), (1, 1), groups

    def run():
        return (
            kernels.conv2d(x, weight, bias, *how),
            kernels.conv2d_grad_input(grad, weight, x.shape, *how),
            kernels.conv2d_grad_weight(grad, x, weight.shape, *how),
            kernels.channel_sum(grad),
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


@pytest.mark.parametrize("way", ["runs", "panels", "pixels"])
def test_every_way_gives_the_same(monkeypatch, way):
    """The planner chooses by cost; each way is right for any shape that it may be given."""
    panels, pixels = way == "panels", way == "pixels"
    monkeypatch.setattr(conv_tiles, "_wants_panels", lambda *args: panels)
    monkeypatch.setattr(conv, "wants_pixels", lambda *args: pixels)
    check_convolution(np.float32, 3, 5, 9, 30, 17, (3, 2), (1, 1), (1, 1))
    check_convolution(np.float32, 2, 17, 11, 8, 40, (3, 3), (2, 3), (2, 1), (2, 3), 2)
    check_convolution(np.float64, 2, 35, 5, 5, 16, (1, 1), (1, 1), (0, 0))
    check_convolution(np.float32, 1, 130, 3, 50, 9, (2, 2), (1, 1), (0, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("filters", "groups"), [(20, 1), (13, 1), (18, 2), (3, 1)])
def test_a_weight_that_is_read_where_it_lies_gives_the_bits_of_a_packed_one(monkeypatch, dtype, filters, groups):
    rng = np.random.default_rng(filters)
    x = rng.standard_normal((2, 4 * groups, 9, 8)).astype(dtype)
    weight = rng.standard_normal((filters, 4, 3, 2)).astype(dtype)
    how = (1, 1), (1, 0), (1, 1), groups
    lying = kernels.conv2d(x, weight, None, *how)
    assert conv._forward(x.shape, weight.shape, x.itemsize, *how).way.packing is None
    monkeypatch.setattr(conv_tiles, "SMALL", 0)
    conv._forward.cache_clear()
    packed = kernels.conv2d(x, weight, None, *how)
    assert (conv._forward(x.shape, weight.shape, x.itemsize, *how).way.packing is None) == (filters // groups <= FEW)
    assert lying.tobytes() == packed.tobytes()


@pytest.mark.parametrize("columns", range(1, 40))
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_vectors_cover_each_pixel_and_what_is_too_much_is_overwritten(columns, lanes):
    for width in (columns, columns + 1, columns + 5):
        for rows in (1, 2, 3, 8):
            table, single, gap, share = conv_tiles._vectors(width, rows, columns, lanes)
            line = columns if gap else width
            area = (rows - 1) * line + columns
            found = np.full(max(area, lanes), -1)
            for v, (place, start, end, first, last) in enumerate(table):
                assert v >= single or gap == 0 or end >= lanes
                lane = np.arange(lanes)
                found[place : place + lanes] = start + lane + np.where(lane >= end, gap, 0)
                inside = found[place : place + lanes][: area - place] // width
                assert first <= inside.min()
                assert last >= min(inside.max(), rows - 1) or gap == 0 or end + line < lanes
            row, column = np.divmod(np.arange(area), line)
            np.testing.assert_array_equal(found[:area], row * width + column)
            assert single % COLUMNS == 0
            assert share == rows * columns / (len(table) * lanes)


@pytest.mark.parametrize(
    ("N", "C", "H", "W", "F", "kernel_size", "padding"),
    [
        (3, 2, 9, 30, 10, (5, 5), (0, 0)),  # read where it lies, but for the last image
        (2, 3, 8, 8, 20, (5, 5), (4, 4)),  # taps that read zeros alone
        (2, 3, 5, 6, 12, (4, 3), (7, 5)),  # and pixels of zeros
        (3, 2, 14, 14, 16, (5, 5), (0, 0)),  # vectors that are not full
        (2, 20, 6, 6, 7, (3, 3), (1, 1)),
        (40, 6, 20, 20, 13, (3, 3), (1, 1)),  # on several threads
    ],
)
def test_runs_of_few_filters(N, C, H, W, F, kernel_size, padding):
    for dtype in DTYPES:
        check_convolution(dtype, N, C, H, W, F, kernel_size, (1, 1), padding)


@pytest.mark.parametrize(
    ("C", "H", "F", "groups"),
    [(5, 13, 10, 1), (3, 5, 9, 1), (64, 7, 64, 1), (3, 9, 2, 1), (12, 9, 12, 12)],
    ids=["runs", "small", "panels", "few", "depthwise"],
)
def test_relu_where_it_is_written(C, H, F, groups):
    for dtype in DTYPES:
        x, weight, bias = draw(dtype, 3, C, H, 11), draw(dtype, F, C // groups, 3, 3), draw(dtype, F)
        x[1, C - 1, 3, 4] = np.nan
        for stride in ((1, 1), (2, 3)):
            how = stride, (1, 1), (1, 1), groups
            found = kernels.conv2d(x, weight, bias, *how, relu=True)
            assert np.isnan(found).any()
            assert (found == 0).any()
            np.testing.assert_array_equal(found, kernels.relu(kernels.conv2d(x, weight, bias, *how)))


@pytest.mark.parametrize(
    ("N", "C", "H", "W", "F", "size", "groups"),
    [
        (3, 5, 13, 11, 10, 3, 1),  # runs of pixels
        (3, 3, 5, 11, 9, 3, 1),
        (1, 4, 6, 6, 16, 3, 1),  # a weight that is read where it lies
        (3, 64, 7, 11, 64, 3, 1),  # panels
        (2, 300, 3, 5, 9, 3, 1),  # of more taps than a panel holds
        (4, 64, 14, 14, 128, 1, 1),
        (2, 32, 12, 12, 64, 3, 2),
        (3, 3, 9, 11, 2, 3, 1),  # few filters
        (3, 12, 9, 11, 12, 3, 12),
        (2, 64, 20, 21, 64, 3, 1),  # Winograd's tiles
        (9, 17, 9, 11, 20, 3, 1),
        (40, 8, 5, 7, 3, 3, 1),  # of less than a vector of filters
        (2, 350, 4, 4, 345, 3, 1),
    ],
)
def test_a_batch_norm_where_it_is_written_to_the_bit(N, C, H, W, F, size, groups):
    for dtype in DTYPES:
        x, weight, bias = draw(dtype, N, C, H, W), draw(dtype, F, C // groups, size, size), draw(dtype, F)
        x[0, 0, 2, 2] = np.nan
        plain = np.float64(draw(dtype, F)), np.float64(abs(draw(dtype, F))), None, None
        affine = *plain[:2], draw(dtype, F), draw(dtype, F)
        for stride in ((1, 1), (2, 2)):
            how = stride, (size // 2, size // 2), (1, 1), groups
            for numbers, shift in ((plain, None), (affine, bias)):
                factors, out = kernels.batch_norm_factors(dtype, *numbers), kernels.conv2d(x, weight, shift, *how)
                for relu in (False, True):
                    found = kernels.conv2d(x, weight, shift, *how, relu=relu, factors=factors)
                    assert found.tobytes() == kernels.batch_norm_apply(out, *numbers, relu=relu).tobytes()


def test_nan_reaches_exactly_the_pixels_whose_window_holds_it():
    x, weight = np.zeros((1, 1, 6, 6), np.float32), np.ones((1, 1, 3, 3), np.float32)
    x[0, 0, 2, 5] = np.nan
    expected = np.isnan(conv2d_twin(x, weight, None, (1, 1), (1, 1)))
    np.testing.assert_array_equal(np.isnan(kernels.conv2d(x, weight, None, (1, 1), (1, 1))), expected)
    expected = np.isnan(grad_input_twin(x, weight, x.shape, (1, 1), (1, 1)))
    np.testing.assert_array_equal(np.isnan(kernels.conv2d_grad_input(x, weight, x.shape, (1, 1), (1, 1))), expected)
    assert np.isnan(kernels.conv2d_grad_weight(np.ones_like(x), x, weight.shape, (1, 1), (1, 1))).any()
    assert np.isnan(kernels.channel_sum(x)).all()


def test_channel_sum_of_a_matrix():
    grad = draw(np.float32, 7, 3)
    assert_close(kernels.channel_sum(grad), grad.astype(np.float64).sum(0))


@pytest.mark.parametrize("shape", [(5, 3, 40, 41), (1, 2, 50, 50), (6, 1300, 1, 1), (3, 70, 31), (2, 3, 0, 4)])
def test_channel_sum_of_many_pixels_and_channels(shape):
    for dtype in DTYPES:
        grad = draw(dtype, *shape)
        expected = grad.astype(np.float64).sum((0, *range(2, grad.ndim)))
        assert_close(kernels.channel_sum(grad), expected, max(1, grad.size // shape[1]) ** 0.5)
