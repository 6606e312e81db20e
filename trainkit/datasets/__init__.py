"""Data sets in memory: MNIST, digits that are drawn where MNIST cannot be had, and the IDX file format."""

from trainkit.datasets.base import DigitImages
from trainkit.datasets.download import DatasetUnavailableError
from trainkit.datasets.idx import read_idx
from trainkit.datasets.mnist import MNIST, mnist_or_synthetic
from trainkit.datasets.synthetic import SyntheticDigits

__all__ = [
    "MNIST",
    "DatasetUnavailableError",
    "DigitImages",
    "SyntheticDigits",
    "mnist_or_synthetic",
    "read_idx",
]
