"""A row says how to call a function, what numpy says of it, and what holds: the form of the table of functions.

Sizes are letters, the same in all arguments of a row: `Row("mm", ("nk", "km"), ...)` draws an (n, k) and a (k, m) array.
A digit is a size that stays.
`tests/autograd/test_functions.py` runs every row against numpy and differences, `tests/oracle/test_functions.py` runs
the same rows, on drawn sizes, against PyTorch: `call` gets the library, `trainkit` or `torch`, before the tensors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["SIZES", "Arg", "Bool", "Float", "Int", "Row", "draw"]

SIZES: Mapping[str, int] = {"n": 3, "m": 4, "k": 2, "h": 5, "w": 3, "c": 2, "b": 2}
"""The sizes of the comparisons with numpy."""


@dataclass(frozen=True)
class Arg:
    """An argument to be drawn.

    Attributes:
        letters: its sizes; "" is a tensor of no dimensions.
        kind: "float", "int" or "bool".
        low, high: the range of its values: inside the function's domain; for integers `high` is left out and may be a
            letter, that of the dimension which they index.
        gradient: whether a float argument requires grad.
    """

    letters: str
    kind: str = "float"
    low: float = -2.0
    high: float | str = 2.0
    gradient: bool = True


def Float(letters: str, low: float = -2.0, high: float = 2.0, gradient: bool = True) -> Arg:
    return Arg(letters, "float", low, high, gradient)


def Int(letters: str, low: int = 0, below: int | str = 5) -> Arg:
    return Arg(letters, "int", low, below)


def Bool(letters: str) -> Arg:
    return Arg(letters, "bool")


@dataclass
class Row:
    """A public function and what is checked of it.

    Attributes:
        name: under which users find it: "exp", "Tensor.expand", "linalg.inv".
        args: what is drawn: an Arg, or letters for floats between -2 and 2.
        call: `call(lib, *tensors)`; returns a tensor, a number or a tuple of those.
        reference: `reference(*arrays)` on float64, int64 and bool arrays: what numpy says; None where only PyTorch can.
        dtypes: of the float arguments in the comparison with PyTorch, beside float32 and float64; an integer or bool
            dtype means that the function takes such arguments too.
        differentiable, twice: gradcheck holds, gradgradcheck too.
        broadcasts: the arguments broadcast against each other.
        empty: it takes arguments in which the size `n` is 0.
        scalar: it takes arguments of no dimensions in place of those of the row.
        ties: values that are equal, and zeros, give PyTorch's result and gradient; False where PyTorch leaves it open.
        special: NaN and infinities give PyTorch's result, without a warning.
        least: of sizes: {"n": 2} for the functions that need two.
        tolerance: relative and absolute, in float32.
        note: tells rows of one name apart.
    """

    name: str
    args: tuple[Arg | str, ...]
    call: Callable[..., Any]
    reference: Callable[..., Any] | None
    dtypes: tuple[str, ...] = ()
    differentiable: bool = True
    twice: bool = True
    broadcasts: bool = False
    empty: bool = True
    scalar: bool = False
    ties: bool = True
    special: bool = False
    least: Mapping[str, int] = field(default_factory=dict)
    tolerance: float = 1e-5
    note: str = ""

    def __post_init__(self) -> None:
        self.args = tuple(Float(arg) if isinstance(arg, str) else arg for arg in self.args)

    def __repr__(self) -> str:
        return f"{self.name}{'-' + self.note if self.note else ''}"

    @property
    def letters(self) -> list[str]:
        """The letters of all arguments, in order."""
        return sorted({letter for arg in self.args for letter in arg.letters if not letter.isdigit()})


def draw(
    row: Row, sizes: Mapping[str, int] = SIZES, *, dtype: str = "float64", seed: int = 0, manner: str = "distinct"
) -> list[np.ndarray]:
    """Draw the arguments of a row.

    Args:
        row: says which.
        sizes: of the letters.
        dtype: of the floats; drawn as whole numbers for an integer dtype.
        seed: of the draw.
        manner: "distinct": all differ by more than the step of a gradcheck, so that none lies on a kink; "ties":
            rounded to whole numbers, inside the range; "special": NaN and infinities among them.
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for arg in row.args:
        shape = tuple(int(letter) if letter.isdigit() else sizes[letter] for letter in arg.letters)
        count = int(np.prod(shape))
        high = sizes[arg.high] if isinstance(arg.high, str) else arg.high
        if arg.kind == "bool":
            arrays.append(rng.random(shape) < 0.5)
        elif arg.kind == "int":
            arrays.append(rng.integers(int(arg.low), max(int(high), int(arg.low) + 1), shape))
        else:
            step = (high - arg.low) / (count + 1)
            values = rng.permutation(arg.low + step * (np.arange(count) + rng.uniform(0.3, 0.7)))
            if manner == "ties" or not dtype.startswith("float"):
                values = np.clip(np.round(values), np.ceil(arg.low), np.floor(high))
            if manner == "special":
                odd = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], count)
                values = np.where(rng.random(count) < 0.5, odd, values)
            values = np.abs(values) if dtype == "uint8" else values
            arrays.append(values.reshape(shape).astype(dtype))
    return arrays
