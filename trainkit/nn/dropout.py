"""Layers that forget at random."""

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.dropout import check_probability
from trainkit.nn.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(Module):
    """What they share: the probability, and that they drop in training alone."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training zero each element with probability `p` and scale the others by 1 / (1 - p).

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    >>> import trainkit as tk
    >>> Dropout(0.5).eval()(tk.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of an input of any shape."""
        return functional.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """In training zero whole channels of (N, C, L) or (C, L) with probability `p` and scale the others by 1 / (1 - p).

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    >>> import trainkit as tk
    >>> out = Dropout1d(0.5)(tk.ones(4, 3, 5))
    >>> bool((out == out[:, :, :1]).all())
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels."""
        return functional.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """In training zero whole channels of (N, C, H, W) with probability `p` and scale the others by 1 / (1 - p).

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    >>> import trainkit as tk
    >>> out = Dropout2d(0.5)(tk.ones(4, 3, 5, 5))
    >>> bool((out == out[:, :, :1, :1]).all())
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels."""
        return functional.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """In training zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability `p`; scale the others.

    Source: Tompson et al., 2014, https://arxiv.org/abs/1411.4280.

    >>> import trainkit as tk
    >>> out = Dropout3d(0.5)(tk.ones(4, 3, 5, 5, 5))
    >>> bool((out == out[:, :, :1, :1, :1]).all())
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels."""
        return functional.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """In training set elements with probability `p` to selu's lowest value, so that mean and variance stay.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.

    >>> import trainkit as tk
    >>> AlphaDropout(0.2).eval()(tk.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of an input of any shape."""
        return functional.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """In training do as `AlphaDropout` with whole channels of (N, C, *).

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515.

    >>> import trainkit as tk
    >>> out = FeatureAlphaDropout(0.5)(tk.ones(4, 3, 5))
    >>> bool((out == out[:, :, :1]).all())
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels."""
        return functional.feature_alpha_dropout(input, self.p, self.training, self.inplace)
