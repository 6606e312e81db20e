"""How many arithmetic operations an op takes, for those of which it is known.

A product and its addition are two, as usual. An op that works element by element counts one for each element of its
result, whatever it computes; its rule one for each element of the gradient and each argument that gets a new one. Other
rules take what the ops take that they call.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["FORMULAS", "of_forward", "of_rule"]

Formula = Callable[[tuple[Any, ...], Any], int]
_FAMILIES = {
    "activation", "arithmetic", "choose", "compare", "exponential", "power", "rounding", "special", "trigonometry",
}  # fmt: skip


def _biased(out: Any, products: int, bias: Any) -> int:
    return int(out.size) * (2 * products + (bias is not None))


# Of the op's arguments without ctx, and its result.
FORMULAS: dict[str, Formula] = {
    "conv2d": lambda args, out: _biased(out, math.prod(args[1].shape[1:]), args[2]),
    "conv2d_relu": lambda args, out: _biased(out, math.prod(args[1].shape[1:]), args[2]),
    "conv2d_scale_shift": lambda args, out: _biased(out, math.prod(args[1].shape[1:]), args[2]),
    "conv2d_grad_input": lambda args, out: 2 * args[0].size * math.prod(args[1].shape[1:]),
    "conv2d_grad_weight": lambda args, out: 2 * args[0].size * math.prod(args[2][1:]),
    "mm": lambda args, out: 2 * args[0].size * args[1].shape[1],
    "stacked_mm": lambda args, out: 2 * out.size * args[0].shape[-1],
    "mv": lambda args, out: 2 * args[0].size,
    "dot": lambda args, out: 2 * args[0].size,
    "linear": lambda args, out: _biased(out, args[1].shape[1], args[2]),
    "linear_relu": lambda args, out: _biased(out, args[1].shape[1], args[2]),
}


def of_forward(op: Any) -> Formula | None:
    """Return what tells the operations of an op's forward from its arguments and its result, or None."""
    return FORMULAS.get(op.name) or (_of_elements if _is_elementwise(op) else None)


def of_rule(op: Any) -> Formula | None:
    """Return what tells the operations of an op's rule from the gradient that it is given and those that it returns."""
    return _of_gradients if _is_elementwise(op) else None


def _is_elementwise(op: Any) -> bool:
    return op.forward.__module__.startswith("trainkit.autograd.ops.") and (
        op.forward.__module__.rsplit(".", 1)[1] in _FAMILIES
    )


def _of_elements(args: tuple[Any, ...], out: Any) -> int:
    return sum(int(np.size(part)) for part in (out if type(out) is tuple else (out,)))


def _of_gradients(args: tuple[Any, ...], out: Any) -> int:
    (grad,) = args
    parts = out if type(out) is tuple else (out,)
    size: int = math.prod(grad.shape)
    return size * sum(part is not None and part is not grad for part in parts)
