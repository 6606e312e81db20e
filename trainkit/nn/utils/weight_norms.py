"""Weights that are computed of others before each call: by their norm and direction, or by their largest stretch.

They are PyTorch's older form, a hook before `forward`, whose names are in many checkpoints: `weight_g`, `weight_orig`.
`nn.utils.parametrizations` has the newer one, which can be copied and takes assignments.
"""

from typing import Any

import numpy as np

from trainkit.autograd import no_grad, tensor
from trainkit.autograd.linalg import vector_norm
from trainkit.errors import ArgumentError, ShapeError
from trainkit.nn.parameter import Parameter
from trainkit.random import default_generator

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


def norm_except(v: Any, dim: int | None) -> Any:
    """Return the norms of the slices of `v` along `dim`, of as many dimensions as `v`; of None or -1, that of all."""
    if dim is None or dim == -1:
        return vector_norm(v)
    return vector_norm(v, 2, [other for other in range(v.ndim) if other != dim % v.ndim], keepdim=True)


def as_matrix(weight: Any, dim: int) -> Any:
    """Return a weight as a matrix of dimension `dim` by all others."""
    order = [dim % weight.ndim, *[other for other in range(weight.ndim) if other != dim % weight.ndim]]
    return weight.permute(*order).reshape(weight.shape[dim], -1)


def output_dim(module: Any) -> int:
    """Return the dimension of a layer's weight that belongs to its outputs."""
    return 1 if getattr(module, "transposed", False) else 0


def random_unit(size: int, like: Any) -> Any:
    """Draw a direction, a vector of norm 1, of the dtype of `like`."""
    drawn = default_generator.numpy.standard_normal(size)
    return tensor(drawn / max(float(np.linalg.norm(drawn)), 1e-12), dtype=like.dtype)


def power_iteration(matrix: Any, u: Any, v: Any, times: int, eps: float, v_first: bool = True) -> None:
    """Turn `u` and `v`, in place, towards the directions between which the matrix stretches most."""

    def turn(vector: Any, image: Any) -> None:
        vector.copy_(image / np.maximum(np.sqrt((image * image).sum()), image.dtype.type(eps)))

    steps = [(v, matrix.array.T, u), (u, matrix.array, v)]
    with no_grad():
        for _ in range(times):
            for target, by, source in steps if v_first else steps[::-1]:
                turn(target, by @ source.array)


class _BeforeForward:
    """The hook that sets an attribute of a module to what it computes of others."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def compute(self, module: Any, training: bool) -> Any:
        raise NotImplementedError

    def __call__(self, module: Any, args: Any) -> None:
        setattr(module, self.name, self.compute(module, module.training))


class _WeightNorm(_BeforeForward):
    def compute(self, module: Any, training: bool) -> Any:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except(v, self.dim))


class _SpectralNorm(_BeforeForward):
    def __init__(self, name: str, dim: int, times: int, eps: float) -> None:
        super().__init__(name, dim)
        self.dim: int = dim
        self.times, self.eps = times, eps

    def compute(self, module: Any, training: bool) -> Any:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = as_matrix(weight, self.dim)
        if training:
            power_iteration(matrix.detach(), u, v, self.times, self.eps)
        return weight / stretch(matrix, u, v)


def stretch(matrix: Any, u: Any, v: Any) -> Any:
    """Return by how much the matrix stretches `v` along `u`; of copies, for both are turned further before backward."""
    return u.clone() @ (matrix @ v.clone())


def _found(module: Any, name: str, kind: type[_BeforeForward]) -> int | None:
    """Return the id of the module's hook of this kind for the attribute `name`."""
    hooks = {} if module._hooks is None else module._hooks.before
    return next((key for key, (hook, _) in hooks.items() if isinstance(hook, kind) and hook.name == name), None)


