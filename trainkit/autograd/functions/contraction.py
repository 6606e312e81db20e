"""Sums of products named by letters: einsum and tensordot, each pair of operands one matrix product."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainkit.autograd.functions.linalg import matmul
from trainkit.autograd.graph import TensorBase
from trainkit.autograd.ops.reduce import sum
from trainkit.autograd.ops.shape import normalize_dim, permute, reshape
from trainkit.autograd.ops.strided import diagonal
from trainkit.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = ["einsum", "tensordot"]

Labels = list[Any]  # a letter for a dimension; a number for one of those under "...", counted from the right: -1, -2
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Multiply and sum over named dimensions.

    Args:
        equation: a letter for each dimension, a comma between the operands: "ij,jk->ik" is a matrix product. Letters
            that are not behind the arrow are summed. Without an arrow, those that occur once are kept, sorted. "..."
            stands for any number of dimensions, which broadcast. A letter twice in an operand takes its diagonal.
        operands: the tensors, one by one or as one list. `einsum(x, [0, 1], y, [1, 2], [0, 2])` names the dimensions by
            numbers, 0 to 51, and the last list is the result.

    Raises:
        ArgumentError: the equation is not of that form.
        ShapeError: dimensions of one letter differ in size.

    >>> import trainkit as tk
    >>> x = tk.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tk.einsum("ij,kj->ik", x, x)
    tensor([[ 5., 11.],
            [11., 25.]])
    >>> tk.einsum("ii", x)
    tensor(5.)
    """
    if not isinstance(equation, str):
        equation, operands = _as_equation((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    inputs, output = _parse(equation, tuple([x.ndim for x in operands]))
    pairs = [_without_repeats(x, labels, equation) for x, labels in zip(operands, inputs, strict=True)]
    _check_sizes(pairs, equation)
    while len(pairs) > 1:
        i, j = _cheapest(pairs, output) if len(pairs) > 2 else (0, 1)
        second, first = pairs.pop(j), pairs.pop(i)
        needed = {*output, *[label for _, labels in pairs for label in labels]}
        pairs.insert(0, _contract(first, second, needed))
    x, labels = _sum_out(*pairs[0], set(output))
    order = tuple([labels.index(label) for label in output])
    return x if order == tuple(range(len(order))) else permute(x, order)


def _as_equation(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Write lists of numbers as letters."""

    def term(numbers: Any) -> str:
        try:
            return "".join(["..." if number is Ellipsis else _LETTERS[number] for number in numbers])
        except (IndexError, TypeError):
            raise ArgumentError(f"einsum names dimensions by the numbers 0 to 51 or ..., got {numbers}") from None

    operands = arguments[: len(arguments) // 2 * 2 : 2]
    if not operands or not all(isinstance(x, TensorBase) for x in operands):
        raise ArgumentError("einsum takes an equation and tensors, or tensors each followed by a list of numbers")
    result = "->" + term(arguments[-1]) if len(arguments) % 2 else ""
    return ",".join([term(numbers) for numbers in arguments[1 : len(operands) * 2 : 2]]) + result, operands


@functools.lru_cache(maxsize=256)
def _parse(equation: str, ranks: tuple[int, ...]) -> tuple[list[Labels], Labels]:
    """Return the labels of the dimensions of each operand, and those of the result."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ArgumentError(f"einsum: the equation {equation!r} names {len(terms)} operands, {len(ranks)} were given")
    inputs = [_labels(term, rank, equation) for term, rank in zip(terms, ranks, strict=True)]
    every = [label for labels in inputs for label in labels]
    hidden = sorted({label for label in every if isinstance(label, int)})
    if not arrow:
        letters = [label for label in every if isinstance(label, str)]
        return inputs, [*hidden, *sorted({label for label in letters if letters.count(label) == 1})]
    output = _labels(right, len(right.replace("...", "")) + len(hidden) * ("..." in right), equation)
    if len(set(output)) < len(output) or not set(output) <= set(every):
        raise ArgumentError(
            f"einsum: in {equation!r} each letter of the result must occur once in it and at least once in an operand"
        )
    return inputs, output


def _labels(term: str, rank: int, equation: str) -> Labels:
    before, dots, after = term.partition("...")
    count = rank - len(before) - len(after)
    if not all(letter in _LETTERS for letter in before + after):
        raise ArgumentError(f"einsum: {equation!r} may hold letters, commas, one arrow, and '...' once in an operand")
    if count < 0 or (count and not dots):
        raise ShapeError(f"einsum: {term!r} in {equation!r} does not name the {rank} dimensions of its operand")
    return [*before, *range(-count, 0), *after]


def _without_repeats(x: Any, labels: Labels, equation: str) -> tuple[Any, Labels]:
    """Take the diagonal of dimensions that have one letter."""
    labels = list(labels)
    for label in list(dict.fromkeys(labels)):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(f"einsum: {label!r} in {equation!r} names sizes {x.shape[i]} and {x.shape[j]}")
            x = diagonal(x, 0, i, j)
            labels = [*labels[:i], *labels[i + 1 : j], *labels[j + 1 :], label]
    return x, labels


def _check_sizes(pairs: list[tuple[Any, Labels]], equation: str) -> None:
    sizes: dict[Any, int] = {}
    for x, labels in pairs:
        for label, size in zip(labels, x.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known):
                name = repr(label) if isinstance(label, str) else "a dimension under '...'"
                raise ShapeError(f"einsum: {name} in {equation!r} has sizes {known} and {size}; equal or 1 fits")


def _cheapest(pairs: list[tuple[Any, Labels]], output: Labels) -> tuple[int, int]:
    """Choose the pair whose product is smallest beside what it replaces."""

    def growth(i: int, j: int) -> int:
        sizes: dict[Any, int] = {}
        for x, labels in (pairs[i], pairs[j]):
            for label, size in zip(labels, x.shape, strict=True):
                sizes[label] = max(size, sizes.get(label, 0))
        needed = {*output, *[label for n, (_, labels) in enumerate(pairs) if n not in (i, j) for label in labels]}
        result = math.prod([size for label, size in sizes.items() if label in needed])
        return result - math.prod(pairs[i][0].shape) - math.prod(pairs[j][0].shape)

    return min([(i, j) for j in range(len(pairs)) for i in range(j)], key=lambda pair: growth(*pair))


def _sum_out(x: Any, labels: Labels, needed: set[Any]) -> tuple[Any, Labels]:
    gone = tuple([i for i, label in enumerate(labels) if label not in needed])
    return (sum(x, gone, False), [label for label in labels if label in needed]) if gone else (x, labels)


def _contract(first: tuple[Any, Labels], second: tuple[Any, Labels], needed: set[Any]) -> tuple[Any, Labels]:
    """Multiply two operands and sum what nothing else needs, as one product of stacks of matrices."""
    (x, x_labels), (y, y_labels) = first, second
    # A size of 1 that meets a larger one broadcasts: without it, the dimension is that of the other alone.
    shared = [label for label in x_labels if label in y_labels]
    wide = {label for label in shared if x.shape[x_labels.index(label)] != y.shape[y_labels.index(label)]}
    x, x_labels = _without_ones(x, x_labels, wide)
    y, y_labels = _without_ones(y, y_labels, wide)
    x, x_labels = _sum_out(x, x_labels, needed.union(y_labels))
    y, y_labels = _sum_out(y, y_labels, needed.union(x_labels))
    batch = [label for label in x_labels if label in y_labels and label in needed]
    summed = [label for label in x_labels if label in y_labels and label not in needed]
    left = [label for label in x_labels if label not in y_labels]
    right = [label for label in y_labels if label not in x_labels]
    sizes = {**dict(zip(x_labels, x.shape, strict=True)), **dict(zip(y_labels, y.shape, strict=True))}
    stack = tuple([sizes[label] for label in batch])
    rows, depth, columns = (math.prod([sizes[label] for label in part]) for part in (left, summed, right))
    x, y = _arranged(x, x_labels, batch + left + summed), _arranged(y, y_labels, batch + summed + right)
    if summed:
        out = matmul(_shaped(x, (*stack, rows, depth)), _shaped(y, (*stack, depth, columns)))
    else:
        out = _shaped(x, (*stack, rows, 1)) * _shaped(y, (*stack, 1, columns))
    labels = batch + left + right
    return _shaped(out, tuple([sizes[label] for label in labels])), labels


def _without_ones(x: Any, labels: Labels, wide: set[Any]) -> tuple[Any, Labels]:
    kept = [i for i, label in enumerate(labels) if label not in wide or x.shape[i] != 1]
    if len(kept) == len(labels):
        return x, labels
    return reshape(x, tuple([x.shape[i] for i in kept])), [labels[i] for i in kept]


def _arranged(x: Any, labels: Labels, wanted: Labels) -> Any:
    return x if labels == wanted else permute(x, tuple([labels.index(label) for label in wanted]))


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    return x if tuple(x.shape) == shape else reshape(x, shape)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Multiply and sum over dimensions of both.

    Args:
        a: a tensor.
        b: another.
        dims: how many of the last of `a` and the first of `b`, or two lists that name them in pairs.

    >>> import trainkit as tk
    >>> tk.tensordot(tk.ones(2, 3, 4), tk.ones(4, 3, 5), dims=([1, 2], [1, 0])).shape
    (2, 5)
    """
    of_a, of_b = _pairs(dims, a.ndim, b.ndim)
    for i, j in zip(of_a, of_b, strict=True):
        if a.shape[i] != b.shape[j]:
            raise ShapeError(
                f"tensordot of shapes {tuple(a.shape)} and {tuple(b.shape)}: dimension {i} of the first and {j} of "
                "the second differ in size"
            )
    rest_a = [i for i in range(a.ndim) if i not in of_a]
    rest_b = [i for i in range(b.ndim) if i not in of_b]
    depth = math.prod([a.shape[i] for i in of_a])
    kept_a, kept_b = [a.shape[i] for i in rest_a], [b.shape[i] for i in rest_b]
    rows = reshape(permute(a, (*rest_a, *of_a)), (math.prod(kept_a), depth))
    columns = reshape(permute(b, (*of_b, *rest_b)), (depth, math.prod(kept_b)))
    return reshape(matmul(rows, columns), (*kept_a, *kept_b))


def _pairs(dims: Any, rank_a: int, rank_b: int) -> tuple[Sequence[int], Sequence[int]]:
    if isinstance(dims, TensorBase):
        dims = dims.array.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(rank_a, rank_b):
            raise ArgumentError(f"tensordot: dims must be between 0 and {min(rank_a, rank_b)}, got {dims}")
        return range(rank_a - dims, rank_a), range(dims)
    of_a = [normalize_dim(dim, rank_a) for dim in dims[0]]
    of_b = [normalize_dim(dim, rank_b) for dim in dims[1]]
    if len(of_a) != len(of_b) or len(set(of_a)) != len(of_a) or len(set(of_b)) != len(of_b):
        raise ArgumentError(f"tensordot: dims must be two lists of one length, each dimension once, got {dims}")
    return of_a, of_b
