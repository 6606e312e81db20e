"""The results that are several, under PyTorch's names."""

from typing import Any, NamedTuple

__all__ = ["QR", "SVD", "Chosen", "Eigh", "Histogram", "LstSq", "MinMax", "SLogDet", "SVDFactors"]


class QR(NamedTuple):
    """Factors with `A = Q @ R`: orthonormal columns and an upper triangle."""

    Q: Any
    R: Any


class SVDFactors(NamedTuple):
    """Factors with `A = U @ diag(S) @ Vh`: orthonormal columns, singular values, descending, orthonormal rows."""

    U: Any
    S: Any
    Vh: Any


class SVD(NamedTuple):
    """Factors with `input = U @ diag(S) @ V.mT`."""

    U: Any
    S: Any
    V: Any


class Eigh(NamedTuple):
    """Eigenvalues, ascending, and the matrices whose columns are the eigenvectors."""

    eigenvalues: Any
    eigenvectors: Any


class SLogDet(NamedTuple):
    """The sign of determinants and the logarithm of their absolute value."""

    sign: Any
    logabsdet: Any


class LstSq(NamedTuple):
    """What a least squares problem leads to."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


class Chosen(NamedTuple):
    """Elements and where they stand along the dimension."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """The smallest and the largest."""

    min: Any
    max: Any


class Histogram(NamedTuple):
    """How many elements lie in each bin, and the edges of the bins."""

    hist: Any
    bin_edges: Any
