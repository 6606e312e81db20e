"""The layers as functions: they check what came, say what was expected, and call the ops. One module a family."""

from trainkit.autograd.ops.lookup import one_hot
from trainkit.autograd.ops.pad import pad
from trainkit.nn.functional.activation import *  # noqa: F403
from trainkit.nn.functional.activation import __all__ as _activation
from trainkit.nn.functional.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d
from trainkit.nn.functional.dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from trainkit.nn.functional.embedding import embedding
from trainkit.nn.functional.fold import fold, unfold
from trainkit.nn.functional.linear import bilinear, linear
from trainkit.nn.functional.loss import *  # noqa: F403
from trainkit.nn.functional.loss import __all__ as _loss
from trainkit.nn.functional.loss_margin import *  # noqa: F403
from trainkit.nn.functional.loss_margin import __all__ as _loss_margin
from trainkit.nn.functional.loss_regression import *  # noqa: F403
from trainkit.nn.functional.loss_regression import __all__ as _loss_regression
from trainkit.nn.functional.norm import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    rms_norm,
)
from trainkit.nn.functional.pooling import *  # noqa: F403
from trainkit.nn.functional.pooling import __all__ as _pooling
from trainkit.nn.functional.pooling_adaptive import *  # noqa: F403
from trainkit.nn.functional.pooling_adaptive import __all__ as _pooling_adaptive
from trainkit.nn.functional.resize import channel_shuffle, interpolate, pixel_shuffle, pixel_unshuffle, upsample
from trainkit.nn.functional.similarity import cosine_similarity, pairwise_distance

__all__ = [
    *_activation,
    *_loss,
    *_loss_margin,
    *_loss_regression,
    *_pooling,
    *_pooling_adaptive,
    "alpha_dropout",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
    "bilinear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "embedding",
    "feature_alpha_dropout",
    "linear",
    "one_hot",
    "pad",
    "pairwise_distance",
    "channel_shuffle",
    "fold",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
    "upsample",
]
