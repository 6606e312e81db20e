"""Pooling: what the table of functions does not say: layers, ties, NaN, modes of rounding, and what is refused."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from trainkit.nn import functional as F


def drawn(*shape: int, dtype: str = "float32") -> tk.Tensor:
    return tk.tensor(np.random.default_rng(len(shape)).normal(size=shape).astype(dtype))


def test_rounding_up_keeps_windows_that_begin_inside() -> None:
    x = tk.arange(7.0).reshape(1, 1, 7)
    assert F.max_pool1d(x, 2, ceil_mode=True).tolist() == [[[1, 3, 5, 6]]]
    assert F.max_pool1d(x, 2).tolist() == [[[1, 3, 5]]]
    # the third window would begin behind the end and the padding before it
    assert F.max_pool1d(x, 2, stride=6, padding=1, ceil_mode=True).shape == (1, 1, 2)
    assert F.avg_pool1d(x, 2, ceil_mode=True).tolist() == [[[0.5, 2.5, 4.5, 6.0]]]
    uneven = F.avg_pool1d(x, 3, stride=5, padding=1, ceil_mode=True)
    np.testing.assert_allclose(uneven.numpy()[0, 0], [1 / 3, 15 / 3], rtol=1e-6)
    np.testing.assert_allclose(F.avg_pool1d(x, 4, padding=1, ceil_mode=True).numpy()[0, 0], [0.75, 18 / 4], rtol=1e-6)


def test_the_divisor_of_averages() -> None:
    x = tk.ones(1, 3, 3)
    assert F.avg_pool2d(x, 2, padding=1)[0, 0].tolist() == [0.25, 0.5]
    assert F.avg_pool2d(x, 2, padding=1, count_include_pad=False)[0].tolist() == [[1, 1], [1, 1]]
    assert F.avg_pool2d(x, 2, stride=1, divisor_override=8)[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert F.avg_pool3d(tk.ones(1, 1, 2, 2, 2), 2, divisor_override=-2).item() == -4


def test_nan_is_the_largest_and_the_first_of_equals_is_taken() -> None:
    x = tk.tensor([[[1.0, 1.0, float("nan"), 0.0], [1.0, 1.0, 2.0, 3.0]]], requires_grad=True)
    for pool in (lambda x: F.max_pool2d(x, 2, return_indices=True), lambda x: F.adaptive_max_pool2d(x, (1, 2), True)):
        out, index = pool(x)
        assert index.tolist() == [[[0, 2]]]
        assert out[0, 0, 0].item() == 1
        assert np.isnan(out[0, 0, 1].item())
    assert F.max_pool2d(tk.full((1, 2, 2), -np.inf), 2).item() == -np.inf


def test_integers_and_halves() -> None:
    whole = tk.tensor([[3, 1, 2, 5]])
    assert F.max_pool1d(whole, 2).tolist() == [[3, 5]]
    assert F.max_pool1d(whole, 2).dtype == tk.int64
    x = drawn(2, 3, 6, 6, dtype="float16")
    for call in (
        lambda x: F.max_pool2d(x, 3),
        lambda x: F.avg_pool2d(x, 3),
        lambda x: F.avg_pool2d(x, 6),
        lambda x: F.adaptive_avg_pool2d(x, 4),
        lambda x: F.adaptive_max_pool2d(x, 4),
        lambda x: F.fractional_max_pool2d(x, 2, 3),
    ):
        assert call(x).dtype == tk.float16
    values, index = F.max_pool2d(x, 3, return_indices=True)
    assert (values.dtype, index.dtype) == (tk.float16, tk.int64)


def test_a_stride_larger_than_the_window_leaves_elements_without_gradient() -> None:
    for pool, share in ((nn.MaxPool2d(1, 3), 1.0), (nn.AvgPool2d(2, 3), 0.25)):
        x = drawn(1, 1, 5, 5).requires_grad_()
        pool(x).sum().backward()
        side = pool.kernel_size
        expected = np.zeros((5, 5), "float32")
        for i, j in np.ndindex(2, 2):
            expected[3 * i : 3 * i + side, 3 * j : 3 * j + side] = share
        np.testing.assert_array_equal(x.grad.numpy()[0, 0], expected)


def test_adaptive_pooling_to_the_size_that_is_there_and_to_none() -> None:
    x = drawn(2, 3, 4, 5).requires_grad_()
    for call in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        out = call(x, (None, 5))
        assert tk.equal(out, x)
        assert out is not x
        assert call(x, (0, 2)).shape == (2, 3, 0, 2)
        assert call(x[:0], 2).shape == (0, 3, 2, 2)
    out = F.adaptive_avg_pool2d(x, 4)
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy().sum((2, 3)), 16, rtol=1e-5)


def test_fractional_windows_are_drawn_anew_and_repeat_with_the_seed() -> None:
    x, pool = drawn(2, 3, 20, 20), nn.FractionalMaxPool2d(2, output_ratio=(0.6, 0.8), return_indices=True)
    tk.manual_seed(4)
    (a, places), (b, _) = pool(x), pool(x)
    assert a.shape == (2, 3, 12, 16)
    assert not tk.equal(a, b)
    assert tk.equal(x.flatten(2).gather(2, places.flatten(2)), a.flatten(2))
    tk.manual_seed(4)
    assert tk.equal(pool(x)[0], a)
    assert F.fractional_max_pool3d(drawn(2, 6, 6, 6), (1, 2, 3), 4).shape == (2, 4, 4, 4)


def test_unpooling_to_one_of_several_sizes() -> None:
    x = drawn(1, 2, 5, 5)
    out, index = F.max_pool2d(x, 2, return_indices=True)
    back = nn.MaxUnpool2d(2)(out, index, output_size=(1, 2, 5, 5))
    assert back.shape == (1, 2, 5, 5)
    assert tk.equal(back[back != 0].sort().values, out.flatten().sort().values)
    same = tk.zeros(1, 1, 4, dtype="int64")
    spread = F.max_unpool1d(tk.tensor([[[1.0, 2.0, 3.0, 4.0]]]), same, 1)
    assert spread.tolist() == [[[4, 0, 0, 0]]], "the last of several stays"


def test_lists_are_sizes_too() -> None:
    x = drawn(1, 2, 8, 8)
    assert tk.equal(nn.MaxPool2d([2, 2], stride=[2, 2])(x), nn.MaxPool2d(2)(x))
    assert tk.equal(nn.AvgPool2d([2, 2])(x), nn.AvgPool2d((2, 2))(x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MaxPool2d(0), ArgumentError, "kernel_size must be an integer of at least 1"),
        (lambda: nn.MaxPool2d(2.0), ArgumentError, "kernel_size must be an integer"),
        (lambda: nn.MaxPool2d((2, 2, 2)), ArgumentError, "or 2 of them"),
        (lambda: nn.AvgPool1d(2, stride=0), ArgumentError, "stride"),
        (lambda: nn.LPPool2d(2, 2, stride=-1), ArgumentError, "stride"),
        (lambda: nn.MaxPool3d(2, dilation=0), ArgumentError, "dilation"),
        (lambda: F.max_pool2d(tk.ones(8, 8), 2), ShapeError, r"\(N, C, H, W\) or \(C, H, W\), got \(8, 8\)"),
        (lambda: F.avg_pool1d(tk.ones(1, 2, 3, 4), 2), ShapeError, r"\(N, C, L\) or \(C, L\)"),
        (lambda: F.max_pool2d(tk.ones(1, 0, 3, 4), 2), ShapeError, "nothing but the batch is empty"),
        (lambda: F.max_pool1d(tk.ones(1, 1, 3), 4), ShapeError, r"window of \(4,\) is larger than the image"),
        (lambda: F.max_pool1d(tk.ones(1, 1, 4), 2, dilation=4), ShapeError, "with dilation"),
        (lambda: F.max_pool1d(tk.ones(1, 1, 1), 2, padding=1, dilation=2), ShapeError, "meets padding alone"),
        (lambda: F.max_pool3d(tk.ones(1, 4, 4, 4), 2, padding=2), ArgumentError, "at most half"),
        (lambda: F.avg_pool2d(tk.ones(1, 4, 4), 3, padding=2), ArgumentError, "at most half"),
        (lambda: F.avg_pool2d(tk.ones(1, 4, 4), 2, divisor_override=0), ArgumentError, "must not be 0"),
        (lambda: F.avg_pool2d(tk.ones(1, 4, 4, dtype="int64"), 2), DTypeError, "float"),
        (lambda: F.max_pool2d(tk.ones(1, 4, 4) > 0, 2), DTypeError, "numbers"),
        (lambda: F.adaptive_avg_pool2d(tk.ones(1, 4, 4), -1), ArgumentError, "at least 0"),
        (lambda: F.adaptive_avg_pool2d(tk.ones(1, 4, 4), (1, 2, 3)), ArgumentError, "or 2 of them"),
        (lambda: F.adaptive_max_pool1d(tk.ones(1, 4), 1.5), ArgumentError, "output_size"),
        (lambda: F.adaptive_avg_pool1d(tk.ones(1, 0), 1), ShapeError, "empty"),
        (lambda: nn.FractionalMaxPool2d(2), ArgumentError, "either output_size or output_ratio"),
        (lambda: nn.FractionalMaxPool2d(2, 3, 0.5), ArgumentError, "either output_size or output_ratio"),
        (lambda: nn.FractionalMaxPool2d(2, output_ratio=1.5), ArgumentError, "between 0 and 1"),
        (lambda: F.fractional_max_pool2d(tk.ones(1, 4, 4), 3, 3), ShapeError, "do not fit"),
        (lambda: F.fractional_max_pool2d(tk.ones(1, 4, 4), 2, 2, _random_samples=tk.ones(1, 2)), ShapeError, "samples"),
        (lambda: F.max_unpool2d(tk.ones(1, 2, 2), tk.ones(1, 2, 2), 2), DTypeError, "int64"),
        (lambda: F.max_unpool2d(tk.ones(1, 2, 2), tk.ones(1, 2, 1).long(), 2), ShapeError, "shape of the input"),
        (lambda: F.max_unpool1d(tk.ones(1, 2), tk.full((1, 2), 4), 2), IndexRangeError, "4 elements"),
        (lambda: F.max_unpool1d(tk.ones(1, 2), tk.full((1, 2), -1), 2), IndexRangeError, "outside"),
        (lambda: F.max_unpool1d(tk.ones(1, 2), tk.zeros(1, 2).long(), 2, output_size=(6,)), ArgumentError, "less than the stride"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
