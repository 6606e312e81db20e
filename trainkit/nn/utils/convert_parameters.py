"""All parameters of a network as one vector, and back."""

from collections.abc import Iterable
from typing import Any

from trainkit.autograd import TensorBase, no_grad
from trainkit.autograd.functions.join import cat
from trainkit.errors import ArgumentError, ShapeError

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    """Return all parameters one behind the other as one vector, with their history.

    Raises:
        ArgumentError: there are none.

    >>> import trainkit as tk
    >>> parameters_to_vector([tk.ones(2, 1), tk.zeros(1)])
    tensor([1., 1., 0.])
    """
    listed = list(parameters)
    if not listed:
        raise ArgumentError("parameters_to_vector got no parameters; is the module empty, or an iterator used up?")
    return cat([parameter.reshape(-1) for parameter in listed])


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Copy a vector, as `parameters_to_vector` returns one, into the parameters.

    PyTorch makes the parameters views of the vector; here they keep their own memory.

    Raises:
        ShapeError: the vector has not as many elements as the parameters.
        TypeError: it is no tensor.

    >>> import trainkit as tk
    >>> a, b = tk.zeros(2, 1), tk.zeros(1)
    >>> vector_to_parameters(tk.tensor([1.0, 2.0, 3.0]), [a, b])
    >>> b
    tensor([3.])
    """
    if not isinstance(vec, TensorBase):
        raise TypeError(f"vector_to_parameters takes a tensor, got a {type(vec).__name__}")
    listed = list(parameters)
    sizes = [parameter.numel() for parameter in listed]
    if vec.array.shape != (sum(sizes),):
        raise ShapeError(f"the parameters have {sum(sizes)} elements, got a vector of shape {vec.array.shape}")
    begin = 0
    with no_grad():
        for parameter, size in zip(listed, sizes, strict=True):
            parameter.copy_(vec[begin : begin + size].reshape(parameter.shape))  # type: ignore[index]
            begin += size
