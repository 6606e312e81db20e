"""A register tile for kernels in plain Python: ROWS x columns LLVM vectors that stay in registers.

A tile is a numba value whose LLVM type is an array of vectors. `outer` and `inner` add products into it,
`store` and `sums` write it out. LLVM breaks the array into single registers and lowers the vectors for SSE,
AVX, AVX-512 and NEON, so that one source serves every CPU, and float32 and float64 alike. No index is
checked: the caller answers for each.
"""

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

__all__ = ["COLUMNS", "ROWS", "VECTOR_BYTES", "inner", "outer", "store", "sums", "zero_tile"]


def _machine() -> tuple[int, int]:
    """Bytes of a vector and rows of a tile: rows x 3 accumulators fit into the registers with 4 to spare."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 8
    if features.get("avx2"):
        return 32, 4
    return (16, 8) if "neon" in features else (16, 4)


VECTOR_BYTES, ROWS = _machine()
COLUMNS = 3
in_kernels: Any = intrinsic(prefer_literal=True)  # each below is a piece of LLVM, inlined where it is called
FUSE = ("contract", "nsz")  # a multiply and an add may become one instruction; NaN stays NaN


class _Tile(types.Type):
    """The numba type of ROWS x columns vectors of a dtype."""

    def __init__(self, dtype: types.Float, columns: int) -> None:
        self.dtype, self.columns = dtype, columns
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Tile({dtype}, {columns})")


@register_model(_Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        vector = ir.VectorType(manager[tile.dtype].get_value_type(), tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(vector, ROWS * tile.columns))


class _Memory:
    """The elements of an array argument, addressed by their flat index."""

    def __init__(self, context, builder, array_type, array):
        self.builder, self.bytes = builder, array_type.dtype.bitwidth // 8
        self.data = context.make_array(array_type)(context, builder, value=array).data
        self.element = self.data.type.pointee

    def _pointer(self, index, type):
        return self.builder.bitcast(self.builder.gep(self.data, [index]), type.as_pointer())

    def load(self, index, type=None):
        return self.builder.load(self._pointer(index, type or self.element), align=self.bytes)

    def store(self, index, value):
        self.builder.store(value, self._pointer(index, value.type), align=self.bytes)


def _plus(builder, index, number):
    return builder.add(index, ir.Constant(index.type, number))


def _shuffle(builder, a, b, lanes):
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(a, b, mask)


def _splat(builder, number, lanes):
    vector = ir.VectorType(number.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, first, [0] * lanes)


def _add_products(builder, tile_type, tile, left, right):
    """tile[r, c] += left[r] * right[c], vector by vector."""
    for r in range(ROWS):
        for c in range(tile_type.columns):
            at = r * tile_type.columns + c
            product = builder.fmul(left[r], right[c], flags=FUSE)
            total = builder.fadd(builder.extract_value(tile, at), product, flags=FUSE)
            tile = builder.insert_value(tile, total, at)
    return tile


@in_kernels
def zero_tile(typingctx, array, columns):
    """A tile of zeros, `columns` (a constant) vectors wide, of the array's dtype."""
    tile_type = _Tile(array.dtype, columns.literal_value)

    def generate(context, builder, signature, args):
        return ir.Constant(context.get_value_type(tile_type), None)

    return tile_type(array, columns), generate


@in_kernels
def outer(typingctx, tile, a, a_index, a_stride, b, b_index):
    """tile[r, c] += a[a_index + r * a_stride] * b[b_index + c * lanes : + lanes]: a step of a product."""

    def generate(context, builder, signature, args):
        memory_a = _Memory(context, builder, a, args[1])
        memory_b = _Memory(context, builder, b, args[4])
        vector = ir.VectorType(memory_b.element, tile.lanes)
        right = [memory_b.load(_plus(builder, args[5], c * tile.lanes), vector) for c in range(tile.columns)]
        left, index = [], args[2]
        for _ in range(ROWS):
            left.append(_splat(builder, memory_a.load(index), tile.lanes))
            index = builder.add(index, args[3])
        return _add_products(builder, tile, args[0], left, right)

    return tile(tile, a, types.intp, types.intp, b, types.intp), generate


@in_kernels
def inner(typingctx, tile, a, a_index, a_stride, b, b0, b1, b2):
    """tile[r, c] += a[a_index + r * a_stride : + lanes] * b[b_c : + lanes]: a step of dot products."""

    def generate(context, builder, signature, args):
        memory_a = _Memory(context, builder, a, args[1])
        memory_b = _Memory(context, builder, b, args[4])
        vector = ir.VectorType(memory_b.element, tile.lanes)
        right = [memory_b.load(index, vector) for index in args[5:]]
        left, index = [], args[2]
        for _ in range(ROWS):
            left.append(memory_a.load(index, vector))
            index = builder.add(index, args[3])
        return _add_products(builder, tile, args[0], left, right)

    return tile(tile, a, types.intp, types.intp, b, types.intp, types.intp, types.intp), generate


@in_kernels
def store(typingctx, tile, out, index, row_stride):
    """out[index + r * row_stride + c * lanes : + lanes] = tile[r, c]."""

    def generate(context, builder, signature, args):
        memory, start = _Memory(context, builder, out, args[1]), args[2]
        for r in range(ROWS):
            for c in range(tile.columns):
                vector = builder.extract_value(args[0], r * tile.columns + c)
                memory.store(_plus(builder, start, c * tile.lanes), vector)
            start = builder.add(start, args[3])
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), generate


@in_kernels
def sums(typingctx, tile, out, index):
    """out[index + r * columns + c] = the sum of the lanes of tile[r, c]."""

    def generate(context, builder, signature, args):
        memory = _Memory(context, builder, out, args[1])
        count = ROWS * tile.columns
        vectors = [builder.extract_value(args[0], i) for i in range(count)]
        done = 0
        while done < count:
            size = min(tile.lanes, 1 << ((count - done).bit_length() - 1))
            total = _lane_sums(builder, vectors[done : done + size], tile.lanes)
            memory.store(_plus(builder, args[2], done), _shuffle(builder, total, total, list(range(size))))
            done += size
        return context.get_dummy_value()

    return types.void(tile, out, types.intp), generate


def _lane_sums(builder, vectors, lanes):
    """A vector whose lane i is the sum of vectors[i]; their number is a power of two, at most `lanes`.

    Each step halves the number of vectors: the pair (a, b) becomes one that holds a's half sums where bit
    `step` of the lane is 0 and b's where it is 1. That is 3 instructions a pair, a third of summing one by
    one.
    """
    step = 1
    while step < lanes:
        merged = []
        for a, b in zip(vectors[::2], vectors[1::2] or vectors, strict=True):
            straight = [i + (lanes if i & step else 0) for i in range(lanes)]
            crossed = [(i ^ step) + (lanes if i & step else 0) for i in range(lanes)]
            merged.append(builder.fadd(_shuffle(builder, a, b, straight), _shuffle(builder, a, b, crossed)))
        vectors = merged
        step *= 2
    return vectors[0]
