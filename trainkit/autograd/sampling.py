"""Random tensors, and tensors filled at random in place.

The streams of numbers are not PyTorch's: a seed gives the same tensors again, but not those of torch.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from trainkit.autograd import inplace
from trainkit.autograd.convert import default_or, finish, shape_from
from trainkit.autograd.dtypes import as_dtype, int64
from trainkit.autograd.graph import Array, TensorBase
from trainkit.autograd.likes import like
from trainkit.autograd.op import array_of
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.random import Generator, default_generator

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "bernoulli",
    "bernoulli_",
    "exponential_",
    "multinomial",
    "normal",
    "normal_",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "random_",
    "randperm",
    "uniform_",
]

_Shape = tuple[int, ...]
_DIGITS = {2: 11, 4: 24, 8: 53}
"""The bits of the significand by the bytes of a floating point dtype."""


def _numpy(generator: Generator | None) -> np.random.Generator:
    return (default_generator if generator is None else generator).numpy


def _uniform(shape: _Shape, dtype: np.dtype[Any], generator: Generator | None) -> Array:
    """Draw from [0, 1)."""
    _check_floating(dtype, "uniform numbers are")
    source = _numpy(generator)
    if dtype.itemsize == 2:  # a rounded float32 could be 1
        return (source.integers(0, 2**11, shape) / 2**11).astype(dtype)
    return np.asarray(source.random(shape, dtype.type), dtype)


def _normal(shape: _Shape, dtype: np.dtype[Any], generator: Generator | None) -> Array:
    """Draw from the normal distribution of mean 0 and variance 1."""
    _check_floating(dtype, "normal numbers are")
    drawn = _numpy(generator).standard_normal(shape, np.float64 if dtype.itemsize == 8 else np.float32)
    return np.asarray(drawn, dtype)


def _integers(low: Any, high: Any, shape: _Shape, dtype: np.dtype[Any], generator: Generator | None) -> Array:
    """Draw from [low, high)."""
    low, high = int(low), int(high)
    if low >= high:
        raise ArgumentError(f"integers are drawn from [low, high), which is empty for low={low}, high={high}")
    if dtype.kind != "f":
        least, most = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        if low < least or high - 1 > most:
            raise ArgumentError(f"[{low}, {high}) does not fit {dtype}, which holds {least} to {most}")
    return np.asarray(_numpy(generator).integers(low, high, shape)).astype(dtype)


def _check_floating(dtype: np.dtype[Any], what: str) -> None:
    if dtype.kind != "f":
        raise DTypeError(f"{what} floating point numbers, got {dtype}; choose a floating point dtype, or cast")


def _check_probabilities(p: Any) -> None:
    if not np.all((p >= 0) & (p <= 1)):
        raise ArgumentError(f"probabilities must be from 0 to 1, got {p if np.ndim(p) == 0 else 'some outside'}")


def _check_std(std: Any) -> None:
    if np.any(np.less(std, 0)):
        raise ArgumentError(f"a standard deviation must not be negative, got {np.min(std)}")


def rand(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> "Tensor":
    """Draw uniformly from [0, 1)."""
    return finish(_uniform(shape_from(sizes, size), default_or(dtype), generator), device, requires_grad)


def randn(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> "Tensor":
    """Draw from the normal distribution of mean 0 and variance 1."""
    return finish(_normal(shape_from(sizes, size), default_or(dtype), generator), device, requires_grad)


def randint(
    low: Any = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> "Tensor":
    """Draw integers from `low` up to but without `high`; `randint(high, size)` draws from 0.

    Raises:
        ArgumentError: the range is empty or does not fit the dtype.
    """
    if high is None or isinstance(high, (tuple, list)):
        low, high, size = 0, low, size if high is None else high
    if size is None:
        raise ArgumentError("randint needs a size: randint(high, (2, 3)) or randint(low, high, (2, 3))")
    chosen = int64 if dtype is None else as_dtype(dtype)
    return finish(_integers(low, high, shape_from((), size), chosen, generator), device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = int64,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> "Tensor":
    """Draw an order of the integers from 0 to n - 1."""
    (count,) = shape_from((n,))
    chosen = as_dtype(dtype)
    if count and chosen.kind != "f" and count - 1 > (1 if chosen.kind == "b" else np.iinfo(chosen).max):
        raise ArgumentError(f"{count - 1} does not fit {chosen}; choose a wider dtype")
    return finish(_numpy(generator).permutation(count).astype(chosen), device, requires_grad)


def rand_like(
    input: TensorBase,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Draw uniformly from [0, 1) in the shape and dtype of `input`."""
    array, dtype = like(input, dtype)
    return finish(_uniform(array.shape, dtype, generator), device, requires_grad)


