"""Parametrizations: a weight by norm and direction, and a weight divided by its largest stretch."""

from typing import Any

from trainkit.autograd import Tensor, no_grad
from trainkit.errors import ArgumentError
from trainkit.nn.functional.norm import normalize
from trainkit.nn.module import Module
from trainkit.nn.utils.parametrize import register_parametrization
from trainkit.nn.utils.weight_norms import as_matrix, norm_except, output_dim, power_iteration, random_unit, stretch

__all__ = ["spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """A weight made of the norms and the directions of its slices."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """Return the weight."""
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Any, Any]:
        """Return norms and directions."""
        return norm_except(weight, self.dim), weight


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which is found by power iteration."""

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if n_power_iterations < 1:
            raise ArgumentError(f"n_power_iterations must be at least 1, got {n_power_iterations}")
        if not -weight.ndim <= dim < weight.ndim:
            raise ArgumentError(f"dim {dim} is not one of a weight of shape {tuple(weight.shape)}")
        self.dim, self.n_power_iterations, self.eps = dim % weight.ndim, n_power_iterations, eps
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            self.register_buffer("_u", random_unit(matrix.shape[0], weight))
            self.register_buffer("_v", random_unit(matrix.shape[1], weight))
            power_iteration(matrix, self._u, self._v, 15, eps, v_first=False)

    _u: Any
    _v: Any

    def forward(self, weight: Any) -> Any:
        """Return the weight, divided."""
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            with no_grad():
                power_iteration(matrix.detach(), self._u, self._v, self.n_power_iterations, self.eps, v_first=False)
        return weight / stretch(matrix, self._u, self._v)

    def right_inverse(self, value: Any) -> Any:
        """Return the value: a weight with the right singular value is left as it is."""
        return value


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Learn a weight as norms, `original0`, and directions, `original1`; return the module.

    A state dict of `nn.utils.weight_norm` fits too.

    Source: Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868.

    Args:
        module: a layer.
        name: of the parameter.
        dim: along which each slice has a norm of its own; None is one norm for the whole.

    Raises:
        ArgumentError: the module has no such parameter.

    >>> import trainkit as tk
    >>> layer = weight_norm(tk.nn.Linear(2, 3))
    >>> layer.parametrizations.weight.original0.shape
    (3, 1)
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(module: Any, state_dict: Any, prefix: str, *_: Any) -> None:
        for number, part in enumerate("gv"):
            if (old := f"{prefix}{name}_{part}") in state_dict:
                state_dict[f"{prefix}parametrizations.{name}.original{number}"] = state_dict.pop(old)

    module.register_load_state_dict_pre_hook(rename)
    return module


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Any:
    """Divide a weight by its largest singular value whenever it is read; return the module.

    Each reading in training is a step of the power iteration that finds the value; in evaluation nothing moves.

    Source: Miyato et al., 2018, https://arxiv.org/abs/1802.05957.

    Args:
        module: a layer, such as one of a discriminator.
        name: of the parameter.
        n_power_iterations: steps with each reading.
        eps: keeps vectors of zeros from being divided by 0.
        dim: of the outputs; None is 1 for transposed convolutions, 0 for others.

    Raises:
        ArgumentError: the module has no such parameter, or `n_power_iterations` is less than 1.

    >>> import trainkit as tk
    >>> layer = spectral_norm(tk.nn.Linear(20, 40))
    >>> bool((tk.linalg.matrix_norm(layer.weight.detach(), 2) - 1).abs() < 0.2)
    True
    """
    weight = getattr(module, name, None)
    if weight is None:
        raise ArgumentError(f"{type(module).__name__} has no parameter {name!r} to divide by its norm")
    dim = output_dim(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
