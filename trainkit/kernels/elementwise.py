"""Maps over all elements that are not a numpy ufunc, or that numpy runs on one thread and in fresh memory only."""

from typing import Any

import numpy as np

from trainkit.kernels.jit import Array, exact_kernel, inner_kernel, kernel
from trainkit.kernels.memory import empty
from trainkit.kernels.norm import scale_runs
from trainkit.kernels.parallel import get_num_threads, parallel_kernel

__all__ = ["CHUNK", "combine", "dropout", "flat", "leaky", "over_chunks", "relu", "relu_grad", "shift"]

FEW = 1 << 12  # elements up to which numpy is quicker than the call of a kernel
ZERO = {"f": np.zeros((), "f"), "d": np.zeros((), "d")}  # an array: numpy is slow to make one of a number
CHUNK = 1 << 15  # elements a task; one chunk or less runs on the calling thread, where a launch would cost more

RELU, RELU_GRAD, LEAKY, ADD, SUB, MUL, ADD_NUMBER, MUL_NUMBER = range(8)
PAIRS = {"add": ADD, "sub": SUB, "mul": MUL}
UFUNCS = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
LONG = 32  # elements of a run that are worth a loop
LARGEST = 1e38  # of the numbers that a kernel takes: they fit each dtype


def relu(x: Array, into: Array | None = None) -> Array:
    """max(x, 0), of any shape; NaN stays NaN. `into`, contiguous, takes the result; it may be `x` itself."""
    if x.size <= FEW:
        return np.asarray(np.maximum(x, ZERO[x.dtype.char], out=into))
    return _mapped(RELU, x, x, 0.0, into)


def relu_grad(grad: Array, out: Array) -> Array:
    """The gradient of `relu`'s input: grad where its output `out` is not 0 or less, else 0."""
    return _mapped(RELU_GRAD, grad, out, 0.0)


def shift(x: Array, bias: Array, relu: bool) -> None:
    """Add bias (N,) to each row of x (M, N), contiguous, in place; with `relu` what is negative then becomes 0."""
    _shift(x, np.ascontiguousarray(bias), relu)


@exact_kernel
def _shift(x, bias, relu):
    zero = x.dtype.type(0)
    for row in range(x.shape[0]):
        line = x[row]
        if relu:
            for i in range(line.size):
                value = line[i] + bias[i]
                line[i] = zero if value <= zero else value
        else:
            for i in range(line.size):
                line[i] += bias[i]


def leaky(values: Array, x: Array, slope: float) -> Array:
    """`values` where x is positive, else times `slope`: leaky relu of x itself, its gradient of what came back."""
    return _mapped(LEAKY, values, x, slope)


def combine(name: str, x: Array, y: Any, into: Array | None = None) -> Array:
    """The sum, difference or product ("add", "sub", "mul") of an array and an array or number, as numpy's.

    Floats of one shape, or with a number, are the kernel's; all else numpy does. `into` takes the result.
    """
    ufunc = UFUNCS[name]
    if x.dtype.char in "fd" and x.flags.c_contiguous:
        number = type(y) is float or type(y) is int
        same = type(y) is np.ndarray and y.shape == x.shape and y.dtype == x.dtype and y.flags.c_contiguous
        if (same or number) and get_num_threads() == 1:
            out: Array = ufunc(x, y, out=empty(x.shape, x.dtype) if into is None else into)
            return out
        if same:
            return _mapped(PAIRS[name], x, y, 0.0, into)
        if number and -LARGEST < y < LARGEST:
            kind = MUL_NUMBER if name == "mul" else ADD_NUMBER
            return _mapped(kind, x, x, -y if name == "sub" else y, into)
        if name == "mul" and type(y) is np.ndarray and y.dtype == x.dtype and into is None and _is_columns(x, y):
            return scale_runs(x, y)
    return np.asarray(ufunc(x, y) if into is None else ufunc(x, y, out=into))


def _is_columns(x: Array, y: Array) -> bool:
    """Tell whether y has one number for each long run of x: channels of planes."""
    dims = y.ndim
    while dims and y.shape[dims - 1] == 1:
        dims -= 1
    return y.ndim == x.ndim and dims > 0 and y.shape[:dims] == x.shape[:dims] and x.size >= LONG * y.size > 0


def _mapped(kind: int, x: Array, y: Array, number: float, out: Array | None = None) -> Array:
    if out is None:
        out = empty(x.shape, x.dtype)
    over_chunks(_map, _map_all, x.size, kind, x.ravel(), y.ravel(), float(number), out.ravel())
    return out


def flat(x: Array) -> Array:
    """The elements of an array in their order, without a copy where they lie so."""
    return x.ravel()


def over_chunks(serial: Any, parallel: Any, size: int, *args: Any) -> None:
    """Run `parallel(chunks, CHUNK, *args)` over so many elements, or at once `serial(0, size, *args)`.

    Where an element's result does not depend on its neighbours, it does not on the cut either.
    """
    if size <= CHUNK or get_num_threads() == 1:
        serial(0, size, *args)
    else:
        parallel(-(-size // CHUNK), CHUNK, *args)


@exact_kernel
def _map(chunk, count, kind, x, y, number, out):
    first = chunk * count
    x, y, out = x[first : first + count], y[first : first + count], out[first : first + count]
    # LLVM vectorises a loop from 0, where no index can be negative
    zero, one, factor = x.dtype.type(0), x.dtype.type(1), x.dtype.type(number)
    if kind == RELU:
        for i in range(x.size):
            out[i] = zero if x[i] <= zero else x[i]
    elif kind == RELU_GRAD:
        for i in range(x.size):
            out[i] = zero if y[i] <= zero else x[i]
    elif kind == LEAKY:
        for i in range(x.size):
            out[i] = x[i] * (one if y[i] > zero else factor)  # vectorised is a choice of numbers, not one of products
    elif kind == ADD:
        for i in range(x.size):
            out[i] = x[i] + y[i]
    elif kind == SUB:
        for i in range(x.size):
            out[i] = x[i] - y[i]
    elif kind == MUL:
        for i in range(x.size):
            out[i] = x[i] * y[i]
    elif kind == ADD_NUMBER:
        for i in range(x.size):
            out[i] = x[i] + factor
    else:
        for i in range(x.size):
            out[i] = x[i] * factor


_map_all = parallel_kernel(_map)


def dropout(x: Array, probability: float, seed: int) -> Array:
    """Dropout of x, of any shape: elements zeroed with `probability`, the others scaled by 1 / (1 - it).

    Which elements go is a function of (seed, element index) alone: nothing is saved for backward, whose
    gradient is the same function of grad. The bits are SplitMix64's (Steele, Lea, Flood 2014), a counter
    instead of a state.
    """
    out = empty(x.shape, x.dtype)
    threshold = np.uint64(round(probability * 2**32))
    scale = x.dtype.type(1 / (1 - probability) if probability < 1 else 0)
    start = np.uint64(seed % 2**64)
    over_chunks(_dropout, _dropout_all, x.size, flat(x), threshold, scale, start, out.reshape(-1))
    return out


@kernel
def _dropout(chunk, count, x, threshold, scale, seed, out):
    key = _mixed(seed)  # neighbouring seeds must not give shifted copies of one mask
    first = chunk * count
    x, out = x[first : first + count], out[first : first + count]
    for i in range(x.size):
        bits = _mixed(key + np.uint64(first + i) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
        out[i] = x[i] * (scale if bits >= threshold else x.dtype.type(0))


_dropout_all = parallel_kernel(_dropout)


@inner_kernel
def _mixed(state):
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
