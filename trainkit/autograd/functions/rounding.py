"""Rounding, element by element. The gradients are 0, but that of `frac`, which is 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainkit.autograd.ops import rounding as ops
from trainkit.autograd.ops.rounding import ceil, floor, frac, trunc

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = ["ceil", "fix", "floor", "frac", "round", "trunc"]

fix = trunc


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Round to the nearest number with so many decimals, halves to the even one; a negative count rounds to tens.

    Raises:
        DTypeError: integers are to be rounded to decimals.

    >>> import trainkit as tk
    >>> tk.round(tk.tensor([0.5, 1.5, 2.5])), tk.round(tk.tensor([0.1234]), decimals=2)
    (tensor([0., 2., 2.]), tensor([0.1200]))
    """
    return ops.round(input, decimals)
