"""The calls that need every kernel: each row is a family, in sizes for one thread and for several."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import trainkit.nn.functional as F
from trainkit import kernels, optim
from trainkit.autograd import Tensor, from_numpy, grad, no_grad, tensor
from trainkit.autograd.functions.choose import where
from trainkit.autograd.functions.scattering import masked_fill
from trainkit.kernels import get_num_threads, set_num_threads

__all__ = ["ROWS", "Row", "run_row"]

Row = Callable[[Any], None]
ROWS: dict[str, Row] = {}
"""Every row by its name: a function of the dtype."""


def run_row(name: str, dtype: str) -> None:
    """Run a row on all threads and on one, where other kernels may be chosen; the number of threads stays."""
    threads = get_num_threads()
    try:
        for count in (1 << 16, 1):  # more than there are means all
            set_num_threads(count)
            ROWS[name](np.dtype(dtype))
    finally:
        set_num_threads(threads)


FEW, MANY = 3_000, 70_000  # elements for one thread, and for several


def _row(function: Row) -> Row:
    """Enter a row under the name of its function."""
    ROWS[function.__name__[1:].replace("_", " ")] = function
    return function


def _numbers(real: Any, *shape: int) -> Tensor:
    """Return a leaf of small numbers that wants a gradient; the program's random numbers are left alone."""
    values = np.random.default_rng(0).random(shape)
    return tensor(values, dtype=real, requires_grad=True)


def _integers(below: int, *shape: int) -> Tensor:
    """Return whole numbers from 0 on."""
    return from_numpy(np.random.default_rng(0).integers(0, below, shape))


def _back(*results: Tensor) -> None:
    """Walk backward from results, with gradients that are arrays of their own."""
    for result in results:
        (result * result).sum().backward()


@_row
def _maps(real: Any) -> None:
    for size in (FEW, MANY):
        x = _numbers(real, size)
        _back(F.relu(x), F.leaky_relu(x, 0.1), F.dropout(x, 0.5))


@_row
def _activations(real: Any) -> None:
    for size in (FEW, MANY):
        x = _numbers(real, size)
        _back(F.silu(x), F.gelu(x), F.gelu(x, "tanh"), F.logsigmoid(x), x.sigmoid())


@_row
def _special_functions(real: Any) -> None:
    for size in (10, FEW):
        _back(_numbers(real, size).erf())


@_row
def _choices(real: Any) -> None:
    for size in (FEW, MANY):
        x, y = _numbers(real, size), _numbers(real, size)
        mask = x.detach() > 0.5
        _back(where(mask, x, y), masked_fill(x, mask, 0.0))


@_row
def _sums(real: Any) -> None:
    for shape in ((50, 60), (20, 30, 40), (300, 400), (3, 90_000), (90_000, 3), (20, 30, 200)):
        x = _numbers(real, *shape)
        _back(x.sum(), x.sum(0), x.sum(1), x.sum(-1), x.transpose(0, -1).sum(0))


@_row
def _scans(real: Any) -> None:
    _back(_numbers(real, 4, 50).cumprod(1))


@_row
def _matrix_products(real: Any) -> None:
    for m, k, n in ((20, 30, 40), (70, 80, 90), (200, 210, 220), (1, 900, 700), (1, 1000, 1100)):
        a, b, transposed = _numbers(real, m, k), _numbers(real, k, n), _numbers(real, n, k)
        _back(a @ b, a @ transposed.T, F.linear(a, transposed, _numbers(real, n)), F.linear(a, transposed))
    _back(_numbers(real, 8, 64, 65) @ _numbers(real, 8, 65, 66), _numbers(real, 20_000) @ _numbers(real, 20_000))


