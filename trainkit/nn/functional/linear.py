"""Products with a weight."""

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.ops import linalg as _linalg
from trainkit.errors import ShapeError
from trainkit.nn.functional.checks import same_dtype

__all__ = ["linear"]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Map the last dimension: x (*, in), weight (out, in), bias (out,) to (*, out).

    Raises:
        ShapeError: the last size of `x` is not `in`.
    """
    features = weight.shape[1]
    if x.ndim == 0 or x.shape[-1] != features:
        flat = int(np.prod(x.shape[1:])) == features and x.ndim > 2
        raise ShapeError(
            f"Linear expected input of shape (*, {features}), got {x.shape}"
            + ("; flatten it first (nn.Flatten())" if flat else f"; its last size must be in_features={features}")
        )
    same_dtype("Linear", x, weight)
    return _linalg.linear(x, weight, bias)
