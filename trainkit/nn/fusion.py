"""Layers that are computed together, in fewer passes over memory than one by one: the same numbers.

A ReLU goes along with the layer before it, in the pass that writes that layer's result. So does a batch norm in
evaluation with the convolution before it, alone or with a ReLU behind it, where nothing is recorded.
"""

from collections.abc import Callable
from typing import Any

from trainkit.autograd import TensorBase, is_grad_enabled
from trainkit.nn.activation import ReLU
from trainkit.nn.module import Module

__all__ = ["WITH_NORM", "WITH_RELU", "is_plain", "pair_of", "together"]

WITH_RELU: dict[type, Callable[[Any, Any], Any]] = {}
"""Of layers, by their very class: `function(layer, input)`. A subclass may have another `forward`."""
WITH_NORM: dict[type, Any] = {}
"""Of convolutions, by their very class, the batch norm that goes along."""


def is_plain(module: Any) -> bool:
    """Tell whether a call of this module is a call of its class's `forward`, and nothing else."""
    return module._hooks is None and "forward" not in module.__dict__


class _Pair:
    """A convolution and the batch norm behind it: a layer that takes a ReLU along."""

    _hooks = None

    def __init__(self, layer: Any, norm: Any) -> None:
        self.layer, self.norm = layer, norm

    def __call__(self, input: Any, relu: bool = False) -> Any:
        return self.layer._filtered(input, relu, self.norm._given())

    def rectified(self, input: Any) -> Any:
        return self(input, True)


WITH_RELU[_Pair] = _Pair.rectified


def pair_of(layer: Any, norm: Any, input: Any) -> Any:
    """Return a convolution and the batch norm behind it as one layer, or None where they must be called one by one.

    What does not fit, they say themselves.
    """
    if type(norm) is not WITH_NORM.get(type(layer)) or norm.training or not (is_plain(layer) and is_plain(norm)):
        return None
    filters, mean, var = layer.weight, norm.running_mean, norm.running_var
    if mean is None or var is None or not isinstance(input, TensorBase) or input.array.ndim != layer.dims + 2:
        return None
    numbers = [x for x in (mean, var, norm.weight, norm.bias) if x is not None]
    tensors = [x for x in (input, filters, layer.bias, *numbers) if x is not None]
    dtype, shape = input.array.dtype, (norm.num_features,)
    if dtype.char == "e" or any(x.array.dtype != dtype for x in tensors):  # float16 is rounded between the two
        return None
    if filters.array.shape[:1] != shape or any(x.array.shape != shape for x in numbers):
        return None
    if is_grad_enabled() and any(x.requires_grad for x in tensors):
        return None
    return _Pair(layer, norm)


def together(input: Any, layer: Module, norm: Module, relu: Module | None = None) -> Any:
    """Pass `input` through the modules in turn, or through a convolution and a batch norm as one, a ReLU with them."""
    pair = pair_of(layer, norm, input)
    if pair is None:
        out = norm(layer(input))
    elif type(relu) is ReLU and is_plain(relu):
        return pair.rectified(input)
    else:
        out = pair(input)
    return out if relu is None else relu(out)