@_row
def _convolutions(real: Any) -> None:
    cases: Sequence[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = (
        ((2, 3, 12, 12), (10, 3, 3, 3), {"padding": 1}),
        ((2, 3, 12, 12), (16, 3, 5, 5), {}),
        ((2, 16, 6, 6), (40, 16, 3, 3), {"padding": 1}),
        ((2, 32, 9, 9), (128, 32, 3, 3), {"stride": 2}),
        ((2, 32, 4, 4), (64, 32, 1, 1), {}),
        ((2, 64, 32, 32), (64, 64, 3, 3), {"padding": 1}),
        ((2, 64, 32, 32), (64, 64, 3, 3), {"padding": 2, "dilation": 2}),
        ((2, 64, 32, 32), (64, 64, 3, 3), {"padding": 1, "stride": 2}),
        *(((images, 5, 12, 12), (filters, 5, 5, 5), {}) for filters in range(3, 9) for images in (2, 20)),
        *(
            ((2, 8, size, size), (8, 1, taps, taps), {"groups": 8, "padding": taps // 2, "stride": stride})
            for size in (8, 24, 70)
            for taps in (3, 5)
            for stride in (1, 2)
        ),
        ((2, 4, 14, 14), (6, 4, 3, 3), {"dilation": 2}),
    )
    for shape, weight, how in cases:
        _back(F.conv2d(_numbers(real, *shape), _numbers(real, *weight), _numbers(real, weight[0]), **how))
        _back(F.conv2d(_numbers(real, *shape), _numbers(real, *weight), **how))


@_row
def _batch_norm(real: Any) -> None:
    for shape in ((8, 6), (2000, 40), (2, 4, 6, 6), (8, 16, 20, 20)):
        x, weight, bias = _numbers(real, *shape), _numbers(real, shape[1]), _numbers(real, shape[1])
        mean, var = _numbers(real, shape[1]).detach(), _numbers(real, shape[1]).detach()
        for training in (True, False):
            _back(F.batch_norm(x, mean, var, weight, bias, training))
        plain, line = x.numpy(force=True), mean.numpy()
        kernels.batch_norm_factors(plain.dtype, line, line, None, None)
        kernels.batch_norm(plain, None, None, 1e-5, relu=True)
        kernels.batch_norm_apply(plain, line, line, None, None, relu=True)
        kernels.batch_norm_grad(plain, plain, line, line, None, relu=True)


@_row
def _row_norms(real: Any) -> None:
    for groups, K, L in ((3, 4, 5), (64, 16, 64)):
        x = _numbers(real, 2, groups * K, L)
        _back(F.layer_norm(x, (L,)), F.group_norm(x, groups), F.instance_norm(x))


@_row
def _pooling(real: Any) -> None:
    for shape in ((2, 3, 12, 12), (4, 8, 40, 40)):
        x = _numbers(real, *shape)
        _back(F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, 1), F.max_pool1d(x[0], 3), F.max_pool3d(x, 2))
        _back(F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(x, 5), F.adaptive_max_pool2d(x, 5))
        _back(F.interpolate(x, scale_factor=2), F.interpolate(x, scale_factor=2, mode="bilinear"))
        with no_grad():
            F.max_pool2d(x, 2)
            found, places = F.max_pool2d(x, 2, return_indices=True)
        _back(F.max_unpool2d(found.requires_grad_(), places, 2))
        (slope,) = grad(F.max_pool2d(x, 2).square().sum(), x, create_graph=True)
        _back(slope)
    wide = _numbers(real, 1, 2, 40, 40)
    _back(F.max_pool2d(wide, 17), F.max_pool2d(wide, 17, 1))


@_row
def _losses(real: Any) -> None:
    for rows in (20, 2000):
        logits, classes = _numbers(real, rows, 10), _integers(10, rows)
        _back(F.softmax(logits, 1), F.log_softmax(logits, 1))
        for smoothing in (0.0, 0.1):
            _back(F.cross_entropy(logits, classes, label_smoothing=smoothing))
        _back(F.cross_entropy(logits, classes, _numbers(real, 10).detach()))
        flat = _numbers(real, rows * 20)
        _back(F.binary_cross_entropy_with_logits(flat, flat.detach()))


@_row
def _tables(real: Any) -> None:
    for count in (10, 3000):
        table, index = _numbers(real, 50, 32), _integers(50, count)
        _back(F.embedding(index, table), table[index], table.gather(0, _integers(50, count, 32)))


@_row
def _optimizers(real: Any) -> None:
    makers: Sequence[Callable[[Any], optim.Optimizer]] = (
        lambda params: optim.SGD(params, 0.1, 0.9), optim.Adam, optim.NAdam, optim.RAdam, optim.Adamax, optim.RMSprop,
        optim.Adagrad, optim.Adadelta, optim.Lion,
    )  # fmt: skip
    for make in makers:
        for size in (FEW, MANY):
            param = _numbers(real, size)
            param.grad = _numbers(real, size).detach()
            make([param]).step()
