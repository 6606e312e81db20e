"""Functions that bring elements into order, count them, and search among them."""

import numpy as np

from tests.autograd.table.rows import Float, Int, Row

__all__ = ["ROWS"]


def lower_median(x, axis):
    return np.take(np.sort(x, axis), (x.shape[axis] - 1) // 2, axis)


def np_mode(x):
    values = np.array([max(sorted(set(row.tolist())), key=lambda v, r=row: (r == v).sum()) for row in x], x.dtype)
    return values, np.array([len(row) - 1 - np.argmax(row[::-1] == v) for row, v in zip(x, values, strict=True)])


SHIFTED = Float("nm", -1.0, 3.0)

ROWS = [
    Row(
        "sort",
        ("nm",),
        lambda lib, x: lib.sort(x, stable=True),
        lambda x: (np.sort(x), np.argsort(x)),
        dtypes=("int64",),
        special=True,
    ),
    Row(
        "sort",
        ("nm",),
        lambda lib, x: x.sort(dim=0, descending=True, stable=True),
        lambda x: (-np.sort(-x, 0), np.argsort(-x, 0)),
        special=True,
        note="descending",
    ),
    Row(
        "argsort",
        ("nm",),
        lambda lib, x: lib.argsort(x, dim=1, stable=True),
        lambda x: np.argsort(x, 1),
        differentiable=False,
    ),
    Row("msort", ("nm",), lambda lib, x: lib.msort(x), lambda x: np.sort(x, 0)),
    Row(
        "topk",
        ("nm",),
        lambda lib, x: lib.topk(x, 2),
        lambda x: (-np.sort(-x)[:, :2], np.argsort(-x)[:, :2]),
        least={"m": 2},
        ties=False,
    ),
    Row(
        "topk",
        ("nm",),
        lambda lib, x: x.topk(1, 1, largest=False),
        lambda x: (np.sort(x)[:, :1], np.argsort(x)[:, :1]),
        ties=False,
        note="smallest",
    ),
    Row(
        "kthvalue",
        ("nm",),
        lambda lib, x: lib.kthvalue(x, 2),
        lambda x: (np.sort(x)[:, 1], np.argsort(x)[:, 1]),
        least={"m": 2},
        ties=False,
    ),
    Row(
        "median",
        ("nm",),
        lambda lib, x: lib.median(x),
        lambda x: np.sort(x.ravel())[(x.size - 1) // 2],
        empty=False,
        ties=False,
    ),
    Row(
        "median",
        ("nm",),
        lambda lib, x: lib.median(x, 1)[0],
        lambda x: lower_median(x, 1),
        ties=False,
        note="dim",
        special=True,
    ),
    Row(
        "nanmedian",
        ("nm",),
        lambda lib, x: lib.nanmedian(x, 1)[0],
        lambda x: lower_median(x, 1),
        ties=False,
        special=True,
    ),
    Row("mode", (Int("nm", 0, 3),), lambda lib, x: lib.mode(x)[0], lambda x: np_mode(x)[0], differentiable=False),
    Row(
        "quantile",
        (SHIFTED,),
        lambda lib, x: lib.quantile(x, 0.3, 1),
        lambda x: np.quantile(x, 0.3, 1),
        ties=False,
        empty=False,
    ),
    Row(
        "quantile",
        (SHIFTED,),
        lambda lib, x: lib.quantile(x, lib.tensor([0.0, 0.45, 1.0], dtype=x.dtype), 0, keepdim=True),
        lambda x: np.quantile(x, [0.0, 0.45, 1.0], 0, keepdims=True),
        ties=False,
        empty=False,
        note="several",
    ),
    *[
        Row(
            "quantile",
            (SHIFTED,),
            lambda lib, x, m=method: lib.quantile(x, 0.4, interpolation=m),
            lambda x, m=method: np.quantile(x, 0.4, method=m),
            ties=False,
            empty=False,
            note=method,
        )
        for method in ("lower", "higher", "midpoint", "nearest")
    ],
    Row(
        "nanquantile",
        (SHIFTED,),
        lambda lib, x: lib.nanquantile(x, 0.3, 1),
        lambda x: np.nanquantile(x, 0.3, 1),
        ties=False,
        empty=False,
    ),
    Row(
        "unique",
        (Int("nm", 0, 4),),
        lambda lib, x: lib.unique(x, return_inverse=True, return_counts=True),
        lambda x: (lambda u, i, c: (u, i.reshape(x.shape), c))(*np.unique(x, return_inverse=True, return_counts=True)),
        differentiable=False,
    ),
    Row(
        "unique",
        (Int("nm", 0, 2),),
        lambda lib, x: lib.unique(x, dim=0),
        lambda x: np.unique(x, axis=0),
        differentiable=False,
        empty=False,
        note="rows",
    ),
    Row(
        "unique_consecutive",
        (Int("n", 0, 2),),
        lambda lib, x: lib.unique_consecutive(x, return_inverse=True, return_counts=True),
        None,
        differentiable=False,
    ),
    Row(
        "bincount",
        (Int("n", 0, 4),),
        lambda lib, x: lib.bincount(x, minlength=3),
        lambda x: np.bincount(x, minlength=3),
        differentiable=False,
    ),
    Row(
        "bincount",
        (Int("n", 0, 4), "n"),
        lambda lib, x, w: lib.bincount(x, w.detach()),
        lambda x, w: np.bincount(x, w),
        differentiable=False,
        empty=False,
        note="weights",
    ),
    Row(
        "histc",
        ("nm",),
        lambda lib, x: lib.histc(x.detach(), 4, -1.5, 1.5),
        lambda x: np.histogram(x, 4, (-1.5, 1.5))[0],
        differentiable=False,
    ),
    Row(
        "histc",
        ("nm",),
        lambda lib, x: lib.histc(x.detach(), 3),
        lambda x: np.histogram(x, 3)[0],
        differentiable=False,
        empty=False,
        ties=False,
        note="range",
    ),
    Row(
        "searchsorted",
        ("m", "nk"),
        lambda lib, s, x: lib.searchsorted(lib.sort(s.detach())[0], x.detach()),
        lambda s, x: np.searchsorted(np.sort(s), x),
        differentiable=False,
    ),
    Row(
        "searchsorted",
        ("nm", "nk"),
        lambda lib, s, x: lib.searchsorted(lib.sort(s.detach())[0], x.detach(), right=True),
        lambda s, x: np.array([np.searchsorted(np.sort(r), v, "right") for r, v in zip(s, x, strict=True)]).reshape(
            x.shape
        ),
        differentiable=False,
        note="rows",
    ),
    Row(
        "bucketize",
        ("nm",),
        lambda lib, x: lib.bucketize(x.detach(), lib.tensor([-1.0, 0.0, 1.0], dtype=x.dtype)),
        lambda x: np.searchsorted([-1.0, 0.0, 1.0], x),
        differentiable=False,
    ),
    Row("isin", (Int("nm", 0, 4), Int("k", 0, 4)), lambda lib, x, y: lib.isin(x, y), np.isin, differentiable=False),
    Row(
        "median",
        ("nm",),
        lambda lib, x: (x.median(), x.nanmedian()),
        lambda x: (np.sort(x.ravel())[(x.size - 1) // 2],) * 2,
        note="shared",
        dtypes=("int64", "float16"),
        special=True,
        empty=False,
    ),
    Row(
        "quantile",
        (SHIFTED, Float("k", 0.05, 0.95)),
        lambda lib, x, q: lib.quantile(x, q, 1),
        lambda x, q: np.quantile(x, q, 1),
        empty=False,
        note="fractions",
        ties=False,
        twice=False,
    ),
    Row(
        "quantile",
        ("nm",),
        lambda lib, x: x.quantile(0.3, 0),
        lambda x: np.quantile(x, 0.3, 0),
        note="special",
        ties=False,
        special=True,
        empty=False,
    ),
    Row(
        "topk",
        ("nm",),
        lambda lib, x: lib.cat([x] * 9, 1).topk(1)[0],
        lambda x: x.max(1, keepdims=True),
        note="few",
        ties=False,
        special=True,
    ),
    Row(
        "searchsorted",
        ("m", "nk"),
        lambda lib, s, x: (
            lib.searchsorted(lib.sort(s.detach())[0], x.detach(), side="right"),
            lib.searchsorted(s.detach(), x.detach(), sorter=lib.argsort(s.detach()), out_int32=True),
            lib.bucketize(0.5, lib.sort(s.detach())[0]),
        ),
        lambda s, x: (
            np.searchsorted(np.sort(s), x, "right"),
            np.searchsorted(np.sort(s), x),
            np.searchsorted(np.sort(s), 0.5),
        ),
        note="sides",
        differentiable=False,
        special=True,
    ),
    Row(
        "unique_consecutive",
        (Int("nm", 0, 2),),
        lambda lib, x: lib.unique_consecutive(x, True, True, 0),
        None,
        note="rows",
        differentiable=False,
    ),
    Row(
        "isin",
        (Int("nm", 0, 4),),
        lambda lib, x: (lib.isin(x, 2), lib.isin(1, x), lib.isin(x, x[:1], invert=True)),
        lambda x: (x == 2, (x == 1).any(), ~np.isin(x, x[:1])),
        note="numbers",
        differentiable=False,
    ),
    Row(
        "cov",
        ("km",),
        lambda lib, x: lib.cov(x),
        lambda x: np.cov(x),
        least={"k": 2, "m": 2},
        dtypes=("int64",),
        ties=True,
    ),
    Row("cov", ("m",), lambda lib, x: x.cov(correction=0), lambda x: np.cov(x, ddof=0), note="vector"),
    Row(
        "cov",
        ("km", Int("m", 1, 4), Float("m", 0.3, 2.0, gradient=False)),
        lambda lib, x, f, a: lib.cov(x, correction=0, fweights=f, aweights=a),
        lambda x, f, a: np.cov(x, ddof=0, fweights=f, aweights=a),
        note="weights",
        least={"k": 2},
    ),
    Row(
        "corrcoef",
        ("km",),
        lambda lib, x: lib.corrcoef(x)[0, 1:],
        lambda x: np.corrcoef(x)[0, 1:],
        least={"k": 2, "m": 3},
        ties=False,
    ),
    Row(
        "histogram",
        ("nm",),
        lambda lib, x: lib.histogram(x.detach(), 4, range=(-1.5, 1.5)),
        lambda x: np.histogram(x, 4, (-1.5, 1.5)),
        differentiable=False,
    ),
    Row(
        "histogram",
        ("nm", Float("nm", 0.5, 1.5)),
        lambda lib, x, w: lib.histogram(
            x.detach(), lib.tensor([-2.0, -0.5, 0.0, 2.0], dtype=x.dtype), weight=w.detach(), density=True
        ),
        lambda x, w: np.histogram(x, [-2.0, -0.5, 0.0, 2.0], weights=w, density=True),
        note="edges",
        differentiable=False,
        empty=False,
    ),
]
