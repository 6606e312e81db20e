"""Nonlinearities with a kink as layers, and their kin: rectifiers, limits, shrinking."""

from typing import Any

from trainkit.autograd import Tensor, float32, full
from trainkit.errors import ArgumentError
from trainkit.nn import functional
from trainkit.nn.init import constant_
from trainkit.nn.module import Module
from trainkit.nn.parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "SELU",
    "Hardshrink",
    "Hardtanh",
    "LeakyReLU",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Softshrink",
    "Tanhshrink",
    "Threshold",
]


class _Inplace(Module):
    """A layer that can write its result into its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return whether it works in place."""
        return "inplace=True" if self.inplace else ""


def _inplace(layer: _Inplace) -> str:
    return ", inplace=True" if layer.inplace else ""


class ReLU(_Inplace):
    """Replace what is negative by 0, in any shape.

    >>> import trainkit as tk
    >>> ReLU()(tk.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`."""
        return functional.relu(input, self.inplace)


class ReLU6(_Inplace):
    """Limit each element to [0, 6], in any shape.

    Source: Howard et al., 2017, https://arxiv.org/abs/1704.04861.

    >>> import trainkit as tk
    >>> ReLU6()(tk.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Limit `input`."""
        return functional.relu6(input, self.inplace)


class LeakyReLU(_Inplace):
    """Multiply what is negative with `negative_slope`, in any shape.

    Source: Maas, Hannun and Ng, 2013, https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf.

    >>> import trainkit as tk
    >>> LeakyReLU(0.1)(tk.tensor([-1.0, 2.0]))
    tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`."""
        return functional.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"negative_slope={self.negative_slope}{_inplace(self)}"


class PReLU(Module):
    """Multiply what is negative with a slope that is learned: one for all, or one for each channel.

    The input is (N, C, *), or of any shape where there is one slope; `weight` is (num_parameters,).

    Source: He et al., 2015, https://arxiv.org/abs/1502.01852.

    >>> import trainkit as tk
    >>> PReLU()(tk.tensor([-1.0, 2.0]))
    tensor([-0.2500,  2.0000], grad_fn=<WhereBackward>)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if num_parameters < 1:
            raise ArgumentError(f"PReLU needs at least one parameter, got {num_parameters}")
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), init, device=device, dtype=dtype or float32))

    def reset_parameters(self) -> None:
        """Set all slopes to `init`."""
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`."""
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"num_parameters={self.num_parameters}"


class RReLU(_Inplace):
    """Multiply what is negative with slopes drawn between `lower` and `upper`, in evaluation with their mean.

    Source: Xu et al., 2015, https://arxiv.org/abs/1505.00853.

    >>> import trainkit as tk
    >>> RReLU(0.1, 0.3).eval()(tk.tensor([-1.0, 2.0]))
    tensor([-0.2000,  2.0000])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`, of any shape."""
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"lower={self.lower}, upper={self.upper}{_inplace(self)}"


class ELU(_Inplace):
    """Replace what is negative by alpha (exp(x) - 1), in any shape.

    Source: Clevert, Unterthiner and Hochreiter, 2015, https://arxiv.org/abs/1511.07289.

    >>> import trainkit as tk
    >>> ELU()(tk.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`."""
        return functional.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"alpha={self.alpha}{_inplace(self)}"


class CELU(ELU):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)), whose slope has no leap, in any shape.

    Source: Barron, 2017, https://arxiv.org/abs/1704.07483.

    >>> import trainkit as tk
    >>> CELU(2.0)(tk.tensor([-1.0, 2.0]))
    tensor([-0.7869,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`."""
        return functional.celu(input, self.alpha, self.inplace)


class SELU(_Inplace):
    """Scaled exponential units, which keep mean 0 and variance 1 through layers, in any shape.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.

    >>> import trainkit as tk
    >>> SELU()(tk.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Rectify `input`."""
        return functional.selu(input, self.inplace)


class Threshold(_Inplace):
    """Keep what is more than `threshold`, replace the rest by `value`, in any shape.

    >>> import trainkit as tk
    >>> Threshold(0.1, 20)(tk.tensor([0.0, 2.0]))
    tensor([20.,  2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Replace in `input`."""
        return functional.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"threshold={self.threshold}, value={self.value}{_inplace(self)}"


class Hardtanh(_Inplace):
    """Limit each element to [min_val, max_val], in any shape.

    Raises:
        ArgumentError: the least is not less than the most.

    >>> import trainkit as tk
    >>> Hardtanh()(tk.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if min_val >= max_val:
            raise ArgumentError(f"Hardtanh needs min_val of less than max_val, got {min_val} and {max_val}")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Limit `input`."""
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"min_val={self.min_val}, max_val={self.max_val}{_inplace(self)}"


class Hardshrink(Module):
    """Replace what lies in [-lambd, lambd] by 0, in any shape.

    >>> import trainkit as tk
    >>> Hardshrink()(tk.tensor([-0.3, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Shrink `input`."""
        return functional.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return str(self.lambd)


class Softshrink(Hardshrink):
    """Move each element towards 0 by `lambd`, at most to 0, in any shape.

    >>> import trainkit as tk
    >>> Softshrink()(tk.tensor([-0.3, 2.0]))
    tensor([0.0000, 1.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Shrink `input`."""
        return functional.softshrink(input, self.lambd)


class Tanhshrink(Module):
    """Take the tanh of each element from it, in any shape.

    >>> import trainkit as tk
    >>> Tanhshrink()(tk.tensor([-1.0, 2.0]))
    tensor([-0.2384,  1.0360])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Shrink `input`."""
        return functional.tanhshrink(input)
