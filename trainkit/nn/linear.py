"""Layers that map vectors."""

import math
from typing import Any

from trainkit.autograd import Tensor, empty
from trainkit.errors import ArgumentError
from trainkit.nn import functional, init
from trainkit.nn.functional.linear import mapped
from trainkit.nn.fusion import WITH_RELU
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = ["Bilinear", "Identity", "Linear"]


class Linear(Module):
    """An affine map of the last dimension: (*, in_features) to (*, out_features).

    Weight (out_features, in_features) and bias (out_features,) begin uniform within 1 / sqrt(in_features).

    >>> import trainkit as tk
    >>> Linear(3, 2)(tk.ones(5, 3)).shape
    (5, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise ArgumentError(f"Linear needs at least one feature on each side, got {in_features}, {out_features}")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        reset_affine(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Map input (*, in_features)."""
        return mapped(input, self.weight, self.bias)

    def _rectified(self, input: Tensor) -> Tensor:
        return mapped(input, self.weight, self.bias, True)

    def extra_repr(self) -> str:
        """Return the sizes."""
        bias = self.bias is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={bias}"


WITH_RELU[Linear] = Linear._rectified


class Bilinear(Module):
    """x1 W x2 + b for each output: (*, in1_features) and (*, in2_features) to (*, out_features).

    Weight (out_features, in1_features, in2_features) and bias (out_features,) begin uniform within
    1 / sqrt(in1_features).

    >>> import trainkit as tk
    >>> Bilinear(3, 4, 2)(tk.ones(5, 3), tk.ones(5, 4)).shape
    (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features < 1 or in2_features < 1 or out_features < 1:
            raise ArgumentError(
                f"Bilinear needs at least one feature everywhere, got {in1_features}, {in2_features}, {out_features}"
            )
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Join input1 (*, in1_features) and input2 (*, in2_features)."""
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


def reset_affine(weight: Tensor, bias: Tensor | None) -> None:
    """Draw weight and bias as PyTorch does for linear and convolution layers: within 1 / sqrt(fan in)."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(init.fans(weight)[0])
        init.uniform_(bias, -bound, bound)


class Identity(Module):
    """Return what comes: a placeholder."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`."""
        return x
