"""Tensors that record what is done to them, and the walk back that gives gradients."""

from trainkit.autograd.backward import backward, grad
from trainkit.autograd.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    tensor,
    zeros,
    zeros_like,
)
from trainkit.autograd.dtypes import (
    float32,
    float64,
    get_default_dtype,
    int64,
    set_default_dtype,
)
from trainkit.autograd.functions import *  # noqa: F403
from trainkit.autograd.gradcheck import gradcheck, gradgradcheck
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.modes import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from trainkit.autograd.op import op, wrap
from trainkit.autograd.tensor import Tensor

__all__ = [
    "Tensor",
    "TensorBase",
    "arange",
    "as_tensor",
    "backward",
    "empty",
    "empty_like",
    "enable_grad",
    "eye",
    "float32",
    "float64",
    "from_numpy",
    "full",
    "full_like",
    "get_default_dtype",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "int64",
    "is_grad_enabled",
    "linspace",
    "no_grad",
    "ones",
    "ones_like",
    "op",
    "rand",
    "randint",
    "randn",
    "randperm",
    "set_default_dtype",
    "set_grad_enabled",
    "tensor",
    "wrap",
    "zeros",
    "zeros_like",
]
