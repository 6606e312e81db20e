"""The layers as functions: they check what came, say what was expected, and call the ops. One module a family."""

from trainkit.autograd.ops.lookup import embedding, one_hot
from trainkit.autograd.ops.pad import pad
from trainkit.nn.functional.activation import *  # noqa: F403
from trainkit.nn.functional.activation import __all__ as _activation
from trainkit.nn.functional.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d
from trainkit.nn.functional.dropout import dropout
from trainkit.nn.functional.linear import linear
from trainkit.nn.functional.loss import cross_entropy, mse_loss, nll_loss
from trainkit.nn.functional.norm import batch_norm
from trainkit.nn.functional.pooling import max_pool2d

__all__ = [
    *_activation,
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cross_entropy",
    "dropout",
    "embedding",
    "linear",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
]