def randn_like(
    input: TensorBase,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Draw from the standard normal distribution in the shape and dtype of `input`."""
    array, dtype = like(input, dtype)
    return finish(_normal(array.shape, dtype, generator), device, requires_grad)


def randint_like(
    input: TensorBase,
    low: Any = 0,
    high: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> "Tensor":
    """Draw integers from [low, high) in the shape and dtype of `input`; `randint_like(x, high)` draws from 0."""
    array, dtype = like(input, dtype)
    low, high = (0, low) if high is None else (low, high)
    return finish(_integers(low, high, array.shape, dtype, generator), device, requires_grad)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> "Tensor":
    """Draw from normal distributions: one for each element of `mean` and `std`, or of numbers in the shape `size`.

    Differs from PyTorch: the result has no history; there it has one whose gradients are 0.

    Raises:
        ArgumentError: `std` is negative somewhere, or there is no size for two numbers.
        ShapeError: the shapes do not broadcast.
    """
    given = [x for x in (mean, std) if isinstance(x, TensorBase)]
    _check_std(array_of(std))
    if given:
        center, spread = array_of(mean), array_of(std)
        shape, chosen = _broadcast(center, spread), given[0].array.dtype
    elif size is None:
        raise ArgumentError("normal needs a size for a mean and a std that are numbers: normal(0.0, 1.0, (2, 3))")
    else:
        center, spread, shape, chosen = mean, std, shape_from((), size), default_or(dtype)
    values = _normal(shape, chosen, generator) * spread + center
    return finish(np.asarray(values, chosen), device, requires_grad)


def bernoulli(input: TensorBase, p: Any = None, *, generator: Generator | None = None) -> "Tensor":
    """Draw 1 with the probabilities in `input`, else 0; `bernoulli(x, p)` takes only the shape and dtype of `x`.

    Differs from PyTorch: the result has no history; there it has one whose gradients are 0.

    Raises:
        ArgumentError: a probability is not from 0 to 1.
    """
    array, dtype = like(input, None)
    if p is None:
        _check_floating(dtype, "probabilities are")
        p = array
    _check_probabilities(p)
    return finish((_numpy(generator).random(array.shape) < p).astype(dtype))


def multinomial(
    input: TensorBase, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> "Tensor":
    """Draw `num_samples` indices from each row of weights, which need not sum to 1.

    Args:
        input: weights, (categories) or (rows, categories).
        num_samples: how many indices for each row.
        replacement: draw an index more than once; without, in the order in which one after the other would be drawn.
        generator: the source of randomness; the default one if None.

    Source: without replacement, the smallest of exponential variables with the weights as rates; Efraimidis and
    Spirakis, 2006, https://doi.org/10.1016/j.ipl.2005.11.003.

    Raises:
        ArgumentError: weights are negative, not finite or all 0, or fewer of them are positive than samples wanted.
        ShapeError: `input` has another number of dimensions.

    >>> import trainkit as tk
    >>> multinomial(tk.tensor([0.0, 3.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    array, dtype = like(input, None)
    _check_floating(dtype, "weights are")
    if array.ndim not in (1, 2):
        raise ShapeError(f"multinomial needs weights of 1 or 2 dimensions, got shape {array.shape}")
    weights = np.atleast_2d(array).astype(np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights.sum(1) > 0).all()):
        raise ArgumentError("multinomial needs weights that are finite and not negative, some of each row positive")
    possible = num_samples if replacement else int((weights > 0).sum(1).min(initial=weights.shape[1]))
    if not 0 < num_samples <= possible:
        raise ArgumentError(
            f"multinomial cannot draw {num_samples} samples from {possible} positive weights without replacement; "
            "expected at least one, and no more than there are"
        )
    source = _numpy(generator)
    if replacement:
        bounds = np.cumsum(weights, 1)
        bounds /= bounds[:, -1:]
        places = source.random((len(weights), num_samples))
        drawn = [np.searchsorted(row, places_, side="right") for row, places_ in zip(bounds, places, strict=True)]
        picked = np.array(drawn, np.int64).reshape(len(weights), num_samples)
    else:
        with np.errstate(divide="ignore"):
            arrivals = source.standard_exponential(weights.shape) / weights
        picked = np.argsort(arrivals, 1)[:, :num_samples].astype(np.int64)
    return finish(picked[0] if array.ndim == 1 else picked)


def poisson(input: TensorBase, generator: Generator | None = None) -> "Tensor":
    """Draw from the Poisson distribution of each rate in `input`.

    Raises:
        ArgumentError: a rate is negative.
    """
    array, dtype = like(input, None)
    _check_floating(dtype, "rates are")
    if not (array >= 0).all():
        raise ArgumentError(f"rates must not be negative, got {array.min()}")
    return finish(np.asarray(_numpy(generator).poisson(array), dtype))


def _broadcast(a: Any, b: Any) -> _Shape:
    try:
        return np.broadcast_shapes(np.shape(a), np.shape(b))
    except ValueError:
        raise ShapeError(f"mean of shape {np.shape(a)} and std of shape {np.shape(b)} do not broadcast") from None


def _fill(tensor: TensorBase, values: Array) -> Any:
    inplace.set_item(tensor, ..., values)
    return tensor


def uniform_(self: TensorBase, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Any:
    """Fill with numbers drawn uniformly from [from_, to)."""
    if from_ > to:
        raise ArgumentError(f"uniform_ draws from [from_, to), got from_={from_} above to={to}")
    array = self.array
    return _fill(self, _uniform(array.shape, array.dtype, generator) * (to - from_) + from_)


def normal_(self: TensorBase, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Any:
    """Fill with numbers drawn from the normal distribution."""
    _check_std(std)
    return _fill(self, _normal(self.array.shape, self.array.dtype, generator) * std + mean)


def bernoulli_(self: TensorBase, p: Any = 0.5, *, generator: Generator | None = None) -> Any:
    """Fill with 1, each with probability `p`, a number or a tensor that broadcasts, and 0."""
    p = array_of(p)
    _check_probabilities(p)
    if _broadcast(self.array, p) != self.array.shape:
        raise ShapeError(f"probabilities of shape {p.shape} do not broadcast to {self.array.shape}")
    return _fill(self, (_numpy(generator).random(self.array.shape) < p).astype(self.array.dtype))


def exponential_(self: TensorBase, lambd: float = 1.0, *, generator: Generator | None = None) -> Any:
    """Fill with numbers drawn from the exponential distribution of rate `lambd`."""
    dtype = self.array.dtype
    _check_floating(dtype, "exponential numbers are")
    if lambd <= 0:
        raise ArgumentError(f"exponential_ needs a rate above 0, got lambd={lambd}")
    drawn = _numpy(generator).standard_exponential(self.array.shape, np.float64 if dtype.itemsize == 8 else np.float32)
    return _fill(self, np.asarray(drawn, dtype) / lambd)


def random_(self: TensorBase, *bounds: int, generator: Generator | None = None) -> Any:
    """Fill with integers: `random_()` of all that the dtype holds from 0 on, `random_(to)`, `random_(from, to)`."""
    dtype = self.array.dtype
    if not bounds:
        top = 2 ** _DIGITS[dtype.itemsize] if dtype.kind == "f" else 1 if dtype.kind == "b" else np.iinfo(dtype).max
        bounds = (int(top) + 1,)
    low, high = bounds if len(bounds) > 1 else (0, bounds[0])
    return _fill(self, _integers(low, high, self.array.shape, dtype, generator))
