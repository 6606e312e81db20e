"""MNIST: 70,000 handwritten digits, read from four IDX files that are checked byte for byte."""

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainkit.datasets.base import DigitImages
from trainkit.datasets.download import DatasetUnavailableError, download
from trainkit.datasets.idx import CURE, parse_idx, read_content
from trainkit.datasets.synthetic import SyntheticDigits
from trainkit.errors import DataError

__all__ = ["MNIST", "mnist_or_synthetic"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


class _IdxFile(NamedTuple):
    """One of the four files: its shape, and the SHA-256 of its decompressed content."""

    name: str
    shape: tuple[int, ...]
    sha256: str


TRAIN_FILES = (
    _IdxFile(
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    _IdxFile(
        "train-labels-idx1-ubyte",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
)
TEST_FILES = (
    _IdxFile(
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    _IdxFile(
        "t10k-labels-idx1-ubyte",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


class MNIST(DigitImages):
    """The MNIST database of handwritten digits: 60,000 images to learn from, 10,000 to test on.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.

    Args:
        root: the folder of the files, gzipped or plain, named `train-images-idx3-ubyte` or
            `train-images.idx3-ubyte`; torchvision's `root/MNIST/raw` is found too. Without it,
            `$TRAINKIT_DATA/mnist` where that variable is set, otherwise `trainkit/mnist` in the user's cache.
        train: the training images, or the test images.
        download: fetch into `root` what is missing there (needs `pip install 'trainkit[datasets]'`).

    Raises:
        DataError: a file is damaged or is not MNIST's.
        DatasetUnavailableError: a file is missing and cannot be downloaded; where there is no network, that
            is known within 5 seconds.

    Example:
        >>> train_set = MNIST("data/mnist")  # doctest: +SKIP
        >>> x, y = train_set.arrays()  # doctest: +SKIP
        >>> x.shape, y[:5]  # doctest: +SKIP
        ((60000, 1, 28, 28), array([5, 0, 4, 1, 9]))
    """

    source = "MNIST"
    mean = 0.1307
    std = 0.3081

    def __init__(self, root: str | Path | None = None, train: bool = True, *, download: bool = True) -> None:
        self.root = _default_root() if root is None else Path(root).expanduser()
        images, labels = _load(TRAIN_FILES if train else TEST_FILES, self.root, download)
        super().__init__(images, labels.astype(np.int64), train)

    def __repr__(self) -> str:
        return self._describe(f"from '{self.root}'")


def mnist_or_synthetic(
    root: str | Path | None = None, *, download: bool = True
) -> tuple[DigitImages, DigitImages, str | None]:
    """Return MNIST's training and test set, or where it cannot be had drawn digits and a line that says so.

    Args:
        root: the folder of the files, as for `MNIST`.
        download: fetch what is missing there.

    Returns:
        The training set, the test set, and None or the line for the user. `source` tells the sets apart too.

    Raises:
        DataError: there are files, but one is damaged or is not MNIST's.

    Example:
        >>> train_set, test_set, message = mnist_or_synthetic("data/none", download=False)
        >>> train_set.source
        'synthetic digits (drawn, not MNIST)'
        >>> message
        "MNIST is not in 'data/none' and download=False; using synthetic digits (drawn, not MNIST) instead"
    """
    try:
        return MNIST(root, True, download=download), MNIST(root, False, download=download), None
    except DatasetUnavailableError as error:
        _check_all(_default_root() if root is None else Path(root).expanduser())
        message = f"{error}; using {SyntheticDigits.source} instead"
        return SyntheticDigits(train=True), SyntheticDigits(train=False), message


def _check_all(root: Path) -> None:
    """Raise where a file is there and is wrong: that wants mending, not another data set."""
    for file in (*TRAIN_FILES, *TEST_FILES):
        path = _find(file, root)
        if path is not None:
            _read(path, file)


def _default_root() -> Path:
    data = os.environ.get("TRAINKIT_DATA")
    if data:
        return Path(data).expanduser() / "mnist"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "trainkit" / "mnist"


def _load(files: tuple[_IdxFile, ...], root: Path, may_download: bool) -> list[NDArray[Any]]:
    missing = {f"{file.name}.gz": file for file in files if _find(file, root) is None}
    if missing:
        lack = f"MNIST is not in '{root}'"
        if len(missing) < len(files):
            lack = f"MNIST in '{root}' lacks {', '.join(missing)}"
        if not may_download:
            raise DatasetUnavailableError(f"{lack} and download=False")
        try:
            download(list(missing), root, MIRRORS, lambda path: _read(path, missing[path.name]))
        except DatasetUnavailableError as error:
            raise DatasetUnavailableError(f"{lack} and cannot be downloaded: {error}") from error
    return [_read(path, file) for file in files if (path := _find(file, root)) is not None]


def _find(file: _IdxFile, root: Path) -> Path | None:
    dotted = file.name.replace("-idx", ".idx")
    names = (file.name, dotted, f"{file.name}.gz", f"{dotted}.gz")
    candidates = [folder / name for folder in (root, root / "MNIST" / "raw") for name in names]
    return next((path for path in candidates if path.exists()), None)


def _read(path: Path, file: _IdxFile) -> NDArray[np.uint8]:
    content = read_content(path)
    array = parse_idx(content, path)
    if array.dtype != np.uint8 or array.shape != file.shape:
        raise DataError(
            f"'{path}' holds {array.dtype} values of shape {array.shape}, expected uint8 of shape {file.shape}; {CURE}"
        )
    # The checksum also settles that every label is 0 to 9.
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != file.sha256:
        raise DataError(
            f"'{path}' is damaged or is not MNIST's: its content has SHA-256 {sha256}, expected {file.sha256}; {CURE}"
        )
    return array
