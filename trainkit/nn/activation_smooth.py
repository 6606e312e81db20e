"""Smooth nonlinearities as layers, and what approximates them by lines."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.activation import _Inplace
from trainkit.nn.module import Module

__all__ = [
    "GELU",
    "Hardsigmoid",
    "Hardswish",
    "LogSigmoid",
    "Mish",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Tanh",
]


class Sigmoid(Module):
    """The logistic function of each element, 1 / (1 + exp(-x)), in any shape.

    >>> import trainkit as tk
    >>> Sigmoid()(tk.tensor([-1.0, 2.0]))
    tensor([0.2689, 0.8808])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.sigmoid(input)


class LogSigmoid(Module):
    """The logarithm of the sigmoid of each element, in any shape.

    >>> import trainkit as tk
    >>> LogSigmoid()(tk.tensor([-1.0, 2.0]))
    tensor([-1.3133, -0.1269])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent of each element, in any shape.

    >>> import trainkit as tk
    >>> Tanh()(tk.tensor([-1.0, 2.0]))
    tensor([-0.7616,  0.9640])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.tanh(input)


class Softsign(Module):
    """Divide each element by 1 + |x|, in any shape.

    >>> import trainkit as tk
    >>> Softsign()(tk.tensor([-1.0, 2.0]))
    tensor([-0.5000,  0.6667])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.softsign(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, a smooth relu, in any shape; where beta x is more than `threshold`, x itself.

    >>> import trainkit as tk
    >>> Softplus()(tk.tensor([-1.0, 2.0]))
    tensor([0.3133, 2.1269])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class GELU(Module):
    """Multiply each element with the normal distribution of it, in any shape.

    With `approximate="tanh"` that distribution is the approximation by a tanh.

    Source: Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415.

    >>> import trainkit as tk
    >>> GELU()(tk.tensor([-1.0, 2.0]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"approximate={self.approximate!r}"


class SiLU(_Inplace):
    """Multiply each element with its sigmoid, in any shape; also called swish.

    Source: Elfwing, Uchibe and Doya, 2017, https://arxiv.org/abs/1702.03118.

    >>> import trainkit as tk
    >>> SiLU()(tk.tensor([-1.0, 2.0]))
    tensor([-0.2689,  1.7616])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.silu(input, self.inplace)


class Mish(_Inplace):
    """Multiply each element with the tanh of its softplus, in any shape.

    Source: Misra, 2019, https://arxiv.org/abs/1908.08681.

    >>> import trainkit as tk
    >>> Mish()(tk.tensor([-1.0, 2.0]))
    tensor([-0.3034,  1.9440])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.mish(input, self.inplace)


class Hardsigmoid(_Inplace):
    """A sigmoid of straight lines, in any shape: 0 up to -3, 1 from 3 on.

    Source: Courbariaux, Bengio and David, 2015, https://arxiv.org/abs/1511.00363.

    >>> import trainkit as tk
    >>> Hardsigmoid()(tk.tensor([-1.0, 2.0]))
    tensor([0.3333, 0.8333])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        """Return nothing, as PyTorch."""
        return ""


class Hardswish(_Inplace):
    """Multiply each element with its hardsigmoid, in any shape.

    Source: Howard et al., 2019, https://arxiv.org/abs/1905.02244.

    >>> import trainkit as tk
    >>> Hardswish()(tk.tensor([-1.0, 2.0]))
    tensor([-0.3333,  1.6667])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`."""
        return functional.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        """Return nothing, as PyTorch."""
        return ""
