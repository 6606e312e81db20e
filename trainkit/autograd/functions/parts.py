"""Functions that take parts of a tensor: slices, pieces, diagonals; all of them views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainkit.autograd.graph import TensorBase
from trainkit.autograd.ops import strided
from trainkit.autograd.ops.index import getitem
from trainkit.autograd.ops.shape import normalize_dim
from trainkit.autograd.size import integer, sizes_of
from trainkit.errors import DTypeError, IndexRangeError, ShapeError

if TYPE_CHECKING:
    from trainkit.autograd.tensor import Tensor

__all__ = [
    "as_strided",
    "chunk",
    "diagonal",
    "dsplit",
    "hsplit",
    "narrow",
    "select",
    "split",
    "split_with_sizes",
    "tensor_split",
    "unbind",
    "vsplit",
]

_ALL = (slice(None),)


def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """Take `length` slices along `dim` from `start` on, as a view; a negative start counts from the end.

    Raises:
        IndexRangeError: the start is outside.
        ShapeError: the end is, or there is no dimension.
    """
    at, size = _dimension("narrow", input, dim)
    first, count = integer(start, "start"), integer(length, "length")
    if not -size <= first <= size:
        raise IndexRangeError(f"narrow: start {first} is out of range for dimension {dim} of size {size}")
    first += size if first < 0 else 0
    if count < 0 or first + count > size:
        raise ShapeError(
            f"narrow: {count} from {first} on do not lie in dimension {dim} of size {size}, in shape "
            f"{input.array.shape}"
        )
    return getitem(input, (*_ALL * at, slice(first, first + count)))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Take the slice `index` along `dim`, without that dimension, as a view.

    Raises:
        IndexRangeError: the index is outside, or there is no dimension.
    """
    shape = input.array.shape
    if not shape:
        raise IndexRangeError("select needs a dimension to select from; this tensor has none")
    at, place = normalize_dim(dim, len(shape)), integer(index, "index")
    if not -shape[at] <= place < shape[at]:
        raise IndexRangeError(f"select: index {place} is out of range for dimension {dim} of shape {shape}")
    return getitem(input, (*_ALL * at, place, ...))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the slices along `dim`, without that dimension, as views.

    >>> import trainkit as tk
    >>> tk.unbind(tk.tensor([[1, 2], [3, 4]]), 1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    if not input.array.ndim:
        raise IndexRangeError("unbind needs a dimension; this tensor has none")
    at = normalize_dim(dim, input.array.ndim)
    before = _ALL * at
    return tuple([getitem(input, (*before, i, ...)) for i in range(input.array.shape[at])])


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along `dim` into pieces of one size, the last of which may be smaller, or of the sizes given; views.

    >>> import trainkit as tk
    >>> [piece.shape for piece in tk.split(tk.zeros(5), 2)]
    [(2,), (2,), (1,)]
    """
    if isinstance(split_size_or_sections, (tuple, list)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    at, size = _dimension("split", tensor, dim)
    step = integer(split_size_or_sections, "split_size")
    if step < 0 or (step == 0 and size):
        raise ShapeError(f"split of dimension {dim} of size {size} needs pieces of at least 1, got {step}")
    return _cut(tensor, at, list(range(step, size, step)) if step else [])


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along `dim` into pieces of the sizes given, as views.

    Raises:
        ShapeError: the sizes do not sum up to that of the dimension.
    """
    at, size = _dimension("split", input, dim)
    sizes = sizes_of((split_sizes,))
    if sum(sizes) != size:
        raise ShapeError(f"split: sizes {sizes} sum up to {sum(sizes)}, dimension {dim} has size {size}")
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return _cut(input, at, ends[:-1]) if sizes else ()


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along `dim` into at most `chunks` pieces of one size, the last of which may be smaller; views."""
    at, size = _dimension("chunk", input, dim)
    count = integer(chunks, "chunks")
    if count < 1:
        raise ShapeError(f"chunk needs at least 1 piece, got {count}")
    step = -(-size // count)
    return _cut(input, at, list(range(step, size, step)) if step else [0] * (count - 1))


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along `dim` at indices, or into sections whose sizes differ by at most 1; views.

    Args:
        input: with at least one dimension.
        indices_or_sections: a number of sections; or where to cut, as in slices: a sequence or an integer tensor.
        dim: along which.

    >>> import trainkit as tk
    >>> [piece.shape for piece in tk.tensor_split(tk.zeros(5), 3)]
    [(2,), (2,), (1,)]
    """
    at, size = _dimension("tensor_split", input, dim)
    given = indices_or_sections
    if isinstance(given, TensorBase):
        if given.array.dtype.kind not in "iu" or given.array.ndim > 1:
            raise DTypeError(
                f"tensor_split takes an int64 tensor of no or one dimension, got {given.array.dtype} of shape "
                f"{given.array.shape}"
            )
        given = given.array.tolist()
    if isinstance(given, (tuple, list)):
        return _cut(input, at, [integer(i, "an index") for i in given])
    count = integer(given, "sections")
    if count < 1:
        raise ShapeError(f"tensor_split needs at least 1 section, got {count}")
    least, larger = divmod(size, count)
    return _cut(input, at, [i * least + min(i, larger) for i in range(1, count)])


def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Cut along dimension 1, or 0 if it is the only one: at indices, or into equal sections; views."""
    return _equal_split("hsplit", input, indices_or_sections, 0 if input.array.ndim == 1 else 1, 1)


def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Cut along dimension 0 of at least 2: at indices, or into equal sections; views."""
    return _equal_split("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Cut along dimension 2 of at least 3: at indices, or into equal sections; views."""
    return _equal_split("dsplit", input, indices_or_sections, 2, 3)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions as a new last dimension, a view; a positive `offset` lies to the right."""
    return strided.diagonal(input, integer(offset, "offset"), dim1, dim2)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The memory of `input` in any shape with any strides, counted in elements; a view.

    Args:
        input: whose memory is taken.
        size: the shape.
        stride: how far apart in memory neighbours along each dimension lie.
        storage_offset: where it begins in the memory of the tensor of which `input` is a view; None: where `input`
            does.

    Raises:
        ShapeError: it would reach out of the memory.

    >>> import trainkit as tk
    >>> tk.as_strided(tk.arange(4), (3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    begin = 0 if storage_offset is None else integer(storage_offset, "storage_offset") - strided.storage_offset(input)
    array = input.array
    layout = tuple([step // array.itemsize for step in array.strides])
    return strided.as_strided(input, sizes_of((size,)), sizes_of((stride,)), begin, layout)


def _dimension(name: str, input: Tensor, dim: int) -> tuple[int, int]:
    shape = input.array.shape
    if not shape:
        raise ShapeError(f"{name} needs a tensor of at least one dimension, got one of none; reshape(1) gives it one")
    at = normalize_dim(dim, len(shape))
    return at, shape[at]


def _cut(input: Tensor, at: int, places: list[int]) -> tuple[Tensor, ...]:
    """Cut along dimension `at` at `places`, which mean what they mean in slices."""
    before = _ALL * at
    pairs = zip([0, *places], [*places, None], strict=True)
    return tuple([getitem(input, (*before, slice(start, end))) for start, end in pairs])


def _equal_split(name: str, input: Tensor, given: Any, dim: int, least: int) -> tuple[Tensor, ...]:
    shape = input.array.shape
    if len(shape) < least:
        raise ShapeError(f"{name} needs at least {least} dimensions, got shape {shape}")
    if not isinstance(given, (tuple, list)):
        count = integer(given, "sections")
        if count < 1 or shape[dim] % count:
            raise ShapeError(
                f"{name} cannot cut dimension {dim} of shape {shape} into {count} equal sections; tensor_split() takes "
                "unequal ones"
            )
    return tensor_split(input, given, dim)