def _replaced(module: Any, name: str, kind: type[_BeforeForward], what: str, error: type[Exception]) -> Any:
    """Take the parameter `name` out of the module and return it."""
    if _found(module, name, kind) is not None:
        raise RuntimeError(f"{what} is set up already for {name!r} of {type(module).__name__}; remove it first")
    if module._parameters.get(name) is None:
        raise error(f"{what}: {type(module).__name__} has no parameter {name!r}")
    weight = getattr(module, name)
    delattr(module, name)
    return weight


def _removed(module: Any, name: str, kind: type[_BeforeForward], what: str) -> Any:
    """Take the hook out of the module and return it."""
    key = _found(module, name, kind)
    if key is None:
        raise ArgumentError(f"{what} is not set up for {name!r} of {module}")
    return module._hooks.before.pop(key)[0]


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Learn a weight as its norm, `weight_g`, and its direction, `weight_v`; return the module.

    The weight is computed of both before each call of the module, and is no parameter any more.

    Source: Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868.

    Args:
        module: a layer.
        name: of the parameter.
        dim: along which each slice has a norm of its own; None is one norm for the whole.

    Raises:
        AttributeError: the module has no such parameter.
        RuntimeError: it was done already.

    >>> import trainkit as tk
    >>> layer = weight_norm(tk.nn.Linear(2, 3))
    >>> sorted(layer.state_dict())
    ['bias', 'weight_g', 'weight_v']
    >>> layer.weight_g.shape
    (3, 1)
    """
    weight = _replaced(module, name, _WeightNorm, "weight_norm", AttributeError)
    hook = _WeightNorm(name, dim)
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight.detach(), dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute(module, False))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Make a parameter again of a weight that `weight_norm` has split; return the module.

    Raises:
        ArgumentError: it was not.
    """
    hook = _removed(module, name, _WeightNorm, "weight_norm")
    weight = hook.compute(module, False).detach()
    for part in (name, f"{name}_g", f"{name}_v"):
        delattr(module, part)
    module.register_parameter(name, Parameter(weight))
    return module


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value before each call of the module; return the module.

    What is learned is `weight_orig`. The value is found by power iteration, a step with each call in training, whose
    vectors are the buffers `weight_u` and `weight_v`.

    Source: Miyato et al., 2018, https://arxiv.org/abs/1802.05957.

    Args:
        module: a layer, such as one of a discriminator.
        name: of the parameter.
        n_power_iterations: steps with each call.
        eps: keeps vectors of zeros from being divided by 0.
        dim: of the outputs; None is 1 for transposed convolutions, 0 for others.

    Raises:
        ArgumentError: `n_power_iterations` is less than 1.
        KeyError: the module has no such parameter.
        RuntimeError: it was done already.

    >>> import trainkit as tk
    >>> layer = spectral_norm(tk.nn.Linear(20, 40))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if n_power_iterations < 1:
        raise ArgumentError(f"n_power_iterations must be at least 1, got {n_power_iterations}")
    dim = output_dim(module) if dim is None else dim
    weight = _replaced(module, name, _SpectralNorm, "spectral_norm", KeyError)
    if weight.ndim < 2:
        module.register_parameter(name, weight)
        raise ShapeError(f"spectral_norm divides weights of two dimensions or more, got {tuple(weight.shape)}")
    matrix = as_matrix(weight.detach(), dim)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    for part, size in zip("uv", matrix.shape, strict=True):
        module.register_buffer(f"{name}_{part}", random_unit(size, weight))
    module.register_forward_pre_hook(_SpectralNorm(name, dim, n_power_iterations, eps))
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Make a parameter again of a weight that `spectral_norm` divides, with its present value; return the module.

    Raises:
        ArgumentError: it is none.
    """
    hook = _removed(module, name, _SpectralNorm, "spectral_norm")
    weight = hook.compute(module, False).detach()
    for part in (name, f"{name}_u", f"{name}_v", f"{name}_orig"):
        delattr(module, part)
    module.register_parameter(name, Parameter(weight))
    return module
