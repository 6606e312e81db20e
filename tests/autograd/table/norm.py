"""Normalisation, and dropout where chance has no say."""

from typing import Any

import numpy as np

from tests.autograd.table.rows import Float, Row

__all__ = ["ROWS"]

EPS = 0.1  # large enough that equal values, whose deviation is 0, do not make rounding errors large


def np_norm(x: Any, axes: Any, weight: Any = 1.0, bias: Any = 0.0) -> Any:
    variance = ((x - x.mean(axes, keepdims=True)) ** 2).mean(axes, keepdims=True)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(variance + EPS) * weight + bias


def column(weight: Any, dims: int = 1) -> Any:
    return weight.reshape(-1, *[1] * dims)


def np_group_norm(x: Any, groups: int, weight: Any, bias: Any) -> Any:
    parts = x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])
    normal = np_norm(parts, tuple(range(2, parts.ndim))).reshape(x.shape)
    return normal * column(weight, x.ndim - 2) + column(bias, x.ndim - 2)


def np_rms_norm(x: Any, axes: Any, weight: Any = 1.0) -> Any:
    return x / np.sqrt((x * x).mean(axes, keepdims=True) + EPS) * weight


def np_response(x: Any, size: int) -> Any:
    padded = np.pad(x * x, ((0, 0), (size // 2, (size - 1) // 2), (0, 0)))
    sums = sum(padded[:, i : i + x.shape[1]] for i in range(size))
    return x / (2 + 0.3 * sums / size) ** 0.75


def np_normalize(x: Any, p: float, axis: Any, eps: float) -> Any:
    return x / np.maximum((np.abs(x) ** p).sum(axis, keepdims=True) ** (1 / p), eps)


def given(lib: Any, x: Any, *numbers: float) -> Any:
    return lib.tensor(numbers, dtype=x.dtype)


def norm(name: str, args: Any, call: Any, reference: Any, **options: Any) -> Row:
    return Row(f"nn.functional.{name}", args, lambda lib, *xs: call(lib.nn.functional, *xs), reference, **options)


def dropped(name: str, letters: str, p: float, training: bool, note: str) -> Row:
    return Row(
        f"nn.functional.{name}",
        (letters,),
        lambda lib, x: getattr(lib.nn.functional, name)(x, p, training),
        lambda x: x * (0 if training and p == 1 else 1),
        ("float16",),
        note=note,
    )


BATCH = {"empty": False, "least": {"n": 2, "m": 2}}  # more than one value to take a mean of

ROWS = [
    norm("batch_norm", ("n3km", "3", "3"), lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True, 0.1, EPS),
        lambda x, w, b: np_norm(x, (0, 2, 3), column(w, 2), column(b, 2)), **BATCH),
    norm("batch_norm", ("n3",), lambda f, x: f.batch_norm(x, None, None, None, None, True, 0.1, EPS),
        lambda x: np_norm(x, 0), note="matrix", **BATCH),
    Row("nn.functional.batch_norm", ("n2m", "2", "2"),
        lambda lib, x, w, b: lib.nn.functional.batch_norm(x, given(lib, x, 0.5, -1), given(lib, x, 2, 0.3), w, b, False, 0.1, EPS),
        lambda x, w, b: (x - column(np.array([0.5, -1]))) / np.sqrt(column(np.array([2, 0.3])) + EPS) * column(w) + column(b), note="given"),
    norm("instance_norm", ("n3mk", "3", "3"), lambda f, x, w, b: f.instance_norm(x, None, None, w, b, True, 0.1, EPS),
        lambda x, w, b: np_norm(x, (2, 3), column(w, 2), column(b, 2)), least={"m": 2}, empty=False),
    norm("instance_norm", ("n3m",), lambda f, x: f.instance_norm(x, eps=EPS), lambda x: np_norm(x, 2), note="plain", least={"m": 2}),
    norm("layer_norm", ("nkm", "m", "m"), lambda f, x, w, b: f.layer_norm(x, w.shape, w, b, EPS), lambda x, w, b: np_norm(x, -1, w, b)),
    norm("layer_norm", ("nkm", "km"), lambda f, x, w: f.layer_norm(x, w.shape, w, eps=EPS), lambda x, w: np_norm(x, (1, 2), w), note="two"),
    norm("layer_norm", ("m",), lambda f, x: f.layer_norm(x, x.shape, eps=EPS), lambda x: np_norm(x, 0), note="plain"),
    norm("rms_norm", ("nkm", "m"), lambda f, x, w: f.rms_norm(x, w.shape, w, EPS), lambda x, w: np_rms_norm(x, -1, w)),
    norm("rms_norm", ("nkm",), lambda f, x: f.rms_norm(x, x.shape[1:], eps=EPS), lambda x: np_rms_norm(x, (1, 2)), note="two"),
    norm("group_norm", ("n4mk", "4", "4"), lambda f, x, w, b: f.group_norm(x, 2, w, b, EPS), lambda x, w, b: np_group_norm(x, 2, w, b)),
    norm("group_norm", ("n6", "6", "6"), lambda f, x, w, b: f.group_norm(x, 3, w, b, EPS), lambda x, w, b: np_group_norm(x, 3, w, b), note="matrix"),
    *[
        norm("local_response_norm", ("n5m",), lambda f, x, s=size: f.local_response_norm(x, s, 0.3, 0.75, 2.0), lambda x, s=size: np_response(x, s), note=str(size))
        for size in (1, 2, 3, 6)
    ],
    norm("normalize", ("nmk",), lambda f, x: f.normalize(x), lambda x: np_normalize(x, 2, 1, 1e-12)),
    norm("normalize", ("nm",), lambda f, x: f.normalize(x, 3.0, 0, 2.5), lambda x: np_normalize(x, 3, 0, 2.5), note="eps", empty=False),
    norm("normalize", (Float("nmk", 0.5, 2.0),), lambda f, x: f.normalize(x, 1.0, (0, 2)), lambda x: np_normalize(x, 1, (0, 2), 0), note="dims", empty=False),
    *[
        dropped(name, letters, *how)
        for name, letters in (("dropout", "nm"), ("dropout1d", "nmk"), ("dropout2d", "nmkh"), ("dropout3d", "nmkhw"),
            ("alpha_dropout", "nm"), ("feature_alpha_dropout", "nmk"))
        for how in ((0.3, False, "eval"), (1.0, True, "all"), (0.0, True, "nothing"))
    ],
]  # fmt: skip
