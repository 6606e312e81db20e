"""The norm of all gradients of a network, and how they are kept from growing."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from trainkit.autograd import TensorBase, no_grad, tensor
from trainkit.autograd.functions.join import stack
from trainkit.autograd.linalg import vector_norm
from trainkit.errors import GradientError

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]


@no_grad()
def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Any:
    """Return the norm of all tensors as if they were one vector, a tensor of one number.

    Args:
        tensors: one, or an iterable.
        norm_type: the order of the norm, which may be infinite.
        error_if_nonfinite: raise if the norm is NaN or infinite.
        foreach: changes nothing; taken for PyTorch's sake.

    Raises:
        GradientError: the norm is not finite, and `error_if_nonfinite` is set.
    """
    order = float(norm_type)
    norms = [vector_norm(each, order) for each in _listed(tensors)]
    if not norms:
        return tensor(0.0)
    total = vector_norm(stack(norms), order)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise GradientError(
            f"the norm of order {norm_type} of the gradients is {total.item()}, so they cannot be clipped; "
            "error_if_nonfinite=False scales them all the same"
        )
    return total


@no_grad()
def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Any, foreach: bool | None = None) -> None:
    """Scale the gradients of the parameters, whose norm is known, so that it becomes at most `max_norm`.

    Args:
        parameters: one, or an iterable; those without gradient are passed over.
        max_norm: the largest norm.
        total_norm: what `get_total_norm` returned for the gradients.
        foreach: changes nothing; taken for PyTorch's sake.
    """
    # no branch on the factor: a norm that is NaN makes every gradient NaN, which does not go unseen
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    with np.errstate(invalid="ignore"):  # an infinite gradient times 0
        for gradient in _gradients(parameters):
            gradient.mul_(factor)


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """Scale the gradients in place so that their norm, taken over all of them, is at most `max_norm`; return the norm.

    Source: Pascanu et al., 2013, https://proceedings.mlr.press/v28/pascanu13.html.

    Args:
        parameters: one, or an iterable; those without gradient are passed over.
        max_norm: the largest norm.
        norm_type: the order of the norm, which may be infinite.
        error_if_nonfinite: raise if the norm is NaN or infinite.
        foreach: changes nothing; taken for PyTorch's sake.

    Raises:
        GradientError: the norm is not finite, and `error_if_nonfinite` is set; nothing was changed.

    >>> import trainkit as tk
    >>> w = tk.zeros(2, requires_grad=True)
    >>> w.grad = tk.tensor([3.0, 4.0])
    >>> clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    listed = _listed(parameters)
    if not listed and isinstance(parameters, Iterator):
        warnings.warn("clip_grad_norm_ got an iterator that is used up; nothing is clipped", stacklevel=2)
    total = get_total_norm(_gradients(listed), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(listed, max_norm, total)
    return total


@no_grad()
def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of the gradients into [-clip_value, clip_value], in place.

    Args:
        parameters: one, or an iterable; those without gradient are passed over.
        clip_value: the bound.
        foreach: changes nothing; taken for PyTorch's sake.

    >>> import trainkit as tk
    >>> w = tk.zeros(2, requires_grad=True)
    >>> w.grad = tk.tensor([3.0, -0.5])
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1.0000, -0.5000])
    """
    bound = float(clip_value)
    for gradient in _gradients(parameters):
        gradient.clamp_(-bound, bound)


def _listed(tensors: Any) -> list[Any]:
    return [tensors] if isinstance(tensors, TensorBase) else list(tensors)


def _gradients(parameters: Any) -> list[Any]:
    return [parameter.grad for parameter in _listed(parameters) if parameter.grad is not None]
