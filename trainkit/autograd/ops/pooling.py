"""Max pooling: it picks elements, its gradient puts them back, and each is the other's derivative."""

from typing import Any

from trainkit import kernels
from trainkit.autograd.op import op
from trainkit.kernels.pooling import Window

__all__ = ["add_places", "max_pool", "max_pool_gather", "max_pool_grad", "take_places"]


@op
def max_pool(ctx: Any, x: Any, window: Window, places: bool = False) -> Any:
    """Take the largest element of each window of the last dimensions; the first one if several are.

    With `places`, also where each lies, counted flatly in those dimensions.
    """
    if not places and not ctx.needs(0):
        return kernels.max_pool_values(x, window)
    out, index = kernels.max_pool(x, window)
    ctx.save(index, x.shape, window)
    return (out, kernels.max_pool_places(index, x.shape, window)) if places else out


@max_pool.backward
def _(ctx: Any, grad: Any) -> Any:
    return max_pool_grad(grad, *ctx.saved)


@op
def max_pool_grad(ctx: Any, grad: Any, index: Any, x_shape: tuple[int, ...], window: Window) -> Any:
    """Add each element of `grad` where its window's largest element stood."""
    ctx.save(index, x_shape, window)
    return kernels.max_pool_grad(grad, index, x_shape, window)


@max_pool_grad.backward
def _(ctx: Any, grad: Any) -> Any:
    return max_pool_gather(grad, *ctx.saved)


@op
def max_pool_gather(ctx: Any, x: Any, index: Any, x_shape: tuple[int, ...], window: Window) -> Any:
    """Pick from each window the element that stands where `index` says."""
    ctx.save(index, x_shape, window)
    return kernels.max_pool_gather(x, index, window)


@max_pool_gather.backward
def _(ctx: Any, grad: Any) -> Any:
    return max_pool_grad(grad, *ctx.saved)


@op
def take_places(ctx: Any, x: Any, places: Any, dims: int) -> Any:
    """Pick elements by where they lie in the last dimensions, so many, counted flatly."""
    ctx.save(places, x.shape, dims)
    return kernels.take_places(x, places, dims)


@take_places.backward
def _(ctx: Any, grad: Any) -> Any:
    return add_places(grad, *ctx.saved)


@op
def add_places(ctx: Any, values: Any, places: Any, shape: tuple[int, ...], dims: int) -> Any:
    """Add `values` into zeros of `shape` where `take_places` would have picked them."""
    ctx.save(places, dims)
    return kernels.add_places(values, places, shape, dims)


@add_places.backward
def _(ctx: Any, grad: Any) -> Any:
    return take_places(grad, *ctx.saved)
