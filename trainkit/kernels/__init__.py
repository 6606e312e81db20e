"""The kernels: numba functions on plain arrays, compiled once for a machine. This is the room's only door."""

from trainkit.kernels.activation import activation, activation_grad
from trainkit.kernels.cache import CacheInfo, cache_info
from trainkit.kernels.conv import channel_sum, conv2d, conv2d_grad_input, conv2d_grad_weight
from trainkit.kernels.elementwise import combine, dropout, leaky, relu, relu_grad, shift
from trainkit.kernels.index import add_rows
from trainkit.kernels.layer_norm import row_norm, row_norm_grad
from trainkit.kernels.loss import (
    are_classes,
    cross_entropy,
    cross_entropy_grad,
    log_softmax,
    log_softmax_grad,
    logistic_loss,
    logistic_loss_grad,
    smooth_cross_entropy,
    smooth_cross_entropy_grad,
    softmax,
    softmax_grad,
)
from trainkit.kernels.matmul import linear, matmul, matmul_nt, matmul_tn
from trainkit.kernels.memory import MemoryStats, empty, empty_cache, is_owner, memory_limit, memory_stats
from trainkit.kernels.norm import batch_norm, batch_norm_apply, batch_norm_factors, batch_norm_grad
from trainkit.kernels.parallel import get_num_threads, set_num_threads
from trainkit.kernels.places import add_places, max_places, take_places
from trainkit.kernels.pooling import max_pool, max_pool_gather, max_pool_grad, max_pool_places, max_pool_values
from trainkit.kernels.reduce import total
from trainkit.kernels.resample import plane_mean, resample
from trainkit.kernels.scan import recurrence
from trainkit.kernels.select import masked, select
from trainkit.kernels.special import special
from trainkit.kernels.update import adam_step, lion_step, nadam_step, radam_step, sgd_step
from trainkit.kernels.update_scaled import adadelta_step, adagrad_step, adamax_step, rmsprop_step

__all__ = [
    "CacheInfo",
    "MemoryStats",
    "activation",
    "activation_grad",
    "adadelta_step",
    "adagrad_step",
    "adam_step",
    "adamax_step",
    "add_places",
    "add_rows",
    "are_classes",
    "batch_norm",
    "batch_norm_apply",
    "batch_norm_factors",
    "batch_norm_grad",
    "cache_info",
    "channel_sum",
    "combine",
    "conv2d",
    "conv2d_grad_input",
    "conv2d_grad_weight",
    "cross_entropy",
    "cross_entropy_grad",
    "dropout",
    "empty",
    "empty_cache",
    "get_num_threads",
    "is_owner",
    "leaky",
    "linear",
    "lion_step",
    "log_softmax",
    "log_softmax_grad",
    "logistic_loss",
    "logistic_loss_grad",
    "masked",
    "matmul",
    "matmul_nt",
    "matmul_tn",
    "max_places",
    "max_pool",
    "max_pool_gather",
    "max_pool_grad",
    "max_pool_places",
    "max_pool_values",
    "memory_limit",
    "memory_stats",
    "nadam_step",
    "plane_mean",
    "radam_step",
    "recurrence",
    "relu",
    "relu_grad",
    "resample",
    "rmsprop_step",
    "row_norm",
    "row_norm_grad",
    "select",
    "set_num_threads",
    "sgd_step",
    "shift",
    "smooth_cross_entropy",
    "smooth_cross_entropy_grad",
    "softmax",
    "softmax_grad",
    "special",
    "take_places",
    "total",
]
