"""Digits drawn by a seeded generator from pen strokes: a fair task to learn where MNIST cannot be had."""

import operator

import numpy as np
from numpy.typing import NDArray

from trainkit.datasets.base import DigitImages
from trainkit.datasets.strokes import POINTS, pens
from trainkit.errors import ArgumentError

__all__ = ["SyntheticDigits"]

SIZE = 28
FINE = 2 * SIZE  # dots are counted on a grid of half pixels
CHUNK = 256  # images with a generator of their own: the first n images do not depend on how many are asked for
BLURS = np.linspace(0.9, 1.4, 16, dtype=np.float32)  # pixels


class SyntheticDigits(DigitImages):
    """Digits drawn by a seeded generator: several styles, bent, slanted, thick or thin, and noisy.

    They are not MNIST, and a network's accuracy on them says nothing about handwriting; they are somewhat
    easier to tell apart. The same seed gives the same images, bit for bit on one machine, and a smaller
    `count` the first of them; training and test images come from different streams.

    Args:
        count: how many; 12,000 to train with and 2,000 to test on unless given.
        seed: of the generator.
        train: the stream of training images, or that of test images.

    Raises:
        ArgumentError: `count` is less than 1 or `seed` is negative.

    Example:
        >>> digits = SyntheticDigits(count=8)
        >>> digits.images.shape, digits.labels.shape
        ((8, 28, 28), (8,))
        >>> x, y = digits[0]
        >>> x.shape, x.dtype, 0 <= y <= 9
        ((1, 28, 28), dtype('float32'), True)
    """

    source = "synthetic digits (drawn, not MNIST)"
    mean = 0.1326
    std = 0.3127

    def __init__(self, count: int | None = None, seed: int = 0, train: bool = True) -> None:
        count = (12_000 if train else 2_000) if count is None else operator.index(count)
        if count < 1:
            raise ArgumentError(f"SyntheticDigits expected count of at least 1, got {count}")
        if seed < 0:
            raise ArgumentError(f"SyntheticDigits expected a seed of at least 0, got {seed}")
        self.seed = seed
        images = np.empty((count, SIZE, SIZE), np.uint8)
        labels = np.empty(count, np.int64)
        for start in range(0, count, CHUNK):
            rng = np.random.default_rng([seed, 0 if train else 1, start // CHUNK])
            chunk = slice(start, min(start + CHUNK, count))
            drawn, written = _draw(rng)
            images[chunk] = drawn[: chunk.stop - start]
            labels[chunk] = written[: chunk.stop - start]
        super().__init__(images, labels, train)

    def __repr__(self) -> str:
        return self._describe(f"seed {self.seed}, drawn")


def _draw(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return CHUNK images (CHUNK, 28, 28) and their labels (CHUNK,)."""
    labels = rng.integers(0, 10, CHUNK)
    dots, length = _write(rng, labels)
    # Ink spreads from the dots as a bell curve of width `blur`; 1 on the middle line of a long stroke.
    cell = (dots * np.float32(FINE / SIZE)).astype(np.int64).clip(0, FINE - 1)
    cell = (np.arange(CHUNK)[:, None] * FINE + cell[..., 1]) * FINE + cell[..., 0]
    count = np.bincount(cell.ravel(), minlength=CHUNK * FINE * FINE).reshape(CHUNK, FINE, FINE)
    which = rng.integers(0, len(BLURS), CHUNK)
    blur, spread = BLURS[which], _spread()[which]
    ink = spread @ count.astype(np.float32) @ spread.transpose(0, 2, 1)
    ink *= (length / POINTS * blur * np.float32(np.sqrt(2 * np.pi)))[:, None, None]
    # A threshold at the value to which the curve has fallen half a width away makes strokes of that width.
    half_width = _uniform(rng, 0.85, 1.75)
    edge = np.exp(-((half_width / blur) ** 2) / 2)
    contrast = _uniform(rng, 0.7, 1.8) / edge  # at least 0.5, so that paper without ink stays white
    ink = (ink - edge[:, None, None]) * contrast[:, None, None] + np.float32(0.5)
    ink *= 1 + np.float32(0.08) * rng.standard_normal(ink.shape, np.float32)
    np.clip(ink, 0, 1, out=ink)
    ink *= 255
    return ink.astype(np.uint8), labels


def _write(rng: np.random.Generator, labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the dots (CHUNK, POINTS, 2) of digits in pixels, and the length (CHUNK,) of their strokes."""
    pen = pens()
    style = pen.first[labels] + rng.integers(0, pen.number[labels])
    controls = pen.controls[style] - np.float32(0.5)
    controls += np.float32(0.036) * rng.standard_normal(controls.shape, np.float32)
    turn, shear = _normal(rng, 0.12), _normal(rng, 0.2)
    wide, high = _uniform(rng, 14.5, 22.0), _uniform(rng, 17.0, 21.0)
    cos, sin = np.cos(turn), np.sin(turn)
    # Rows: where a step to the right and a step downwards of the skeleton lead, in pixels.
    right = np.stack([wide * cos, wide * sin], axis=-1)
    down = np.stack([-high * (sin + shear * cos), high * (cos - shear * sin)], axis=-1)
    dots = pen.basis[style] @ (controls @ np.stack([right, down], axis=1))
    # A slow wave across the paper bends every stroke a little.
    wave = _normal(rng, 0.7)[:, None, None] * np.sin(
        dots[..., ::-1] * _uniform(rng, 0.1, 0.35)[:, None, None]
        + rng.uniform(0, 2 * np.pi, (CHUNK, 1, 2)).astype(np.float32)
    )
    dots += wave
    # MNIST's digits are centred in their frame, not quite exactly; so are these.
    dots += SIZE / 2 - (dots.min(axis=1, keepdims=True) + dots.max(axis=1, keepdims=True)) / 2
    dots += np.float32(1.0) * rng.standard_normal((CHUNK, 1, 2), np.float32)
    return dots, pen.length[style] * np.sqrt(wide * high)


def _spread() -> NDArray[np.float32]:
    """Return for each blur the weights (blurs, 28, FINE) with which half pixels ink pixels along one axis."""
    pixel = np.arange(SIZE, dtype=np.float32) + np.float32(0.5)
    half = (np.arange(FINE, dtype=np.float32) + np.float32(0.5)) * np.float32(SIZE / FINE)
    blur = BLURS[:, None, None]
    bell: NDArray[np.float32] = np.exp(-(((pixel[:, None] - half) / blur) ** 2) / 2)
    bell /= blur * np.float32(np.sqrt(2 * np.pi))
    return bell


def _uniform(rng: np.random.Generator, low: float, high: float) -> NDArray[np.float32]:
    return rng.uniform(low, high, CHUNK).astype(np.float32)


def _normal(rng: np.random.Generator, scale: float) -> NDArray[np.float32]:
    return (scale * rng.standard_normal(CHUNK)).astype(np.float32)
