"""trainkit: train small and middle-sized networks on a CPU.

Tensors, autograd, nn, optim and data under PyTorch's names; an engine that fires events under pytorch-ignite's; and
`Trainer.fit` with callbacks on top.
"""

from trainkit import autograd, callbacks, data, datasets, engine, kernels, metrics, nn, optim
from trainkit.autograd import *  # noqa: F403
from trainkit.autograd import __all__ as _tensor_names
from trainkit.autograd.functions import *  # noqa: F403
from trainkit.autograd.functions import __all__ as _function_names
from trainkit.errors import TrainkitError
from trainkit.kernels import get_num_threads, set_num_threads
from trainkit.random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from trainkit.serialize import load, save
from trainkit.trainer import Trainer

__version__ = "0.1.0"

__all__ = [
    *_tensor_names,
    *_function_names,
    "Generator",
    "Trainer",
    "TrainkitError",
    "autograd",
    "callbacks",
    "data",
    "datasets",
    "engine",
    "get_num_threads",
    "get_rng_state",
    "initial_seed",
    "kernels",
    "load",
    "manual_seed",
    "metrics",
    "nn",
    "optim",
    "save",
    "seed",
    "set_num_threads",
    "set_rng_state",
]
