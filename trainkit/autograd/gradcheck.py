"""Gradients against differences: what a backward rule claims, measured."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trainkit.autograd.backward import grad
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.modes import enable_grad
from trainkit.autograd.op import wrap
from trainkit.errors import DTypeError, GradientError

__all__ = ["gradcheck", "gradgradcheck"]


def gradcheck(
    function: Callable[..., Any],
    inputs: Sequence[Any] | TensorBase,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compare the gradients of `function` with central differences, in float64.

    Every element of the output counts with a random weight, so that no error cancels another.

    Args:
        function: makes a tensor, or a tuple of them, of the inputs.
        inputs: those that require grad are checked; they must be float64.
        eps: the step of the differences.
        atol: what the two may differ by, absolutely.
        rtol: and relatively to the difference quotient.
        raise_exception: raise where they differ, rather than return False.

    Raises:
        DTypeError: a checked input is not float64.
        GradientError: a gradient is wrong; the message says where and by how much.

    >>> import trainkit as tk
    >>> gradcheck(lambda x: x.exp().sum(), tk.tensor([0.5, 1.0], dtype=tk.float64, requires_grad=True))
    True
    """
    args = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    checked = [arg for arg in args if isinstance(arg, TensorBase) and arg.needs_grad]
    if not checked:
        raise GradientError("gradcheck has nothing to check: no input requires grad")
    for arg in checked:
        if arg.array.dtype != np.float64:
            raise DTypeError(f"gradcheck needs float64 inputs, got {arg.array.dtype}: differences drown in rounding")
    generator = np.random.default_rng(0)
    with enable_grad():
        outputs = _differentiable(function(*args))
        if not outputs:
            raise GradientError("gradcheck has nothing to check: no result of the function requires grad")
        weights = [wrap(generator.uniform(0.5, 1.5, output.array.shape)) for output in outputs]
        analytic = grad(outputs, checked, weights, allow_unused=True)

    for position, arg in enumerate(checked):
        claimed = analytic[position].array if analytic[position] is not None else np.zeros(arg.array.shape)
        measured = np.empty(arg.array.shape)
        for index in np.ndindex(arg.array.shape):
            measured[index] = _difference(function, args, arg, index, weights, eps)
        if claimed.shape != measured.shape or not np.allclose(claimed, measured, rtol, atol, equal_nan=True):
            if not raise_exception:
                return False
            raise GradientError(
                f"the gradient of input {position} (shape {arg.array.shape}) is wrong: the rule says\n{claimed}\n"
                f"differences say\n{measured}"
            )
    return True


def _differentiable(outputs: Any) -> list[Any]:
    """Return those of the results through which gradients flow."""
    given = [outputs] if isinstance(outputs, TensorBase) else list(outputs)
    return [output for output in given if isinstance(output, TensorBase) and output.needs_grad]


def _difference(
    function: Callable[..., Any], args: list[Any], arg: TensorBase, index: Any, weights: Any, eps: float
) -> float:
    """Return the central difference quotient of the weighed output along one element of one argument."""
    array = arg.array
    sums = []
    for step in (eps, -eps):
        arg.array = array.copy()
        arg.array[index] += step
        try:
            outputs = _differentiable(function(*args))
            sums.append(sum(float((o.array * w.array).sum()) for o, w in zip(outputs, weights, strict=True)))
        finally:
            arg.array = array
    return (sums[0] - sums[1]) / (2 * eps)


def gradgradcheck(function: Callable[..., Any], inputs: Sequence[Any] | TensorBase, **options: Any) -> bool:
    """Compare second derivatives of `function` with differences of its first; options as for `gradcheck`."""
    args = [inputs] if isinstance(inputs, TensorBase) else list(inputs)
    positions = [i for i, arg in enumerate(args) if isinstance(arg, TensorBase) and arg.needs_grad]
    generator = np.random.default_rng(1)
    outers = [wrap(generator.uniform(0.5, 1.5, o.array.shape)) for o in _differentiable(function(*args))]
    for outer in outers:
        outer.needs_grad = True
    mixes: list[Any] = [generator.uniform(0.5, 1.5, args[i].array.shape) for i in positions]

    def slopes(*values: Any) -> Any:
        plain, weights = values[: len(args)], values[len(args) :]
        outputs = _differentiable(function(*plain))
        gradients = grad(outputs, [plain[i] for i in positions], weights, create_graph=True, allow_unused=True)
        return [(g * wrap(mix)).sum() for g, mix in zip(gradients, mixes, strict=True) if g is not None]

    return gradcheck(slopes, [*args, *outers], **options)
