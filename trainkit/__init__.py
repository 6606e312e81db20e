"""trainkit: train small and middle-sized networks on a CPU."""

from trainkit import autograd, data, kernels, nn, optim
from trainkit.autograd import *  # noqa: F403
from trainkit.autograd import __all__ as _autograd_names
from trainkit.kernels import get_num_threads, set_num_threads
from trainkit.random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from trainkit.serialize import load, save
