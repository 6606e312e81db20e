"""How near vectors are to each other."""

from trainkit.autograd import Tensor
from trainkit.autograd import functions as _functions
from trainkit.autograd.ops.reduce import check_floating as _check_floating
from trainkit.autograd.ops.shape import normalize_dim as _normalize_dim
from trainkit.autograd.ops.vector_norm import vector_norm as _vector_norm
from trainkit.nn.functional.reduction import at_least

__all__ = ["cosine_similarity", "pairwise_distance"]


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`, of two tensors that broadcast.

    Args:
        x1: vectors.
        x2: vectors.
        dim: along which they lie; it is gone from the result.
        eps: the least length that they are divided by.

    Raises:
        DTypeError: a tensor holds no floats.
        ShapeError: the shapes do not broadcast.

    >>> import trainkit as tk
    >>> cosine_similarity(tk.tensor([[1.0, 0.0]]), tk.tensor([[2.0, 2.0]]))
    tensor([0.7071])
    """
    _check_floating("cosine_similarity", x1)
    _check_floating("cosine_similarity", x2)
    x1, x2 = _functions.broadcast_tensors(x1, x2)
    at = _normalize_dim(dim, x1.ndim)
    dims = (at,) if x1.ndim else None
    units = [x / at_least(_vector_norm(x, 2.0, dims, True), eps) for x in (x1, x2)]
    product = units[0] * units[1]
    return product.sum(at) if x1.ndim else product


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of the difference of vectors along the last dimension, of two tensors that broadcast.

    Args:
        x1: vectors.
        x2: vectors.
        p: order of the norm.
        eps: added to each difference, so that no distance is 0.
        keepdim: keep the last dimension, with size 1.

    Raises:
        DTypeError: the difference is no float.
        ShapeError: the shapes do not broadcast.

    >>> import trainkit as tk
    >>> pairwise_distance(tk.tensor([[1.0, 0.0]]), tk.tensor([[4.0, 4.0]]))
    tensor([5.0000])
    """
    difference = x1 - x2 + eps
    _check_floating("pairwise_distance", difference)
    return _vector_norm(difference, float(p), (difference.ndim - 1,) if difference.ndim else None, keepdim)
