"""Products with a weight."""

import numpy as np

from trainkit.autograd import Tensor
from trainkit.autograd.ops import linalg as _linalg
from trainkit.autograd.ops.activation import relu as _relu
from trainkit.errors import ShapeError
from trainkit.nn.functional.checks import same_dtype

__all__ = ["bilinear", "linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Map the last dimension: input (*, in), weight (out, in), bias (out,) to (*, out).

    A weight (in,) and a bias () give (*).

    Raises:
        ShapeError: the last size of `input` is not `in`, or the weight or the bias has another shape.
        DTypeError: the input has not the dtype of the weight.
    """
    return mapped(input, weight, bias)


def mapped(input: Tensor, weight: Tensor, bias: Tensor | None, relu: bool = False) -> Tensor:
    """Compute `linear`, and replace what is negative by 0 if asked to."""
    sizes, shape = weight.array.shape, input.array.shape
    if len(sizes) not in (1, 2):
        raise ShapeError(f"linear needs a weight of shape (out, in) or (in,), got {weight.shape}")
    features = sizes[-1]
    if not shape or shape[-1] != features:
        flat = int(np.prod(input.shape[1:])) == features and input.ndim > 2
        raise ShapeError(
            f"Linear expected input of shape (*, {features}), got {input.shape}"
            + ("; flatten it first (nn.Flatten())" if flat else f"; its last size must be in_features={features}")
        )
    if input.array.dtype is not weight.array.dtype:
        same_dtype("Linear", input, weight)
    if bias is not None and bias.array.shape != sizes[:-1]:
        raise ShapeError(f"linear needs a bias of shape {sizes[:-1]}, got {bias.shape}")
    if len(sizes) == 1:
        out = (input * weight).sum(-1)
        out = out if bias is None else out + bias
        return _relu(out) if relu else out
    return _linalg.linear_relu(input, weight, bias) if relu else _linalg.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1 W x2 + b for each output: (*, in1), (*, in2), weight (out, in1, in2) and bias (out,) to (*, out).

    Raises:
        ShapeError: the shapes do not fit.
        DTypeError: an input has not the dtype of the weight.

    >>> import trainkit as tk
    >>> bilinear(tk.ones(2), tk.ones(3), tk.ones(1, 2, 3))
    tensor([6.])
    """
    if weight.ndim != 3:
        raise ShapeError(f"bilinear needs a weight of shape (out, in1, in2), got {weight.shape}")
    outputs, *features = weight.shape
    if [*input1.shape[-1:], *input2.shape[-1:]] != features or input1.shape[:-1] != input2.shape[:-1]:
        raise ShapeError(
            f"bilinear expected inputs of shapes (*, {features[0]}) and (*, {features[1]}), alike but for their last "
            f"size, got {input1.shape} and {input2.shape}"
        )
    if bias is not None and bias.shape != (outputs,):
        raise ShapeError(f"bilinear needs a bias of shape ({outputs},), got {bias.shape}")
    for x in (input1, input2):
        same_dtype("bilinear", x, weight)
    # input1 meets the weight in one product of matrices, the result meets input2 row by row
    half = input1 @ weight.permute(1, 0, 2).reshape(features[0], outputs * features[1])
    out = (half.reshape(*input1.shape[:-1], outputs, features[1]) * input2.unsqueeze(-2)).sum(-1)
    return out if bias is None else out + bias
