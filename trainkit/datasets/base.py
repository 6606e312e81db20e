"""What the digit data sets share: images and labels in memory, handed out one by one or as two arrays."""

import operator
from typing import Any, ClassVar, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from trainkit.errors import IndexRangeError

__all__ = ["DigitImages"]


class DigitImages:
    """Labelled 28 x 28 images of the ten digits; base of `MNIST` and `SyntheticDigits`.

    Attributes:
        images: (N, 28, 28) uint8, 0 is paper and 255 is ink; read-only.
        labels: (N,) int64, each 0 to 9; read-only.
        train: whether these are the images to learn from, or those to test on.
        classes: the names of the labels.
        source: what the images are, in words for a log.
        mean, std: of all pixels of the training images, as fractions of 255; `arrays` normalises with them.
    """

    source: ClassVar[str]
    mean: ClassVar[float]
    std: ClassVar[float]
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64], train: bool) -> None:
        images.flags.writeable = False
        labels.flags.writeable = False
        self.images = images
        self.labels = labels
        self.train = train

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex) -> tuple[NDArray[np.float32], int]:
        """Return one image, (1, 28, 28) float32 and normalised, and its label."""
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexRangeError(f"index {i} is out of range for {self!r}; expected -{len(self)} to {len(self) - 1}")
        return self._scaled(self.images[i], normalize=True)[None], int(self.labels[i])

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the images `indices`, (B, 1, 28, 28) float32 and normalised, and their labels, (B,) int64.

        A loader calls this once a batch, so that the set stays in memory at one byte a pixel.
        """
        return self._scaled(self.images[indices], normalize=True)[:, None], self.labels[indices]

    def arrays(self, normalize: bool = True) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return all images, (N, 1, 28, 28) float32, and all labels, (N,) int64.

        Args:
            normalize: to mean 0 and variance 1 over the training images; otherwise pixels are 0 to 1.
        """
        return self._scaled(self.images, normalize)[:, None], self.labels.copy()

    def _scaled(self, images: NDArray[np.uint8], normalize: bool) -> NDArray[np.float32]:
        if not normalize:
            return np.multiply(images, np.float32(1 / 255), dtype=np.float32)
        scaled = np.multiply(images, np.float32(1 / (255 * self.std)), dtype=np.float32)
        scaled -= np.float32(self.mean / self.std)
        return scaled

    def _describe(self, detail: Any) -> str:
        part = "train" if self.train else "test"
        return f"{type(self).__name__}({part}, {len(self)} images of 28 x 28, {detail})"
