"""One row an op: how to call it, what numpy says, and what is checked of it.

`test_ops.py` runs every row; a test of the project's structure fails for an op without one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainkit import kernels
from trainkit.autograd.inplace import put, put_view
from trainkit.autograd.ops import (
    activation,
    arrange,
    broadcast,
    choose,
    conv,
    decompose,
    elementwise,
    index,
    join,
    layer_norm,
    linalg,
    loss,
    norm,
    pad,
    pooling,
    rank,
    reduce,
    resample,
    rounding,
    scan,
    scatter,
    shape,
    solve,
    strided,
    vector_norm,
)
from trainkit.kernels.pooling import Window
from trainkit.kernels.resample import Axis


@dataclass
class Row:
    """An op with arguments: arrays are given as shapes and drawn by the tests.

    Attributes:
        name: of the op.
        call: takes the drawn arrays (or tensors) and calls the op.
        shapes: of the drawn arguments.
        reference: what numpy says, on float64 arrays.
        low, high: the range of the drawn values, inside the op's domain.
        broadcasts: the arguments broadcast against each other.
        differentiable: gradcheck holds.
        twice: gradgradcheck holds too.
    """

    name: str
    call: Callable[..., Any]
    shapes: Sequence[tuple[int, ...]]
    reference: Callable[..., Any]
    low: float = -2.0
    high: float = 2.0
    broadcasts: bool = False
    differentiable: bool = True
    twice: bool = True
    note: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"{self.name}{'-' + self.note if self.note else ''}"


def unary(name: str, reference: Callable[..., Any], **options: Any) -> Row:
    return Row(name, getattr(elementwise, name), [(3, 4)], reference, **options)


def binary(name: str, reference: Callable[..., Any], **options: Any) -> Row:
    return Row(name, getattr(elementwise, name), [(3, 4), (3, 4)], reference, broadcasts=True, **options)


TARGET = np.array([2, 0, 3, 1, 1])
IGNORING, OF_CLASS = np.where(np.arange(5) == 2, -100, TARGET), np.array([0.5, 1.0, 2.0, 0.1])
WANTED = OF_CLASS * (0.7 * np.eye(4)[TARGET] + 0.3 / 4) * (np.arange(5) != 2)[:, None]
PICK = np.array([[0, 2, 1], [1, 1, 0]])
WINDOW = ((2, 2), (2, 2), (0, 0))
OVERLAP = ((3, 2), (2, 1), (1, 1))


def far(x: Any) -> Any:
    """Matrices far from singular, of any."""
    return x + np.eye(*x.shape[-2:], dtype=x.dtype) * np.arange(4, 4 + x.shape[-1], dtype=x.dtype)


def np_distances(x: Any, y: Any) -> Any:
    return ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1) ** 0.5


def np_softmax(x: Any, dim: int) -> Any:
    powers = np.exp(x - x.max(axis=dim, keepdims=True))
    return powers / powers.sum(axis=dim, keepdims=True)


def np_gelu(x: Any) -> Any:
    return x * np.vectorize(math.erfc)(-x / math.sqrt(2)) / 2


def np_gelu_tanh(x: Any) -> Any:
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def np_slope(function: Any, x: Any) -> Any:
    """The derivative by differences of eighth order."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return sum(w * (function(x + 0.02 * k) - function(x - 0.02 * k)) for k, w in weights.items()) / 0.02


def np_windows(x: Any, window: Any, fill: float = -np.inf) -> Any:
    """Return the windows of (N, C, H, W) as (N, C, H', W', kh * kw)."""
    (kh, kw), (sh, sw), (ph, pw) = window
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    return views.reshape(*views.shape[:4], kh * kw)


