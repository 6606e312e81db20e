"""Losses of regression as modules: none takes logits or probabilities, but numbers as they are."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.loss_base import Loss

__all__ = ["GaussianNLLLoss", "HuberLoss", "L1Loss", "MSELoss", "PoissonNLLLoss", "SmoothL1Loss"]


class MSELoss(Loss):
    """Squared difference of two tensors of one shape; they hold any numbers.

    Raises ShapeError where the shapes differ: broadcasting here is nearly always a mistake.

    >>> import trainkit as tk
    >>> MSELoss()(tk.tensor([1.0, 2.0]), tk.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare `input` with `target`."""
        return functional.mse_loss(input, target, reduction=self.reduction)


class L1Loss(MSELoss):
    """Absolute difference of two tensors of one shape; they hold any numbers.

    >>> import trainkit as tk
    >>> L1Loss()(tk.tensor([1.0, 2.0]), tk.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare `input` with `target`."""
        return functional.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Absolute difference, half its square divided by `beta` where it is less; two tensors of one shape, any numbers.

    Source: Girshick, 2015, https://arxiv.org/abs/1504.08083.

    >>> import trainkit as tk
    >>> SmoothL1Loss()(tk.tensor([1.0, 2.0]), tk.tensor([1.5, 4.0]))
    tensor(0.8125)
    """

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare `input` with `target`."""
        return functional.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """Half the squared difference, a line from `delta` on; two tensors of one shape, any numbers.

    Source: Huber, 1964, https://doi.org/10.1214/aoms/1177703732.

    >>> import trainkit as tk
    >>> HuberLoss()(tk.tensor([1.0, 2.0]), tk.tensor([1.5, 4.0]))
    tensor(0.8125)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare `input` with `target`."""
        return functional.huber_loss(input, target, self.reduction, self.delta)


class GaussianNLLLoss(Loss):
    """Negative log-likelihood of numbers under normal distributions of predicted mean and variance.

    It takes means, and variances, not their logarithms nor deviations; a negative one raises ArgumentError.

    Args:
        full: add the constant log(2 pi) / 2.
        eps: the least variance.
        reduction: "mean", "sum" or "none".

    Source: Nix and Weigend, 1994, https://doi.org/10.1109/ICNN.1994.374138.

    >>> import trainkit as tk
    >>> GaussianNLLLoss()(tk.tensor([1.0, 2.0]), tk.tensor([1.0, 4.0]), tk.tensor([1.0, 1.0]))
    tensor(1.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Compare numbers with distributions."""
        return functional.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts under Poisson distributions of predicted mean.

    It takes the logarithm of the mean; with `log_input=False` the mean itself.

    Args:
        log_input: whether the input is a logarithm.
        full: add Stirling's approximation of log(target!) where the count is more than 1.
        eps: added to a mean before its logarithm is taken.
        reduction: "mean", "sum" or "none".

    >>> import trainkit as tk
    >>> PoissonNLLLoss()(tk.tensor([0.0, 0.0]), tk.tensor([1.0, 3.0]))
    tensor(1.)
    """

    def __init__(
        self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """Compare means with counts."""
        return functional.poisson_nll_loss(
            log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )
