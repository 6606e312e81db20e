"""Resizing, padding and shape layers: what the table of functions does not say, and what is refused."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.nn import functional as F


def test_sizes_and_factors() -> None:
    x = tk.arange(12.0).reshape(1, 1, 3, 4)
    assert F.interpolate(x, scale_factor=(1.7, 0.5)).shape == (1, 1, 5, 2)
    assert F.interpolate(x, 6).shape == (1, 1, 6, 6)
    assert F.interpolate(x[:0], scale_factor=2, mode="bicubic").shape == (0, 1, 6, 8)
    given = F.interpolate(x, scale_factor=1.9, mode="bilinear")
    anew = F.interpolate(x, scale_factor=1.9, mode="bilinear", recompute_scale_factor=True)
    assert tk.equal(anew, F.interpolate(x, (5, 7), mode="bilinear"))
    assert not tk.equal(given, anew)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
def test_the_same_size_and_a_flat_image(mode: str) -> None:
    x = tk.tensor(np.random.default_rng(0).normal(size=(2, 1, 4, 5)))
    np.testing.assert_allclose(F.interpolate(x, (4, 5), mode=mode).numpy(), x.numpy(), atol=1e-12)
    flat = tk.full((1, 1, 3, 4), 0.7)
    np.testing.assert_allclose(F.interpolate(flat, (8, 3), mode=mode).numpy(), 0.7, rtol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiased_images_are_averages_of_all_that_they_cover(mode: str) -> None:
    stripes = tk.zeros(1, 1, 1, 64)
    stripes[..., ::2] = 1.0
    plain = F.interpolate(stripes, (1, 8), mode=mode)
    smooth = F.interpolate(stripes, (1, 8), mode=mode, antialias=True)
    assert abs(smooth.numpy() - 0.5).max() < 0.05
    assert abs(plain.numpy() - 0.5).max() <= 0.5
    flat = F.interpolate(tk.ones(1, 1, 9, 9), (4, 20), mode=mode, antialias=True)
    np.testing.assert_allclose(flat.numpy(), 1, rtol=1e-6)


def test_older_names() -> None:
    x = tk.arange(6.0).reshape(1, 1, 2, 3)
    assert tk.equal(nn.UpsamplingNearest2d(scale_factor=2)(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert nn.UpsamplingBilinear2d(size=(2, 5))(x)[0, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2]
    assert tk.equal(F.upsample(x, 4), F.interpolate(x, 4))
    assert repr(nn.Upsample(scale_factor=2, mode="bilinear")) == "Upsample(scale_factor=2.0, mode='bilinear')"


def test_pixels_and_channels_and_back() -> None:
    x = tk.arange(2.0 * 8 * 3 * 5).reshape(2, 8, 3, 5)
    assert tk.equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)), x)
    assert tk.equal(nn.ChannelShuffle(4)(nn.ChannelShuffle(2)(x)), x)


def test_padding_layers() -> None:
    x = tk.arange(1.0, 4.0).reshape(1, 1, 3)
    for layer, expected in [
        (nn.ZeroPad1d(1), [0, 1, 2, 3, 0]),
        (nn.ConstantPad1d((0, 2), 7), [1, 2, 3, 7, 7]),
        (nn.ReflectionPad1d((2, 1)), [3, 2, 1, 2, 3, 2]),
        (nn.ReplicationPad1d((1, 2)), [1, 1, 2, 3, 3, 3]),
        (nn.CircularPad1d((2, 0)), [2, 3, 1, 2, 3]),
        (nn.ZeroPad1d((-1, 1)), [2, 3, 0]),
    ]:
        assert layer(x).flatten().tolist() == expected
    assert nn.ConstantPad2d((1, 0, 0, 2), 3.5)(tk.zeros(2, 1, 2, 2)).shape == (2, 1, 4, 3)
    assert repr(nn.ZeroPad2d(1)) == "ZeroPad2d((1, 1, 1, 1))"
    assert repr(nn.ConstantPad1d(2, 3.5)) == "ConstantPad1d(padding=(2, 2), value=3.5)"


def test_flatten_and_unflatten() -> None:
    x = tk.ones(2, 3, 4, 5)
    assert nn.Flatten()(x).shape == (2, 60)
    assert nn.Flatten(0, 2)(x).shape == (24, 5)
    assert nn.Unflatten(-1, (5, -1))(nn.Flatten()(x)).shape == (2, 5, 12)


def test_windows_as_columns_are_what_a_convolution_multiplies() -> None:
    rng = np.random.default_rng(0)
    x, weight = tk.tensor(rng.normal(size=(2, 3, 7, 6))), tk.tensor(rng.normal(size=(4, 3, 3, 2)))
    columns = nn.Unfold((3, 2), dilation=(2, 1), padding=(1, 0), stride=(1, 2))(x)
    product = (weight.flatten(1) @ columns).reshape(2, 4, 5, 3)
    expected = F.conv2d(x, weight, dilation=(2, 1), padding=(1, 0), stride=(1, 2))
    np.testing.assert_allclose(product.numpy(), expected.numpy(), atol=1e-12)
    counts = nn.Fold((7, 6), 3)(F.unfold(tk.ones(1, 1, 7, 6), 3))
    np.testing.assert_array_equal(counts.numpy()[0, 0], np.outer([1, 2, 3, 3, 3, 2, 1], [1, 2, 3, 3, 2, 1]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.interpolate(x), ArgumentError, "either size or scale_factor"),
        (lambda x: F.interpolate(x, 2, 2.0), ArgumentError, "either size or scale_factor"),
        (lambda x: F.interpolate(x, (2, 2, 2)), ArgumentError, "or 2 of them"),
        (lambda x: F.interpolate(x, scale_factor=(2.0,)), ArgumentError, "or 2 of them"),
        (lambda x: F.interpolate(x, scale_factor=-1), ArgumentError, "positive"),
        (lambda x: F.interpolate(x, scale_factor=0.01), ShapeError, "may be 0"),
        (lambda x: F.interpolate(x, (0, 2)), ShapeError, "may be 0"),
        (lambda x: F.interpolate(x, 2, recompute_scale_factor=True), ArgumentError, "recompute_scale_factor"),
        (lambda x: F.interpolate(x, 2, mode="cubic"), ArgumentError, "one of nearest"),
        (lambda x: F.interpolate(x, 2, align_corners=False), ArgumentError, "align_corners"),
        (lambda x: F.interpolate(x, 2, mode="linear"), ShapeError, r"\(N, C, L\)"),
        (lambda x: F.interpolate(x[0], 2, mode="bilinear"), ShapeError, r"\(N, C, H, W\)"),
        (lambda x: F.interpolate(x[0, 0], 2), ShapeError, "expected input of shape"),
        (lambda x: F.interpolate(x, 2, antialias=True), ArgumentError, "antialias"),
        (lambda x: F.interpolate(x.long(), 2), DTypeError, "float"),
        (lambda x: F.pixel_shuffle(x, 3), ShapeError, "multiple of upscale_factor"),
        (lambda x: F.pixel_unshuffle(x, 3), ShapeError, "multiples of downscale_factor"),
        (lambda x: F.pixel_shuffle(x[0, 0], 1), ShapeError, "pixel_shuffle expected"),
        (lambda x: F.pixel_shuffle(x, 0), ArgumentError, "upscale_factor"),
        (lambda x: F.channel_shuffle(x, 3), ShapeError, "multiple of groups"),
        (lambda x: F.unfold(x, 5), ShapeError, "larger than the image"),
        (lambda x: F.unfold(x[0, 0], 2), ShapeError, "Unfold expected input"),
        (lambda x: F.fold(x[0], (4, 4), 3), ShapeError, "multiple of the 9 elements"),
        (lambda x: F.fold(tk.ones(1, 4, 8), (4, 4), 2), ShapeError, "3 x 3 = 9 columns"),
        (lambda x: nn.ZeroPad2d((1, 2, 3)), ArgumentError, "or 4 of them"),
        (lambda x: nn.ReflectionPad2d(4)(x), ShapeError, "at most 3"),
        (lambda x: nn.Unflatten(1, 4), ArgumentError, "a tuple of sizes"),
        (lambda x: nn.Unflatten(1, (3, 2))(x), ShapeError, "multiply up"),
    ],
)
def test_bad_input(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call(tk.ones(2, 4, 4, 4))
