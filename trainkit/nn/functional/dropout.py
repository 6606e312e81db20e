"""Random zeros against overfitting."""

from trainkit.autograd import Tensor
from trainkit.autograd.ops import elementwise as _elementwise
from trainkit.errors import ArgumentError
from trainkit.random import default_generator

__all__ = ["check_probability", "dropout"]


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability `p` and scale the others by 1 / (1 - p); outside training do nothing.

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """
    check_probability(p)
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    return _elementwise.dropout(x, float(p), default_generator.draw_seed())


def check_probability(p: float) -> None:
    """Raise unless 0 <= p <= 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"the dropout probability must be between 0 and 1, got {p}")
