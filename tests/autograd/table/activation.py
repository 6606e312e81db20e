"""Activation functions and softmax."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.autograd.table.rows import Float, Row

__all__ = ["ROWS"]

erfc = np.vectorize(math.erfc, otypes=[float])


def act(
    name: str, reference: Callable[..., Any], *args: Any, low: float = -4.0, high: float = 4.0, **options: Any
) -> Row:
    """A function of `nn.functional` of one argument, element by element."""
    row = {"dtypes": ("float16",), "scalar": True, "special": True, **options}
    keywords = row.pop("keywords", {})
    call = row.pop("call", lambda lib, x: getattr(lib.nn.functional, name)(x, *args, **keywords))
    return Row(f"nn.functional.{name}", (Float("nm", low, high),), call, reference, **row)


def hardsigmoid(lib: Any, x: Any, **options: Any) -> Any:
    """PyTorch's own has but the digits of a float32, even in float64."""
    if lib.__name__ == "torch" and x.dtype == lib.float64:
        return lib.nn.functional.hardtanh(x / 6 + 0.5, 0, 1)
    return lib.nn.functional.hardsigmoid(x, **options)


def np_sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def np_elu(x: Any, alpha: float = 1.0, scale: float = 1.0, slope: float = 1.0) -> Any:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) * slope))


def np_selu(x: Any) -> Any:
    return np_elu(x, 1.6732632423543772, 1.0507009873554805)