def np_conv(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any = (1, 1), groups: int = 1) -> Any:
    F, C, kh, kw = weight.shape
    spread = np.zeros((F, C, (kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1), weight.dtype)
    spread[:, :, :: dilation[0], :: dilation[1]] = weight
    windows = np_windows(x, (spread.shape[2:], stride, padding), 0.0)
    n, _, h, w, k = windows.shape
    out = np.einsum("ngchwk,gfck->ngfhw", windows.reshape(n, groups, C, h, w, k), spread.reshape(groups, -1, C, k))
    out = out.reshape(n, F, h, w)
    return out if bias is None else out + bias[:, None, None]


def np_conv_grad_input(grad: Any, weight: Any, x_shape: Any, *how: Any) -> Any:
    """The transpose of the convolution, by its action on every unit image."""
    units = np.eye(int(np.prod(x_shape[1:]))).reshape(-1, *x_shape[1:])
    images = np_conv(units, weight, None, *how)[:, :, : grad.shape[2], : grad.shape[3]]
    return np.einsum("nfhw,ufhw->nu", grad, images).reshape(x_shape)


def np_conv_grad_weight(grad: Any, x: Any, weight_shape: Any, *how: Any) -> Any:
    """The transpose too, by its action on every unit filter."""
    units = np.eye(int(np.prod(weight_shape))).reshape(-1, *weight_shape)
    return np.array([(np_conv(x, unit, None, *how) * grad).sum() for unit in units]).reshape(weight_shape)


def np_batch_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    normal = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(x.var((0, 2, 3), keepdims=True) + eps)
    return normal * weight[:, None, None] + bias[:, None, None]


def np_group_norm(x: Any, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    """Of (3, 4, 5) in two groups."""
    parts = x.reshape(6, 10)
    normal = (parts - parts.mean(1, keepdims=True)) / np.sqrt(parts.var(1, keepdims=True) + eps)
    return normal.reshape(3, 4, 5) * weight[:, None] + bias[:, None]


def windows_of(window: Any) -> Window:
    """The same with a dilation and the number of windows."""
    count = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(POOLED.shape[2:], *window, strict=True)]
    return Window(*window, (1, 1), tuple(count))


POOLED = np.random.default_rng(3).permutation(2 * 2 * 6 * 5).reshape(2, 2, 6, 5) / 7.0
INDEX = {window: kernels.max_pool(POOLED, windows_of(window))[1] for window in (WINDOW, OVERLAP)}
PLACES = np.array([[0, 3, 3, 11, 5], [7, 7, 7, 2, 0]])
AXES = (
    Axis(4, [[0, 1, 4], [2, 4, 3]], np.array([[0.5, 2.0, 0.0], [1.5, 0.0, -1.0]])),
    Axis(3, [[0, 1], [1, 2]], divisors=np.array([2.0, 5.0])),
)
"""Sums of two rows or one, then of two columns, divided."""


def np_axis(axis: Axis) -> Any:
    """What an axis does, as a matrix."""
    matrix = np.zeros((axis.out, axis.size + 1))
    for tap, column in np.ndindex(axis.places.shape):
        matrix[column, axis.places[tap, column]] += axis.weights[tap, column]
    return matrix[:, :-1] / (1.0 if axis.divisors is None else axis.divisors[:, None])


def np_pool_gather(x: Any, window: Any) -> Any:
    at = np_windows(POOLED, window).argmax(-1)
    return np.take_along_axis(np_windows(x, window), at[..., None], -1)[..., 0]


def np_pool_grad(grad: Any, window: Any) -> Any:
    units = np.eye(POOLED[0].size).reshape(-1, *POOLED.shape[1:])
    out = np.zeros(POOLED.shape)
    for n in range(len(POOLED)):
        at = np_windows(POOLED[n : n + 1], window).argmax(-1)
        picked = np.take_along_axis(
            np_windows(units, window, 0.0), np.broadcast_to(at, (len(units), *at.shape[1:]))[..., None], -1
        )
        out[n] = np.einsum("uchw,chw->u", picked[..., 0], grad[n]).reshape(POOLED.shape[1:])
    return out


def pool_rows(window: Any, note: str) -> list[Row]:
    out, wide = INDEX[window].shape, windows_of(window)
    return [
        Row(
            "max_pool",
            lambda x: pooling.max_pool(x, wide),
            [(2, 2, 6, 5)],
            lambda x: np_windows(x, window).max(-1),
            note=note,
        ),
        Row(
            "max_pool_grad",
            lambda g: pooling.max_pool_grad(g, INDEX[window], POOLED.shape, wide),
            [out],
            lambda g: np_pool_grad(g, window),
            note=note,
        ),
        Row(
            "max_pool_gather",
            lambda x: pooling.max_pool_gather(x, INDEX[window], POOLED.shape, wide),
            [POOLED.shape],
            lambda x: np_pool_gather(x, window),
            note=note,
        ),
    ]


def conv_rows(
    stride: Any, padding: Any, kernel: Any, note: str, dilation: Any = (1, 1), groups: int = 1, filters: int = 5
) -> list[Row]:
    x, weight, how = (2, 3, 7, 6), (filters, 3 // groups, *kernel), (stride, padding, dilation, groups)
    out = np_conv(np.zeros(x), np.zeros(weight), None, *how).shape
    return [
        Row(
            "conv2d",
            lambda x, w, b: conv.conv2d(x, w, b, *how),
            [x, weight, (filters,)],
            lambda x, w, b: np_conv(x, w, b, *how),
            note=note,
        ),
        Row(
            "conv2d_relu",
            lambda x, w, b: conv.conv2d_relu(x, w, b, *how),
            [x, weight, (filters,)],
            lambda x, w, b: np.maximum(np_conv(x, w, b, *how), 0),
            note=note,
        ),
        Row(
            "conv2d_scale_shift",
            lambda x, w, b, m, v, s: conv.conv2d_scale_shift(x, w, b, m, abs(v), s, None, True, *how),
            [x, weight, *[(filters,)] * 4],
            lambda x, w, b, m, v, s: np.maximum(
                (np_conv(x, w, b, *how) - m[:, None, None]) * (abs(v) * s)[:, None, None], 0
            ),
            differentiable=False,
            note=note,
        ),
        Row(
            "conv2d_grad_input",
            lambda g, w: conv.conv2d_grad_input(g, w, x, *how),
            [out, weight],
            lambda g, w: np_conv_grad_input(g, w, x, *how),
            note=note,
        ),
        Row(
            "conv2d_grad_weight",
            lambda g, v: conv.conv2d_grad_weight(g, v, weight, *how),
            [out, x],
            lambda g, v: np_conv_grad_weight(g, v, weight, *how),
            note=note,
        ),
    ]


def np_transposed(g: Any, w: Any) -> Any:
    """The transpose into an image that the convolution would make larger than `g`."""
    return np_conv_grad_input(g, w, (2, 3, 5, 6), (1, 1), (0, 0), (2, 2), 1)


ROWS = [
    binary("add", np.add),
    binary("sub", np.subtract),
    binary("mul", np.multiply),
    binary("div", np.divide, low=0.5),
    binary("pow", np.power, low=0.5),
    Row("pow", lambda x: elementwise.pow(x, 3), [(3, 4)], lambda x: x**3, note="cube"),
    Row("pow", lambda x: elementwise.pow(2.0, x), [(3, 4)], lambda x: 2.0**x, note="of-number"),
    binary("maximum", np.maximum),
    binary("minimum", np.minimum),
    *[
        binary(name, reference, differentiable=False)
        for name, reference in {
            "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
        }.items()
    ],
    *[
        Row(name, lambda x, y, f=getattr(elementwise, name): f(x > 0, y > 0), [(3, 4), (3, 4)], lambda x, y, f=reference: f(x > 0, y > 0), differentiable=False)
        for name, reference in {"bitwise_and": np.logical_and, "bitwise_or": np.logical_or}.items()
    ],
    Row("bitwise_not", lambda x: elementwise.bitwise_not(x > 0), [(3, 4)], lambda x: x <= 0, differentiable=False),
    unary("neg", np.negative),
    unary("abs", np.abs),
    unary("sign", np.sign),
    unary("exp", np.exp),
    unary("log", np.log, low=0.5),
    unary("sqrt", np.sqrt, low=0.5),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tanh", np.tanh),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    unary("relu", lambda x: np.maximum(x, 0)),
    Row("relu_grad", lambda g, x: elementwise.relu_grad(g, elementwise.relu(getattr(x, "array", x))), [(3, 4), (3, 4)], lambda g, x: g * (x > 0)),
    Row("dropout", lambda x: elementwise.dropout(x, 0.4, 11), [(3, 4)], lambda x: x * elementwise.dropout(np.ones_like(x), 0.4, 11)),
    Row("leaky_relu_grad", lambda g, x: activation.leaky_relu_grad(g, getattr(x, "array", x), 0.1), [(3, 4), (3, 4)], lambda g, x: g * np.where(x > 0, 1, 0.1)),
    Row("silu_grad", activation.silu_grad, [(3, 4), (3, 4)], lambda g, x: g * np_slope(lambda x: x / (1 + np.exp(-x)), x)),
    *[
        Row("gelu_grad", lambda g, x, t=tanh: activation.gelu_grad(g, x, t), [(3, 4), (3, 4)], lambda g, x, f=f: g * np_slope(f, x), note=f.__name__)
        for tanh, f in ((False, np_gelu), (True, np_gelu_tanh))
    ],
    Row("clamp", lambda x: elementwise.clamp(x, -0.5, 0.7), [(3, 4)], lambda x: np.clip(x, -0.5, 0.7)),
    Row("clamp", lambda x: elementwise.clamp(x, None, 0.7), [(3, 4)], lambda x: np.minimum(x, 0.7), note="max"),
    Row("where", lambda c, x, y: elementwise.where(c > 0, x, y), [(3, 4)] * 3, lambda c, x, y: np.where(c > 0, x, y), broadcasts=True),
    Row("masked", lambda x, c: choose.masked(x, c > 0), [(3, 4)] * 2, lambda x, c: np.where(c > 0, x, 0)),
    Row("div_floor", lambda x, y: rounding.div_floor(9 * x, y), [(3, 4)] * 2, lambda x, y: np.floor_divide(9 * x, y), low=0.5, broadcasts=True),
    Row("div_trunc", lambda x, y: rounding.div_trunc(9 * x, y), [(3, 4)] * 2, lambda x, y: np.trunc(9 * x / y), low=0.5, broadcasts=True),
    Row("broadcast_to", lambda x: broadcast.broadcast_to(x, (2, 3, 4)), [(3, 1)], lambda x: np.broadcast_to(x, (2, 3, 4))),
    Row("sum_to", lambda x: broadcast.sum_to(x, (3, 1)), [(2, 3, 4)], lambda x: x.sum((0, 2))[:, None]),
    Row("cast", lambda x: broadcast.cast(x, x.dtype), [(3, 4)], lambda x: x),
    Row("reshape", lambda x: shape.reshape(x, (6, -1)), [(3, 4)], lambda x: x.reshape(6, -1)),
    Row("permute", lambda x: shape.permute(x, (2, 0, -2)), [(2, 3, 4)], lambda x: x.transpose(2, 0, 1)),
    Row("view_dtype", lambda x: shape.view_dtype(x, x.dtype), [(3, 4)], lambda x: x, differentiable=False),
    Row("repeat", lambda x: shape.repeat(x, (2, 1, 3)), [(3, 4)], lambda x: np.tile(x, (2, 1, 3))),
    Row("interleave", lambda x: arrange.interleave(x, np.array([2, 0, 3]), 0), [(3, 4)], lambda x: np.repeat(x, [2, 0, 3], 0)),
    Row("interleave", lambda x: arrange.interleave(x, 2, 1), [(3, 4)], lambda x: np.repeat(x, 2, 1), note="number"),
    Row("interleave_sum", lambda v: arrange.interleave_sum(v, (4, 2), np.array([0, 2, 1, 0]), 0), [(3, 2)], lambda v: np.stack([0 * v[0], v[0] + v[1], v[2], 0 * v[0]])),
    Row("interleave_sum", lambda v: arrange.interleave_sum(v, (3, 2), 2, 1), [(3, 4)], lambda v: v[:, ::2] + v[:, 1::2], note="number"),
    Row("diagonal_put", lambda v: strided.diagonal_put(v, (3, 2, 4), 1, 0, 2), [(2, 3)], lambda v: np.einsum("ab,bcd->cad", v, np.eye(4)[1:, :, None].swapaxes(1, 2) * np.eye(3)[:, :, None])),
    Row("unfold", lambda x: strided.unfold(x, 0, 3, 2), [(5, 2)], lambda x: np.stack([x[:3].T, x[2:].T])),
    Row("unfold_sum", lambda v: strided.unfold_sum(v, (5, 2), 0, 3, 2), [(2, 2, 3)], lambda v: np.concatenate([v[0].T[:2], (v[0].T[2] + v[1].T[0])[None], v[1].T[1:]])),
    Row("unfold_sum", lambda v: strided.unfold_sum(v, (5,), 0, 2, 1), [(4, 2)], lambda v: np.append(v[:, 0], 0) + np.append(0, v[:, 1]), note="many"),
    Row("pad_constant", lambda x: pad.pad_constant(x, ((1, 0), (0, 2)), 3.0), [(3, 4)], lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3)),
    Row("pad_edges", lambda x: pad.pad_edges(x, ((1, 0), (2, 3)), "reflect"), [(3, 4)], lambda x: np.pad(x, ((1, 0), (2, 3)), "reflect")),
    Row("pad_edges_sum", lambda v: pad.pad_edges_sum(v, (4,), ((1, 2),), "reflect"), [(7,)], lambda v: v[1:5] + np.array([0, v[0] + v[6], v[5], 0])),
    Row("pad_edges_sum", lambda v: pad.pad_edges_sum(v, (4,), ((1, 2),), "replicate"), [(7,)], lambda v: v[1:5] + np.array([v[0], 0, 0, v[5] + v[6]]), note="replicate"),
    Row("pad_edges_sum", lambda v: pad.pad_edges_sum(v, (4,), ((1, 2),), "circular"), [(7,)], lambda v: v[1:5] + np.array([v[5], v[6], 0, v[0]]), note="circular"),
    Row("clone", shape.clone, [(3, 4)], np.copy),
    Row("cat", lambda x, y: join.cat(1, x, y), [(3, 4), (3, 2)], lambda x, y: np.concatenate([x, y], 1)),
    Row("getitem", lambda x: index.getitem(x, (slice(None, None, 2), None, 1)), [(3, 4)], lambda x: x[::2, None, 1]),
    Row("getitem", lambda x: index.getitem(x, np.array([2, 0, 2])), [(3, 4)], lambda x: x[[2, 0, 2]], note="twice"),
    Row("index_put", lambda v: index.index_put(v, (4, 3), np.array([2, 0, 2])), [(3, 3)], lambda v: np.stack([v[1], 0 * v[0], v[0] + v[2], 0 * v[0]])),
    Row("gather", lambda x: index.gather(x, 1, PICK), [(2, 4)], lambda x: np.take_along_axis(x, PICK, 1)),
    Row("index_select_put", lambda v: index.index_select_put(v, (3, 4), 1, np.array([2, 0, 2]), None), [(3, 3)], lambda v: np.stack([v[:, 1], 0 * v[:, 0], v[:, 0] + v[:, 2], 0 * v[:, 0]], 1)),
    Row("index_select_put", lambda v: index.index_select_put(v, (4, 3), 0, np.array([[2, 0], [0, 1]]), 0), [(2, 2, 3)], lambda v: np.stack([0 * v[0, 0], v[1, 1], v[0, 0], 0 * v[0, 0]]), note="skip"),
    Row("scatter_prod", lambda x, v: scatter.scatter_prod(x, 0, np.array([1, 1, 0]), v), [(3,), (3,)], lambda x, v: x * np.array([v[2], v[0] * v[1], 1])),
    Row("scatter_extreme", lambda x, v: scatter.scatter_extreme(x, 0, np.array([1, 1, 0]), v, False), [(3,), (3,)], lambda x, v: np.minimum(x, [v[2], min(v[0], v[1]), 9])),
    Row("gather_put", lambda v: index.gather_put(v, (2, 4), 1, PICK), [(2, 3)],
        lambda v: np.array([[v[0, 0], v[0, 2], v[0, 1], 0], [v[1, 2], v[1, 0] + v[1, 1], 0, 0]])),
    Row("put", lambda x, v: put(x, v, (slice(None), 1)), [(3, 4), (3,)], lambda x, v: np.stack([x[:, 0], v, x[:, 2], x[:, 3]], 1)),
    Row("put_view", lambda x, v: put_view(x, v, ((shape.permute, ((1, 0),)), (index.getitem, (slice(1, 3),)))), [(3, 4), (2, 3)],
        lambda x, v: np.concatenate([x[:, :1], v.T, x[:, 3:]], 1)),
    Row("sum", lambda x: reduce.sum(x, None, False), [(3, 4)], np.sum),
    Row("sum", lambda x: reduce.sum(x, (0, 2), True), [(2, 3, 4)], lambda x: x.sum((0, 2), keepdims=True), note="dims"),
    Row("amax", lambda x: reduce.amax(x, (1,), False), [(3, 4)], lambda x: x.max(1)),
    Row("amin", lambda x: reduce.amin(x, None, True), [(3, 4)], lambda x: x.min(keepdims=True)),
    Row("argmax", lambda x: reduce.argmax(x, 1, False), [(3, 4)], lambda x: x.argmax(1), differentiable=False),
    Row("argmin", lambda x: reduce.argmin(x, None, False), [(3, 4)], np.argmin, differentiable=False),
    Row("sum_all", reduce.sum_all, [(3, 4)], np.sum),
    Row("middle", lambda x: rank.middle(x, False), [(3, 3)], np.median),
    Row("shift", lambda x: scan.shift(x, 1, 1, 2.0), [(2, 3)], lambda x: np.stack([2 + 0 * x[:, 0], x[:, 0], x[:, 1]], 1)),
    Row("shift", lambda x: scan.shift(x, 0, -1, 0.0), [(3, 2)], lambda x: np.stack([x[1], x[2], 0 * x[0]]), note="back"),
    Row("recurrence", lambda x, f: scan.recurrence(x, f, 1, False), [(2, 3), (2, 3)], lambda x, f: np.stack([x[:, 0], x[:, 1] + f[:, 1] * x[:, 0], x[:, 2] + f[:, 2] * (x[:, 1] + f[:, 1] * x[:, 0])], 1)),
    Row("recurrence", lambda x, f: scan.recurrence(x, f, 0, True), [(2, 3), (2, 3)], lambda x, f: np.stack([x[0] + f[0] * x[1], x[1]]), note="back"),
    Row("stacked_mm", linalg.stacked_mm, [(2, 1, 3, 4), (5, 4, 2)], np.matmul),
    Row("cross_product", lambda x, y: linalg.cross_product(x, y, 1), [(4, 3, 2), (4, 3, 2)], lambda x, y: np.cross(x, y, axis=1)),
    Row("vector_norm", lambda x: vector_norm.vector_norm(x, 3.0, (0, 2), False), [(3, 4, 2)], lambda x: (abs(x) ** 3).sum((0, 2)) ** (1 / 3)),
    Row("euclidean", lambda x, y: vector_norm.euclidean(x, y, False), [(2, 3, 4), (2, 5, 4)], np_distances),
    Row("euclidean", lambda x, y: vector_norm.euclidean(x, y, True), [(2, 3, 4), (2, 5, 4)], np_distances, note="product"),
    Row("inv", lambda x: solve.inv(far(x)), [(2, 3, 3)], lambda x: np.linalg.inv(far(x))),
    Row("solve", lambda a, b: solve.solve(far(a), b), [(3, 3), (2, 3, 4)], lambda a, b: np.linalg.solve(far(a), b)),
    Row("solve_triangular", lambda a, b: solve.solve_triangular(far(a), b, True, False), [(3, 3), (2, 3, 4)], lambda a, b: np.linalg.solve(np.triu(far(a)), b)),
    Row("cofactor", lambda x: solve.cofactor(far(x)), [(2, 3, 3)], lambda x: np.linalg.det(far(x))[..., None, None] * np.linalg.inv(far(x)).swapaxes(-1, -2)),
    Row("logabsdet", lambda x: solve.logabsdet(far(x)), [(2, 3, 3)], lambda x: np.linalg.slogdet(far(x))[1]),
    Row("eigh_factors", lambda x: decompose.eigh_factors(far(x) @ far(x).swapaxes(-1, -2), True)[..., 0, :], [(2, 3, 3)], lambda x: np.linalg.eigvalsh(far(x) @ far(x).swapaxes(-1, -2))),
    Row("eigvalsh", lambda x: decompose.eigvalsh(far(x) @ far(x).swapaxes(-1, -2), True), [(2, 3, 3)], lambda x: np.linalg.eigvalsh(far(x) @ far(x).swapaxes(-1, -2))),
    Row("svd_factors", lambda x: decompose.svd_factors(far(x), False)[..., 4], [(2, 4, 3)], lambda x: np.linalg.svd(far(x), compute_uv=False)),
    Row("svdvals", lambda x: decompose.svdvals(far(x)), [(2, 4, 3)], lambda x: np.linalg.svd(far(x), compute_uv=False)),
    Row("qr_factors", lambda x: decompose.qr_factors(far(x))[..., 4:], [(2, 4, 3)], lambda x: np.linalg.qr(far(x))[1]),
    Row("pinv", lambda x: decompose.pinv(far(x), None, None, False), [(2, 4, 3)], lambda x: np.linalg.pinv(far(x))),
    Row("linear", linalg.linear, [(5, 4), (3, 4), (3,)], lambda x, w, b: x @ w.T + b),
    Row("linear", lambda x, w: linalg.linear(x, w, None), [(2, 5, 4), (3, 4)], lambda x, w: x @ w.T, note="ranks"),
    Row("linear_relu", linalg.linear_relu, [(5, 4), (3, 4), (3,)], lambda x, w, b: np.maximum(x @ w.T + b, 0)),
    Row("linear_relu", lambda x, w: linalg.linear_relu(x, w, None), [(2, 5, 4), (3, 4)], lambda x, w: np.maximum(x @ w.T, 0), note="ranks"),
    *conv_rows((1, 1), (0, 0), (3, 3), "plain"),
    *conv_rows((2, 1), (1, 2), (3, 2), "strided"),
    *conv_rows((1, 1), (0, 0), (1, 1), "1x1"),
    *conv_rows((1, 2), (1, 2), (2, 3), "dilated", dilation=(2, 2)),
    *conv_rows((2, 2), (1, 1), (3, 3), "depthwise", groups=3, filters=6),
    Row("conv2d_grad_input", lambda g, w: conv.conv2d_grad_input(g, w, (2, 3, 5, 6), (1, 1), (0, 0), (2, 2)), [(2, 4, 2, 1), (4, 3, 2, 2)], np_transposed, note="smaller"),
    Row("channel_sum", conv.channel_sum, [(2, 3, 4, 5)], lambda x: x.sum((0, 2, 3))),
    Row("channel_sum", conv.channel_sum, [(4, 3)], lambda x: x.sum(0), note="matrix"),
    *pool_rows(WINDOW, "tiles"),
    *pool_rows(OVERLAP, "overlap"),
    Row("take_places", lambda x: pooling.take_places(x, PLACES, 2), [(2, 3, 4)], lambda x: np.take_along_axis(x.reshape(2, 12), PLACES, 1)),
    Row("add_places", lambda v: pooling.add_places(v, PLACES, (2, 3, 4), 2), [(2, 5)], lambda v: (np.eye(12)[PLACES] * v[..., None]).sum(1).reshape(2, 3, 4)),
    Row("resample", lambda x: resample.resample(x, AXES), [(2, 4, 3)], lambda x: np_axis(AXES[0]) @ x @ np_axis(AXES[1]).T),
    Row("plane_mean", lambda x: resample.plane_mean(x, 2), [(2, 3, 4, 5)], lambda x: x.mean((2, 3), keepdims=True)),
    Row("batch_norm", lambda x, w, b: norm.batch_norm(x, w, b, 1e-5)[0], [(3, 2, 4, 3), (2,), (2,)], np_batch_norm),
    Row("scale_shift", lambda x, w, b: norm.scale_shift(x, np.array([0.5, -1.0], w.dtype), np.array([2.0, 0.5], w.dtype), w, b), [(3, 2, 2, 3), (2,), (2,)],
        lambda x, w, b: (x - np.array([0.5, -1.0])[:, None, None]) * (np.array([2.0, 0.5]) * w)[:, None, None] + b[:, None, None]),
    Row("batch_norm_relu", lambda x, w, b: norm.batch_norm_relu(x, w, b, 1e-5)[0], [(3, 2, 4, 3), (2,), (2,)], lambda x, w, b: np.maximum(np_batch_norm(x, w, b), 0)),
    Row("scale_shift_relu", lambda x, w, b: norm.scale_shift_relu(x, np.array([0.5, -1.0], w.dtype), np.array([2.0, 0.5], w.dtype), w, b), [(3, 2, 2, 3), (2,), (2,)],
        lambda x, w, b: np.maximum((x - np.array([0.5, -1.0])[:, None, None]) * (np.array([2.0, 0.5]) * w)[:, None, None] + b[:, None, None], 0)),
    Row("row_norm", lambda x, w, b: layer_norm.row_norm(x, w, b, (3, 2, 2, 5), 1e-5, True)[0], [(3, 4, 5), (4,), (4,)], np_group_norm),
    Row("row_norm", lambda x, w: layer_norm.row_norm(x, w, None, (2, 1, 12, 1), 1e-5, False)[0], [(2, 3, 4), (3, 4)],
        lambda x, w: x / np.sqrt((x * x).mean((1, 2), keepdims=True) + 1e-5) * w, note="squares"),
    Row("log_softmax", lambda x: loss.log_softmax(x, 1), [(5, 4)], lambda x: np.log(np_softmax(x, 1))),
    Row("softmax", lambda x: loss.softmax(x, 0), [(5, 4)], lambda x: np_softmax(x, 0)),
    Row("log_softmax_grad", lambda g, x: loss.log_softmax_grad(g, x, 1), [(5, 4), (5, 4)], lambda g, x: g - np.exp(x) * g.sum(1, keepdims=True)),
    Row("softmax_grad", lambda g, x: loss.softmax_grad(g, x, 0), [(5, 4), (5, 4)], lambda g, x: x * (g - (g * x).sum(0))),
    Row("cross_entropy_rows", lambda x: loss.cross_entropy_rows(x, TARGET), [(5, 4)], lambda x: -np.log(np_softmax(x, 1))[np.arange(5), TARGET]),
    Row("cross_entropy", lambda x: loss.cross_entropy(x, TARGET, 4.0), [(5, 4)], lambda x: -np.log(np_softmax(x, 1))[np.arange(5), TARGET].sum() / 4),
    Row("cross_entropy_grad", lambda g, x: loss.cross_entropy_grad(g, x, np.log(np.exp(getattr(x, "array", x)).sum(1)), TARGET), [(5,), (5, 4)],
        lambda g, x: g[:, None] * (np_softmax(x, 1) - np.eye(4)[TARGET])),
    Row("smooth_cross_entropy", lambda x: loss.smooth_cross_entropy(x, IGNORING, OF_CLASS, 0.3), [(5, 4)], lambda x: -(np.log(np_softmax(x, 1)) * WANTED).sum(1)),
    Row("smooth_cross_entropy_grad", lambda g, x: loss.smooth_cross_entropy_grad(g, x, np.log(np.exp(getattr(x, "array", x)).sum(1)), IGNORING, OF_CLASS, 0.3), [(5,), (5, 4)],
        lambda g, x: g[:, None] * (np_softmax(x, 1) * WANTED.sum(1, keepdims=True) - WANTED)),
    Row("logistic_loss", loss.logistic_loss, [(3, 4), (3, 4)], lambda x, t: np.log1p(np.exp(x)) - x * t),
    Row("logistic_loss_grad", loss.logistic_loss_grad, [(3, 4), (3, 4), (3, 4)], lambda g, x, t: g * (1 / (1 + np.exp(-x)) - t)),
]  # fmt: skip

__all__ = ["ROWS", "Row"]
