"""The kernels: numba functions on plain arrays, compiled once for a machine. This is the room's only door."""

from trainkit.kernels.activation import activation, activation_grad
from trainkit.kernels.cache import CacheInfo, cache_info
from trainkit.kernels.conv import channel_sum, conv2d, conv2d_grad_input, conv2d_grad_weight
from trainkit.kernels.elementwise import dropout, relu, relu_grad
from trainkit.kernels.index import add_rows
from trainkit.kernels.jit import get_num_threads, launch_layer, set_num_threads
from trainkit.kernels.loss import (
    cross_entropy,
    cross_entropy_grad,
    log_softmax,
    log_softmax_grad,
    softmax,
    softmax_grad,
)
from trainkit.kernels.matmul import linear, matmul, matmul_nt, matmul_tn
from trainkit.kernels.norm import batch_norm_apply, batch_norm_grad, batch_norm_stats
from trainkit.kernels.pooling import max_pool2d, max_pool2d_gather, max_pool2d_grad
from trainkit.kernels.reduce import total
from trainkit.kernels.scan import recurrence
from trainkit.kernels.select import masked, select
from trainkit.kernels.special import special
from trainkit.kernels.update import adam_step, lion_step, nadam_step, radam_step, sgd_step
from trainkit.kernels.update_scaled import adadelta_step, adagrad_step, adamax_step, rmsprop_step

__all__ = [
    "CacheInfo",
    "activation",
    "activation_grad",
    "adadelta_step",
    "adagrad_step",
    "adam_step",
    "adamax_step",
    "add_rows",
    "batch_norm_apply",
    "batch_norm_grad",
    "batch_norm_stats",
    "cache_info",
    "channel_sum",
    "conv2d",
    "conv2d_grad_input",
    "conv2d_grad_weight",
    "cross_entropy",
    "cross_entropy_grad",
    "dropout",
    "get_num_threads",
    "launch_layer",
    "linear",
    "lion_step",
    "log_softmax",
    "log_softmax_grad",
    "masked",
    "matmul",
    "matmul_nt",
    "matmul_tn",
    "max_pool2d",
    "max_pool2d_gather",
    "max_pool2d_grad",
    "nadam_step",
    "radam_step",
    "recurrence",
    "relu",
    "relu_grad",
    "rmsprop_step",
    "select",
    "set_num_threads",
    "sgd_step",
    "softmax",
    "softmax_grad",
    "special",
    "total",
]
