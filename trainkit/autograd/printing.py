"""How a tensor looks: numpy's array print in PyTorch's frame."""

from typing import Any

import numpy as np

from trainkit.autograd.dtypes import get_default_dtype

__all__ = ["tensor_repr"]

_USUAL = ("int64", "bool")


def tensor_repr(tensor: Any) -> str:
    """Return `tensor([...], dtype=..., requires_grad=True)` or `..., grad_fn=<AddBackward>)`."""
    array = tensor.array
    parts = [_values(array)]
    if array.size == 0 and array.ndim != 1:
        parts.append(f"size={array.shape}")
    if array.dtype != get_default_dtype() and array.dtype.name not in _USUAL:
        parts.append(f"dtype={array.dtype}")
    if tensor.node is not None:
        parts.append(f"grad_fn={tensor.node!r}")
    elif tensor.needs_grad:
        parts.append("requires_grad=True")
    return f"tensor({', '.join(parts)})"


def _values(array: np.ndarray[Any, Any]) -> str:
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else np.empty(0)
    whole = bool((finite == np.trunc(finite)).all())
    largest = np.abs(finite).max(initial=0)
    return np.array2string(
        array,
        separator=", ",
        prefix="tensor(",
        precision=4,
        floatmode="maxprec" if whole or largest >= 1e8 or largest < 1e-4 else "fixed",
        suppress_small=1e-4 <= largest < 1e8,
    )
