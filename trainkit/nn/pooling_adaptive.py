"""Pooling layers whose output has a size that is given."""

from collections.abc import Sequence
from typing import Any

from trainkit.autograd import Tensor
from trainkit.nn import functional
from trainkit.nn.functional.checks import Sizes, fractional_sizes, sizes_of
from trainkit.nn.functional.pooling_adaptive import OutputSize
from trainkit.nn.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
]


class _Adaptive(Module):
    """What adaptive pooling of all dimensions shares: the size and the repr."""

    def __init__(self, output_size: OutputSize) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        """Return the size of the output."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """Averages of windows, `output_size` of them: (N, C, L) to (N, C, L'), or both without N.

    >>> import trainkit as tk
    >>> AdaptiveAvgPool1d(3)(tk.ones(2, 4, 10)).shape
    (2, 4, 3)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pool lines (N, C, L) or (C, L)."""
        return functional.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_Adaptive):
    """Averages of windows, `output_size` of them: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        output_size: a number, or one for each dimension; None keeps the size of the input.

    >>> import trainkit as tk
    >>> AdaptiveAvgPool2d((1, None))(tk.ones(2, 4, 5, 7)).shape
    (2, 4, 1, 7)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pool images (N, C, H, W) or (C, H, W)."""
        return functional.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_Adaptive):
    """Averages of windows, `output_size` of them: (N, C, D, H, W) to (N, C, D', H', W'), or both without N.

    See `AdaptiveAvgPool2d`.

    >>> import trainkit as tk
    >>> AdaptiveAvgPool3d(2)(tk.ones(2, 4, 5, 7, 9)).shape
    (2, 4, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pool volumes (N, C, D, H, W) or (C, D, H, W)."""
        return functional.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMax(_Adaptive):
    """What adaptive max pooling shares."""

    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest elements of windows, `output_size` of them: (N, C, L) to (N, C, L'), or both without N.

    >>> import trainkit as tk
    >>> AdaptiveMaxPool1d(3)(tk.ones(2, 4, 10)).shape
    (2, 4, 3)
    """

    def forward(self, input: Tensor) -> Any:
        """Pool lines (N, C, L) or (C, L)."""
        return functional.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest elements of windows, `output_size` of them: (N, C, H, W) to (N, C, H', W'), or both without N.

    Args:
        output_size: a number, or one for each dimension; None keeps the size of the input.
        return_indices: whether the layer returns also where the elements lie, for `MaxUnpool2d`.

    >>> import trainkit as tk
    >>> AdaptiveMaxPool2d((None, 2))(tk.ones(2, 4, 5, 7)).shape
    (2, 4, 5, 2)
    """

    def forward(self, input: Tensor) -> Any:
        """Pool images (N, C, H, W) or (C, H, W)."""
        return functional.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The largest elements of windows, `output_size` of them: (N, C, D, H, W) to (N, C, D', H', W'), or both without N.

    See `AdaptiveMaxPool2d`.

    >>> import trainkit as tk
    >>> AdaptiveMaxPool3d(2)(tk.ones(2, 4, 5, 7, 9)).shape
    (2, 4, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Any:
        """Pool volumes (N, C, D, H, W) or (C, D, H, W)."""
        return functional.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class _Fractional(Module):
    """What fractional max pooling shares."""

    dims: int
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes_of(kernel_size, self.dims, "kernel_size", 1)
        self.output_size, self.output_ratio = fractional_sizes(
            type(self).__name__, self.dims, output_size, output_ratio
        )
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        """Pool a batch, or a single input without the dimension of the batch."""
        call = getattr(functional, f"fractional_max_pool{self.dims}d")
        how = self.kernel_size, self.output_size, self.output_ratio, self.return_indices
        return call(input, *how, self._random_samples)


class FractionalMaxPool2d(_Fractional):
    """The largest elements of windows whose steps are drawn anew each time: (N, C, H, W) to (N, C, H', W').

    Source: Graham, 2014, https://arxiv.org/abs/1412.6071.

    Args:
        kernel_size: the size of the windows: a number, or one for each dimension, as all that follow.
        output_size: how many windows there are.
        output_ratio: in its place, how many there are for an element of the input; between 0 and 1.
        return_indices: whether the layer returns also where the elements lie, for `MaxUnpool2d`.
        _random_samples: (N, C, 2) numbers from 0 to 1 that place the windows, for tests.

    >>> import trainkit as tk
    >>> FractionalMaxPool2d(2, output_ratio=0.7)(tk.ones(2, 4, 10, 10)).shape
    (2, 4, 7, 7)
    """

    dims = 2


class FractionalMaxPool3d(_Fractional):
    """The largest elements of windows whose steps are drawn anew each time: (N, C, D, H, W) to (N, C, D', H', W').

    See `FractionalMaxPool2d`.

    >>> import trainkit as tk
    >>> FractionalMaxPool3d(2, output_size=(3, 4, 5))(tk.ones(2, 4, 6, 7, 8)).shape
    (2, 4, 3, 4, 5)
    """

    dims = 3
