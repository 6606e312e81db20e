"""How close predicted images are to the true ones."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.metrics.arrays import Array, pair_of
from trainkit.metrics.metric import Metric, as_it_is
from trainkit.metrics.regression import MeanOverExamples

__all__ = ["PSNR", "SSIM"]


def _images(output: Any, metric: Metric, least: int) -> tuple[Array, Array]:
    """Return two batches of one shape and dtype, in float64."""
    name = type(metric).__name__
    y_pred, y = pair_of(output, metric)
    if y_pred.dtype != y.dtype or y.dtype.kind == "c":
        raise DTypeError(f"{name} expected y_pred and y of one dtype of real numbers, got {y_pred.dtype} and {y.dtype}")
    if y_pred.shape != y.shape or y.ndim < least:
        raise ShapeError(f"{name} expected y_pred and y of one shape (N, ...), got {y_pred.shape} and {y.shape}")
    return y_pred.astype(np.float64), y.astype(np.float64)


def _check_range(data_range: Any) -> float:
    if isinstance(data_range, bool) or not isinstance(data_range, Real) or not float(data_range) > 0:
        raise ArgumentError(
            f"data_range expected a positive number, the width of the range of values, got {data_range!r}"
        )
    return float(data_range)


class PSNR(MeanOverExamples):
    """The peak signal-to-noise ratio in decibels, a mean over images (N, ...): `update((y_pred, y))`.

    Args:
        data_range: the width of the range of values, 255 or 1.0.
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.

    Raises:
        ArgumentError: the range is not positive.

    >>> import numpy as np
    >>> psnr = PSNR(data_range=1.0)
    >>> psnr.update((np.full((1, 1, 4, 4), 0.1), np.zeros((1, 1, 4, 4))))
    >>> round(psnr.compute(), 4)
    20.0
    """

    higher_is_better = True

    def __init__(
        self,
        data_range: float,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
    ) -> None:
        self.data_range = _check_range(data_range)
        super().__init__(output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in images.

        Raises:
            ShapeError: they are not of one shape.
            DTypeError: they are not of one dtype.
        """
        y_pred, y = _images(output, self, 2)
        error = np.square(y_pred - y).mean(axis=tuple(range(1, y.ndim)))
        self._add((10.0 * np.log10(self.data_range**2 / (error + 1e-10))).sum(), len(y))


class SSIM(MeanOverExamples):
    """The structural similarity, a mean over images (N, C, H, W) or volumes (N, C, D, H, W).

    Args:
        data_range: the width of the range of values, 255 or 1.0.
        kernel_size: the sides of the window, odd; one, or one a dimension.
        sigma: the standard deviations of a Gaussian window; one, or one a dimension.
        k1: sets the constant that steadies the comparison of means.
        k2: sets the constant that steadies the comparison of variances.
        gaussian: a Gaussian window; False: all of it counts the same.
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        skip_unrolling: as for `Metric`.
        ndims: 2 for images, 3 for volumes.

    Raises:
        ArgumentError: an argument is out of its range.

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, Image Quality Assessment: From Error Visibility to
    Structural Similarity, 2004.

    >>> import numpy as np
    >>> ssim = SSIM(data_range=1.0)
    >>> image = np.linspace(0, 1, 256).reshape(1, 1, 16, 16)
    >>> ssim.update((image, image))
    >>> round(ssim.compute(), 12)
    1.0
    """

    higher_is_better = True

    def __init__(
        self,
        data_range: float,
        kernel_size: int | Sequence[int] = 11,
        sigma: float | Sequence[float] = 1.5,
        k1: float = 0.01,
        k2: float = 0.03,
        gaussian: bool = True,
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        skip_unrolling: bool = False,
        ndims: int = 2,
    ) -> None:
        if ndims not in (2, 3):
            raise ArgumentError(f"ndims expected 2 or 3, got {ndims!r}")
        sizes = _for_each(kernel_size, ndims, "kernel_size")
        if any(size != int(size) or size < 1 or size % 2 == 0 for size in sizes):
            raise ArgumentError(f"kernel_size expected odd positive integers, got {kernel_size!r}")
        sigmas = _for_each(sigma, ndims, "sigma")
        if not all(each > 0 for each in sigmas):
            raise ArgumentError(f"sigma expected positive numbers, got {sigma!r}")
        self.ndims = ndims
        self.data_range = _check_range(data_range)
        self.c1 = (k1 * self.data_range) ** 2
        self.c2 = (k2 * self.data_range) ** 2
        self._windows = [_window(int(size), each, gaussian) for size, each in zip(sizes, sigmas, strict=True)]
        super().__init__(output_transform, device, skip_unrolling)

    def update(self, output: Any) -> None:
        """Take in images.

        Raises:
            ShapeError: they are not of one shape, not of so many dimensions, or smaller than half of the window.
            DTypeError: they are not of one dtype.
        """
        x, y = _images(output, self, 0)
        half = [len(window) // 2 for window in self._windows]
        if x.ndim != self.ndims + 2 or any(side <= pad for side, pad in zip(x.shape[2:], half, strict=True)):
            dims = "(N, C, H, W)" if self.ndims == 2 else "(N, C, D, H, W)"
            raise ShapeError(f"SSIM expected {dims} with sides above {half}, half of the window, got {x.shape}")
        padding = [(0, 0), (0, 0), *((pad, pad) for pad in half)]
        x, y = (np.pad(part, padding, mode="reflect") for part in (x, y))
        mean_x, mean_y = self._blurred(x), self._blurred(y)
        square_x, square_y, product = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
        variances = self._blurred(x * x) - square_x + self._blurred(y * y) - square_y
        covariance = self._blurred(x * y) - product
        similarity = (2 * product + self.c1) * (2 * covariance + self.c2)
        similarity /= (square_x + square_y + self.c1) * (variances + self.c2)
        self._add(similarity.mean(axis=tuple(range(1, x.ndim))).sum(), len(x))

    def _blurred(self, x: Array) -> Array:
        """Return the weighed means of all windows, one dimension after the other."""
        for axis, window in enumerate(self._windows, start=2):
            sides = np.moveaxis(x, axis, 0)
            length = len(sides) - len(window) + 1
            total = window[0] * sides[:length]
            for offset, weight in enumerate(window[1:], start=1):
                total += weight * sides[offset : offset + length]
            x = np.moveaxis(total, 0, axis)
        return x


def _for_each(value: Any, ndims: int, name: str) -> list[Any]:
    values = [value] * ndims if isinstance(value, Real) else value
    if not isinstance(values, Sequence) or len(values) != ndims or not all(isinstance(v, Real) for v in values):
        raise ArgumentError(f"{name} expected a number or {ndims} of them, got {value!r}")
    return list(values)


def _window(size: int, sigma: float, gaussian: bool) -> Array:
    weights: Array = np.ones(size)
    if gaussian:
        weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    weights /= weights.sum()
    return weights