def np_gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def np_softmax(x: Any, axis: int = -1) -> Any:
    powers = np.exp(x - x.max(axis, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis, keepdims=True)


def np_log_softmax(x: Any, axis: int = -1) -> Any:
    return np.log(np_softmax(x, axis))


def both(row: Callable[..., Row], *args: Any, **options: Any) -> list[Row]:
    """The function, and its form in place on a copy."""
    first = row(*args, **options)
    name = first.name.rsplit(".", 1)[1]
    keywords, args = options.get("keywords", {}), args[2:]
    note = f"{first.note}-inplace" if first.note else "inplace"
    call: Any = lambda lib, x: getattr(lib.nn.functional, name)(x.clone(), *args, inplace=True, **keywords)  # noqa: E731
    return [first, Row(first.name, first.args, call, first.reference, first.dtypes, special=first.special, note=note)]


def soft(name: str, letters: str, call: Callable[..., Any], reference: Callable[..., Any], **options: Any) -> Row:
    return Row(name, (letters,), call, reference, **{"dtypes": ("float16",), "special": True, **options})


WHOLE = ("float16", "int64")

ROWS = [
    *both(act, "relu", lambda x: np.maximum(x, 0), dtypes=WHOLE),
    Row("relu", ("nm",), lambda lib, x: lib.relu(x), lambda x: np.maximum(x, 0), WHOLE, scalar=True, special=True),
    Row("Tensor.relu", ("nm",), lambda lib, x: x.relu(), lambda x: np.maximum(x, 0), WHOLE, scalar=True, special=True),
    Row("relu_", ("nm",), lambda lib, x: lib.relu_(x.clone()), lambda x: np.maximum(x, 0), WHOLE, scalar=True, special=True),
    Row("Tensor.relu_", ("nm",), lambda lib, x: x.clone().relu_(), lambda x: np.maximum(x, 0), WHOLE, scalar=True, special=True),
    *both(act, "relu6", lambda x: np.clip(x, 0, 6), low=-3.0, high=9.0, dtypes=WHOLE),
    *both(act, "hardtanh", lambda x: np.clip(x, -1, 1), dtypes=WHOLE),
    act("hardtanh", lambda x: np.clip(x, -2, 3), -2, 3.0, note="limits", dtypes=WHOLE),
    *both(act, "leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    act("leaky_relu", lambda x: np.where(x > 0, x, 0.2 * x), 0.2, note="slope"),
    *both(act, "elu", np_elu),
    act("elu", lambda x: np_elu(x, 0.7), 0.7, note="alpha"),
    *both(act, "selu", np_selu),
    Row("selu", ("nm",), lambda lib, x: lib.selu(x), np_selu, ("float16",), scalar=True, special=True),
    Row("selu_", ("nm",), lambda lib, x: lib.selu_(x.clone()), np_selu, ("float16",), scalar=True, special=True),
    *both(act, "celu", np_elu),
    act("celu", lambda x: np_elu(x, 0.5, 1, 2), 0.5, note="alpha"),
    Row("celu", ("nm",), lambda lib, x: lib.celu(x, alpha=2.0), lambda x: np_elu(x, 2.0, 1, 0.5), ("float16",), scalar=True, special=True),
    Row("celu_", ("nm",), lambda lib, x: lib.celu_(x.clone()), np_elu, ("float16",), scalar=True, special=True),
    # an infinity times 0 differs between PyTorch's own loops
    act("gelu", lambda x: x * erfc(-x / math.sqrt(2)) / 2, special=False),
    act("gelu", np_gelu_tanh, keywords={"approximate": "tanh"}, note="tanh", special=False),
    *both(act, "silu", lambda x: x * np_sigmoid(x)),
    *both(act, "mish", lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    act("softplus", lambda x: np.log1p(np.exp(x))),
    act("softplus", lambda x: np.where(2 * x > 3, x, np.log1p(np.exp(2 * x)) / 2), 2, 3, note="threshold"),
    act("logsigmoid", lambda x: np.log(np_sigmoid(x))),
    act("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), low=-5.0, high=5.0, call=hardsigmoid),
    act("hardsigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), low=-5.0, high=5.0, call=lambda lib, x: hardsigmoid(lib, x.clone(), inplace=True), note="inplace"),
    *both(act, "hardswish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1), low=-5.0, high=5.0),
    act("softsign", lambda x: x / (1 + np.abs(x)), dtypes=WHOLE),
    act("tanhshrink", lambda x: x - np.tanh(x), dtypes=WHOLE),
    act("softshrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    act("softshrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 1, 0), 1.0, note="lambd"),
    act("hardshrink", lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    Row("hardshrink", ("nm",), lambda lib, x: lib.hardshrink(x, lambd=1.0), lambda x: np.where(np.abs(x) > 1, x, 0), ("float16",), scalar=True, special=True),
    Row("Tensor.hardshrink", ("nm",), lambda lib, x: x.hardshrink(1.0), lambda x: np.where(np.abs(x) > 1, x, 0), ("float16",), scalar=True, special=True),
    *both(act, "threshold", lambda x: np.where(x <= 1, 7, x), 1, 7, dtypes=WHOLE),
    Row("threshold", ("nm",), lambda lib, x: lib.threshold(x, -0.5, 2.0), lambda x: np.where(x <= -0.5, 2, x), WHOLE, scalar=True, special=True),
    Row("threshold_", ("nm",), lambda lib, x: lib.threshold_(x.clone(), 1.0, 0.0), lambda x: np.where(x <= 1, 0, x), WHOLE, scalar=True, special=True),
    act("sigmoid", np_sigmoid, dtypes=WHOLE),
    act("tanh", np.tanh, dtypes=WHOLE),
    Row("nn.functional.glu", ("n4",), lambda lib, x: lib.nn.functional.glu(x), lambda x: x[:, :2] * np_sigmoid(x[:, 2:]), ("float16",), special=True),
    Row("nn.functional.glu", ("4nm",), lambda lib, x: lib.nn.functional.glu(x, 0), lambda x: x[:2] * np_sigmoid(x[2:]), note="first"),
    Row("prelu", ("nmk", Float("m", 0.1, 2.0)), lambda lib, x, w: lib.prelu(x, w), lambda x, w: np.where(x > 0, x, w[:, None] * x), ("float16",), special=True),
    Row("Tensor.prelu", ("nm", "1"), lambda lib, x, w: x.prelu(w), lambda x, w: np.where(x > 0, x, w * x), note="one"),
    Row("nn.functional.prelu", ("nm", "m"), lambda lib, x, w: lib.nn.functional.prelu(x, w), lambda x, w: np.where(x > 0, x, w * x)),
    Row("nn.functional.prelu", ("n", "1"), lambda lib, x, w: lib.nn.functional.prelu(x, w), lambda x, w: np.where(x > 0, x, w * x), note="line"),
    *[
        soft(name, letters, lambda lib, x, f=name, d=dim: getattr(lib, f)(x, d), lambda x, f=reference, d=dim: f(x, d), note=f"{letters}{dim}")
        for name, reference in (("softmax", np_softmax), ("log_softmax", np_log_softmax))
        for letters, dim in (("nm", -1), ("nm", 0), ("nmk", 1), ("m", 0))
    ],
    *[
        soft(name, "", lambda lib, x, f=name: getattr(lib, f)(x, 0), lambda x, v=value: 0 * x + v, note="0-d")
        for name, value in (("softmax", 1.0), ("log_softmax", 0.0))
    ],
    soft("softmax", "nm", lambda lib, x: lib.softmax(x, dim=1, dtype=lib.float64).to(x.dtype), np_softmax, note="dtype"),
    soft("Tensor.softmax", "nm", lambda lib, x: x.softmax(1), np_softmax),
    soft("Tensor.log_softmax", "nm", lambda lib, x: x.log_softmax(1), np_log_softmax),
    soft("special.softmax", "nm", lambda lib, x: lib.special.softmax(x, 1), np_softmax),
    soft("nn.functional.softmax", "nm", lambda lib, x: lib.nn.functional.softmax(x, dim=0), lambda x: np_softmax(x, 0)),
    soft("nn.functional.log_softmax", "nm", lambda lib, x: lib.nn.functional.log_softmax(x, dim=1, dtype=lib.float64).to(x.dtype), np_log_softmax),
    soft("nn.functional.softmin", "nm", lambda lib, x: lib.nn.functional.softmin(x, dim=1), lambda x: np_softmax(-x)),
]  # fmt: skip
