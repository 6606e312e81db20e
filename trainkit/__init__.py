"""trainkit: train small and middle-sized networks on a CPU.

Tensors, autograd, nn, optim and data under PyTorch's names; an engine that fires events under pytorch-ignite's; and
`Trainer.fit` with callbacks on top.
"""

from trainkit import (
    autograd,
    backends,
    callbacks,
    cuda,
    data,
    datasets,
    engine,
    kernels,
    metrics,
    models,
    nn,
    optim,
    profiler,
)
from trainkit.autograd import *  # noqa: F403
from trainkit.autograd import linalg, special
from trainkit.autograd.functions.activation import *  # noqa: F403
from trainkit.autograd.functions.arithmetic import *  # noqa: F403
from trainkit.autograd.functions.arrange import *  # noqa: F403
from trainkit.autograd.functions.choose import *  # noqa: F403
from trainkit.autograd.functions.compare import *  # noqa: F403
from trainkit.autograd.functions.contraction import *  # noqa: F403
from trainkit.autograd.functions.counting import *  # noqa: F403
from trainkit.autograd.functions.factors import *  # noqa: F403
from trainkit.autograd.functions.index import *  # noqa: F403
from trainkit.autograd.functions.join import *  # noqa: F403
from trainkit.autograd.functions.linalg import *  # noqa: F403
from trainkit.autograd.functions.ordering import *  # noqa: F403
from trainkit.autograd.functions.parts import *  # noqa: F403
from trainkit.autograd.functions.reduce import *  # noqa: F403
from trainkit.autograd.functions.rounding import *  # noqa: F403
from trainkit.autograd.functions.scan import *  # noqa: F403
from trainkit.autograd.functions.scattering import *  # noqa: F403
from trainkit.autograd.functions.shape import *  # noqa: F403
from trainkit.autograd.functions.statistics import *  # noqa: F403
from trainkit.autograd.functions.transcendental import *  # noqa: F403
from trainkit.backends import are_deterministic_algorithms_enabled, use_deterministic_algorithms
from trainkit.errors import TrainkitError
from trainkit.kernels import empty_cache, get_num_threads, memory_limit, memory_stats, set_num_threads
from trainkit.random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from trainkit.serialize import load, save
from trainkit.trainer import StepOutput, Trainer

__version__ = "0.1.0"

# spelled out, for type checkers read nothing else; a test compares it with what the rooms offer
# fmt: off
__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "Function", "FunctionCtx",
    "Generator", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor", "Size", "Tensor", "TensorBase",
    "StepOutput", "Trainer", "TrainkitError", "Variable", "abs", "absolute", "acos", "acosh", "add", "addbmm",
    "addcdiv", "addcmul", "addmm", "addmv", "addr", "adjoint", "all", "allclose", "amax", "amin", "aminmax",
    "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "are_deterministic_algorithms_enabled", "argmax", "argmin", "argsort", "argwhere", "as_strided",
    "as_tensor", "asarray", "asin", "asinh", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d",
    "autograd", "backends", "backward", "baddbmm", "bernoulli", "bincount", "bitwise_and", "bitwise_left_shift",
    "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block_diag", "bmm", "bool",
    "broadcast_shapes", "broadcast_tensors", "broadcast_to", "bucketize", "callbacks", "can_cast",
    "cartesian_prod", "cat", "cdist", "ceil", "celu", "celu_", "chain_matmul", "channels_last",
    "channels_last_3d", "cholesky", "cholesky_inverse", "cholesky_solve", "chunk", "clamp", "clamp_max",
    "clamp_min", "clip", "clone", "column_stack", "combinations", "concat", "concatenate", "contiguous_format",
    "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov", "cross", "cuda", "cummax", "cummin",
    "cumprod", "cumsum", "cumulative_trapezoid", "data", "datasets", "deg2rad", "det", "detach",
    "detect_anomaly", "device", "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "diff",
    "digamma", "dist", "div", "divide", "dot", "double", "dsplit", "dstack", "dtype", "e", "einsum", "empty",
    "empty_cache", "empty_like", "enable_grad", "engine", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2",
    "expm1", "eye", "finfo", "fix", "flatten", "flip", "fliplr", "flipud", "float", "float16", "float32",
    "float64", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "from_numpy", "full",
    "full_like", "functional", "gather", "gcd", "ge", "ger", "get_default_device", "get_default_dtype",
    "get_num_threads", "get_rng_state", "grad", "gradcheck", "gradgradcheck", "greater", "greater_equal", "gt",
    "half", "hardshrink", "heaviside", "histc", "histogram", "hsplit", "hstack", "hypot", "i0", "iinfo",
    "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "index_select", "inf",
    "inference_mode", "initial_seed", "inner", "int", "int16", "int32", "int64", "int8", "inverse",
    "is_anomaly_enabled", "is_complex", "is_floating_point", "is_grad_enabled", "is_inference_mode_enabled",
    "is_nonzero", "is_tensor", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf",
    "isreal", "kernels", "kron", "kthvalue", "lcm", "le", "lerp", "less", "less_equal", "lgamma", "linalg",
    "linspace", "load", "log", "log10", "log1p", "log2", "log_softmax", "logaddexp", "logaddexp2",
    "logcumsumexp", "logdet", "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logspace",
    "logsumexp", "long", "lt", "manual_seed", "masked_fill", "masked_scatter", "masked_select", "matmul",
    "matrix_exp", "matrix_power", "max", "maximum", "mean", "median", "memory_limit", "memory_stats",
    "meshgrid", "metrics", "min", "minimum", "mm", "mode", "models", "moveaxis", "movedim", "msort", "mul",
    "multinomial", "multiply", "mv", "mvlgamma", "nan", "nan_to_num", "nanmean", "nanmedian", "nanquantile",
    "nansum", "narrow", "ne", "neg", "negative", "newaxis", "nn", "no_grad", "nonzero", "norm", "normal",
    "not_equal", "numel", "once_differentiable", "ones", "ones_like", "op", "optim", "outer", "permute", "pi",
    "pinverse", "poisson", "polygamma", "positive", "pow", "prelu", "preserve_format", "prod", "profiler",
    "promote_types", "put", "qr", "quantile", "rad2deg", "rand", "rand_like", "randint", "randint_like",
    "randn", "randn_like", "randperm", "ravel", "reciprocal", "relu", "relu_", "remainder", "repeat_interleave",
    "reshape", "result_type", "roll", "rot90", "round", "row_stack", "rsqrt", "rsub", "save", "scatter",
    "scatter_add", "scatter_reduce", "searchsorted", "seed", "select", "select_scatter", "selu", "selu_",
    "set_default_device", "set_default_dtype", "set_detect_anomaly", "set_grad_enabled", "set_num_threads",
    "set_printoptions", "set_rng_state", "sgn", "short", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh",
    "slice_scatter", "slogdet", "softmax", "sort", "special", "split", "split_with_sizes", "sqrt", "square",
    "squeeze", "stack", "std", "std_mean", "strided", "sub", "subtract", "sum", "svd", "swapaxes", "swapdims",
    "t", "take", "take_along_dim", "tan", "tanh", "tensor", "tensor_split", "tensordot", "threshold",
    "threshold_", "tile", "topk", "trace", "transpose", "trapezoid", "trapz", "tril", "tril_indices", "triu",
    "triu_indices", "true_divide", "trunc", "uint8", "unbind", "unflatten", "unique", "unique_consecutive",
    "unsqueeze", "use_deterministic_algorithms", "var", "var_mean", "vdot", "vsplit", "vstack", "where", "wrap",
    "xlogy", "zeros", "zeros_like",
]
# fmt: on
