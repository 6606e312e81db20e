"""Derivatives of functions: Jacobians, Hessians and their products with vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from trainkit.autograd.backward import grad
from trainkit.autograd.functions.join import stack
from trainkit.autograd.functions.shape import reshape
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.modes import enable_grad
from trainkit.autograd.op import wrap
from trainkit.errors import ArgumentError, GradientError, ShapeError

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Function = Callable[..., Any]


def jacobian(func: Function, inputs: Any, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the derivatives of every output with respect to every input.

    Args:
        func: makes a tensor, or a tuple of them, of the inputs.
        inputs: a tensor, or a tuple of them.
        create_graph: record, so that the result can be differentiated.
        strict: raise where an output does not depend on an input, rather than give zeros.

    Returns:
        For one output and one input a tensor of shape (*output, *input); a tuple over the inputs, the outputs or both
        where these are tuples.

    >>> import trainkit as tk
    >>> tk.autograd.functional.jacobian(lambda x: x ** 2, tk.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        xs, one_input = _inputs(inputs, create_graph)
        outputs, one_output = _outputs(func(*xs), strict)
        rows = []
        for output in outputs:
            parts: list[list[Any]] = [[] for _ in xs]
            for place in range(output.array.size):
                pick = np.zeros(output.array.shape, output.array.dtype)
                pick.flat[place] = 1
                slopes = _slopes(output, xs, wrap(pick), create_graph, strict)
                for column, slope in zip(parts, slopes, strict=True):
                    column.append(slope)
            rows.append(tuple([_stacked(column, output, x) for column, x in zip(parts, xs, strict=True)]))
    result = [row[0] if one_input else row for row in rows]
    return result[0] if one_output else tuple(result)


def hessian(func: Function, inputs: Any, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the second derivatives of a function that makes one number: shape (*input, *input).

    >>> import trainkit as tk
    >>> tk.autograd.functional.hessian(lambda x: (x ** 3).sum(), tk.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def slopes(*xs: Any) -> Any:
        output = _one_number(func(*xs))
        # the Jacobian of this function is taken, so its gradients are always recorded
        found = _slopes(output, xs, None, True, strict)
        return found[0] if isinstance(inputs, TensorBase) else found

    return jacobian(slopes, inputs, create_graph, strict)


def vjp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the outputs of `func` and the product of `v` with its Jacobian: what a walk backward gives.

    Args:
        func: makes a tensor, or a tuple of them, of the inputs.
        inputs: a tensor, or a tuple of them.
        v: of the outputs' shapes; may be left out for an output of one element.
        create_graph: record, so that the result can be differentiated.
        strict: raise where an output does not depend on an input, rather than give zeros.
    """
    with enable_grad():
        xs, one_input = _inputs(inputs, create_graph)
        outputs, one_output = _outputs(func(*xs), strict)
        vs = _vectors(v, outputs)
        found = _slopes(outputs, xs, vs, create_graph, strict)
    values = outputs if create_graph else [output.detach() for output in outputs]
    return (values[0] if one_output else tuple(values)), (found[0] if one_input else tuple(found))


def jvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the outputs of `func` and the product of its Jacobian with `v`, by walking backward twice.

    Args: as for `vjp`; `v` has the inputs' shapes.
    """
    with enable_grad():
        xs, _ = _inputs(inputs, create_graph)
        outputs, one_output = _outputs(func(*xs), strict)
        vs = _vectors(v, xs)
        # The product of u with the Jacobian is linear in u: its derivative by u, along v, is the Jacobian times v.
        us = [wrap(np.zeros(output.array.shape, output.array.dtype)).requires_grad_() for output in outputs]
        products = _slopes(outputs, xs, us, True, strict)
        found = _slopes(products, us, vs, create_graph, False)
    values = outputs if create_graph else [output.detach() for output in outputs]
    return (values[0], found[0]) if one_output else (tuple(values), tuple(found))


def vhp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the output of `func`, one number, and the product of `v` with its Hessian."""
    with enable_grad():
        xs, one_input = _inputs(inputs, create_graph)
        output = _one_number(func(*xs))
        vs = _vectors(v, xs)
        slopes = _slopes(output, xs, None, True, strict)
        found = _slopes(slopes, xs, vs, create_graph, strict)
    return (output if create_graph else output.detach()), (found[0] if one_input else tuple(found))


def hvp(func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the output of `func` and the product of its Hessian with `v`; the Hessian is symmetric, so it is `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


def _inputs(inputs: Any, create_graph: bool) -> tuple[list[Any], bool]:
    """Return the inputs as a list of tensors that require grad, and whether it was one tensor."""
    one = isinstance(inputs, TensorBase)
    given = [inputs] if one else list(inputs)
    for x in given:
        if not isinstance(x, TensorBase):
            raise ArgumentError(f"inputs must be a tensor or a tuple of tensors, got {type(x).__name__} among them")
    if create_graph:  # part of the caller's graph
        return [reshape(x, x.array.shape) if x.needs_grad else x.detach().requires_grad_() for x in given], one
    return [x.detach().requires_grad_() for x in given], one


def _outputs(outputs: Any, strict: bool) -> tuple[list[Any], bool]:
    one = isinstance(outputs, TensorBase)
    given = [outputs] if one else list(outputs)
    for position, output in enumerate(given):
        if not isinstance(output, TensorBase):
            raise ArgumentError(f"func must return a tensor or a tuple of tensors, got {type(output).__name__}")
        if strict and not output.needs_grad:
            raise GradientError(f"output {position} does not depend on the inputs (strict=True)")
    return given, one


def _one_number(output: Any) -> Any:
    size = getattr(getattr(output, "array", None), "size", None)
    if size != 1:
        what = type(output).__name__ if size is None else f"shape {output.array.shape}"
        raise ShapeError(f"func must return one tensor of one element, got {what}")
    return reshape(output, ()) if output.array.ndim else output


def _vectors(v: Any, like: list[Any]) -> list[Any]:
    """Return the vectors of a product as a list, each of the shape of its tensor."""
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            raise ArgumentError("v may be left out only where it would have one element; pass it")
        return [wrap(np.ones(like[0].array.shape, like[0].array.dtype))]
    vs = [v] if isinstance(v, TensorBase) else list(v)
    if [x.array.shape for x in vs] != [x.array.shape for x in like]:
        raise ShapeError(f"v must have shapes {[x.array.shape for x in like]}, got {[x.array.shape for x in vs]}")
    return vs


def _slopes(outputs: Any, xs: Any, vs: Any, create_graph: bool, strict: bool) -> list[Any]:
    """Return gradients, zeros where there is no dependence."""
    roots = [outputs] if isinstance(outputs, TensorBase) else list(outputs)
    weights = [vs] * len(roots) if vs is None or isinstance(vs, TensorBase) else list(vs)
    pairs = [(root, weight) for root, weight in zip(roots, weights, strict=True) if root.needs_grad]
    found: tuple[Any, ...] = (None,) * len(xs)
    if pairs:
        used, given = zip(*pairs, strict=True)
        found = grad(used, xs, given, retain_graph=True, create_graph=create_graph, allow_unused=True)
    if strict and any(slope is None for slope in found):
        raise GradientError("an output does not depend on an input (strict=True)")
    return [wrap(np.zeros_like(x.array)) if slope is None else slope for slope, x in zip(found, xs, strict=True)]


def _stacked(slopes: list[Any], output: Any, x: Any) -> Any:
    shape = (*output.array.shape, *x.array.shape)
    return reshape(stack(slopes), shape) if slopes else wrap(np.zeros(shape, output.array.dtype))
