"""Mix the examples of a batch with each other."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd import Tensor
from trainkit.callbacks.callback import Callback
from trainkit.engine import Priority
from trainkit.errors import ArgumentError
from trainkit.random import default_generator

__all__ = ["CutMix", "MixUp", "MixedTarget"]


class MixedTarget:
    """The targets of examples that were mixed of two: each loss counts by its share.

    Args:
        first: the targets of the one.
        second: those of the other.
        share: of the first, in [0, 1].
    """

    def __init__(self, first: Any, second: Any, share: float) -> None:
        self.first, self.second, self.share = first, second, share

    @property
    def main(self) -> Any:
        """The targets with the larger share, which metrics compare with."""
        return self.first if self.share >= 0.5 else self.second

    def loss(self, loss: Callable[[Any, Any], Any], y_pred: Any) -> Any:
        """Return the mean of the two losses, by share."""
        return loss(y_pred, self.first) * self.share + loss(y_pred, self.second) * (1 - self.share)


class _Mix(Callback):
    """Gives the step another batch than was fetched, and the metrics the targets of the larger share."""

    priority = Priority.METRICS - 1  # before they look at the output

    def __init__(self, alpha: float) -> None:
        if not alpha > 0:
            raise ArgumentError(f"alpha must be more than 0, got {alpha!r}")
        self.alpha = alpha

    def on_train_batch_begin(self) -> None:
        """Mix."""
        batch = self.state.batch
        if not isinstance(batch, (tuple, list)) or len(batch) != 2 or not isinstance(batch[0], Tensor):
            raise ArgumentError(
                f"{type(self).__name__} mixes batches of (input, target), where the input is one tensor"
            )
        x, y = batch
        random = default_generator.numpy
        order = random.permutation(len(x))
        mixed, share = self.mix(x, order, float(random.beta(self.alpha, self.alpha)), random)
        self.state.batch = (mixed, MixedTarget(y, y[order], share))

    def mix(self, x: Tensor, order: Any, share: float, random: np.random.Generator) -> tuple[Tensor, float]:
        """Return the inputs mixed with themselves in another order, and the share of the first."""
        raise NotImplementedError(f"{type(self).__name__} has no mix()")

    def on_train_batch_end(self) -> None:
        """Let metrics compare with targets that are not mixed."""
        output = self.state.output
        if isinstance(getattr(output, "y", None), MixedTarget):
            self.state.output = output._replace(y=output.y.main)


class MixUp(_Mix):
    """Replace each example by a mean of itself and another of the batch; the loss is mixed alike.

    Args:
        alpha: the share is drawn from Beta(alpha, alpha).

    Raises:
        ArgumentError: alpha is not more than 0; in training, a batch is not (input, target).

    Source: Zhang et al., 2018, https://arxiv.org/abs/1710.09412.

    >>> import trainkit as tk
    >>> trainer = tk.Trainer(tk.nn.Linear(2, 2), "sgd", "cross_entropy", callbacks=[MixUp(0.2)])
    >>> history = trainer.fit(tk.randn(8, 2), tk.tensor([0, 1] * 4), verbose=0)
    """

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__(alpha)

    def mix(self, x: Tensor, order: Any, share: float, random: np.random.Generator) -> tuple[Tensor, float]:
        """Return the means."""
        return x * share + x[order] * (1 - share), share


class CutMix(_Mix):
    """Paste a rectangle of another image of the batch into each; the loss is mixed by the areas.

    Args:
        alpha: the share of the area is drawn from Beta(alpha, alpha).

    Raises:
        ArgumentError: alpha is not more than 0; in training, the inputs are not images (N, C, H, W).

    Source: Yun et al., 2019, https://arxiv.org/abs/1905.04899.

    >>> import trainkit as tk
    >>> net = tk.nn.Sequential(tk.nn.Flatten(), tk.nn.Linear(16, 2))
    >>> trainer = tk.Trainer(net, "sgd", "cross_entropy", callbacks=[CutMix()])
    >>> history = trainer.fit(tk.randn(8, 1, 4, 4), tk.tensor([0, 1] * 4), verbose=0)
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha)

    def mix(self, x: Tensor, order: Any, share: float, random: np.random.Generator) -> tuple[Tensor, float]:
        """Return the images with the rectangle, and the share of the area that is left."""
        if x.ndim != 4:
            raise ArgumentError(f"CutMix needs images (N, C, H, W), got shape {x.shape}")
        height, width = x.shape[2:]
        side = (1 - share) ** 0.5
        top, bottom = _interval(height, side, random)
        left, right = _interval(width, side, random)
        mixed = x.clone()
        mixed[:, :, top:bottom, left:right] = x[order][:, :, top:bottom, left:right]
        return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _interval(size: int, fraction: float, random: np.random.Generator) -> tuple[int, int]:
    """Draw a middle, and take a fraction of the size around it, as far as there is room."""
    middle, half = int(random.integers(size)), int(size * fraction) / 2
    return max(0, round(middle - half)), min(size, round(middle + half))
