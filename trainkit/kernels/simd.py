"""A register tile for kernels in plain Python: rows x columns LLVM vectors that stay in registers.

A tile is a numba value whose LLVM type is an array of vectors: ROWS of them high (`zero_tile`) or one (`zero_row`).
`outer` and `inner` add products into it, `store`, `sums` and `sums_turned` write it out, `loaded` takes up again what
was stored. LLVM breaks the array into single registers and lowers the vectors for SSE, AVX, AVX-512 and NEON, so that
one source serves every CPU, and float32 and float64 alike. No index is checked: the caller answers for each.

`copy` and its kin move runs of elements between flat arrays: a slice of an array would count a reference, which takes
longer than to copy a short row.
"""

from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

__all__ = [
    "COLUMNS",
    "ROWS",
    "VECTOR_BYTES",
    "begin",
    "clear",
    "copy",
    "copy_strided",
    "copy_vector",
    "inner",
    "loaded",
    "outer",
    "store",
    "sums",
    "sums_turned",
    "turn",
    "zero_row",
    "zero_tile",
]


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


class Tile(types.Type):
    """The numba type of rows x columns vectors of a dtype; the vectors are whole ones, or halved so many times."""

    def __init__(self, dtype: types.Float, columns: int, rows: int = ROWS, halved: int = 0) -> None:
        self.dtype, self.columns, self.rows = dtype, columns, rows
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth >> halved
        super().__init__(name=f"Tile({dtype}, {columns}, {rows}, {self.lanes})")


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        vector = ir.VectorType(manager[tile.dtype].get_value_type(), tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(vector, tile.rows * tile.columns))


class Memory:
    """The elements of an array argument, addressed by their flat index."""

    def __init__(self, context, builder, array_type, array):
        self.builder, self.bytes = builder, array_type.dtype.bitwidth // 8
        self.data = context.make_array(array_type)(context, builder, value=array).data
        self.element = self.data.type.pointee

    def at(self, index):
        return self.builder.gep(self.data, [index])

    def pointer(self, index, type):
        return self.builder.bitcast(self.at(index), type.as_pointer())

    def load(self, index, type=None):
        return self.builder.load(self.pointer(index, type or self.element), align=self.bytes)

    def store(self, index, value):
        self.builder.store(value, self.pointer(index, value.type), align=self.bytes)


def plus(builder, index, number):
    return builder.add(index, ir.Constant(index.type, number))


def shuffle(builder, a, b, lanes):
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(a, b, mask)


def splat(builder, number, lanes):
    vector = ir.VectorType(number.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return shuffle(builder, first, first, [0] * lanes)


def rescaled(builder, vector, start, scale, shift):
    """(vector - start) * scale + shift."""
    product = builder.fmul(builder.fsub(vector, start, flags=FUSE), scale, flags=FUSE)
    return builder.fadd(product, shift, flags=FUSE)


def add_products(builder, tile_type, tile, left, right):
    """tile[r, c] += left[r] * right[c], vector by vector."""
    for r in range(tile_type.rows):
        for c in range(tile_type.columns):
            at = r * tile_type.columns + c
            product = builder.fmul(left[r], right[c], flags=FUSE)
            total = builder.fadd(builder.extract_value(tile, at), product, flags=FUSE)
            tile = builder.insert_value(tile, total, at)
    return tile


@in_kernels
def zero_tile(typingctx, array, columns):
    """A tile of zeros, `columns` (a constant) vectors wide, of the array's dtype."""
    tile_type = Tile(array.dtype, columns.literal_value)

    def generate(context, builder, signature, args):
        return ir.Constant(context.get_value_type(tile_type), None)

    return tile_type(array, columns), generate


@in_kernels
def zero_row(typingctx, array, columns):
    """A tile of zeros that is one vector high: for the products of a single row."""
    tile_type = Tile(array.dtype, columns.literal_value, 1)

    def generate(context, builder, signature, args):
        return ir.Constant(context.get_value_type(tile_type), None)

    return tile_type(array, columns), generate


@in_kernels
def outer(typingctx, tile, a, a_index, a_stride, b, b_index):
    """tile[r, c] += a[a_index + r * a_stride] * b[b_index + c * lanes : + lanes]: a step of a product."""

    def generate(context, builder, signature, args):
        memory_a = Memory(context, builder, a, args[1])
        memory_b = Memory(context, builder, b, args[4])
        vector = ir.VectorType(memory_b.element, tile.lanes)
        right = [memory_b.load(plus(builder, args[5], c * tile.lanes), vector) for c in range(tile.columns)]
        left, index = [], args[2]
        for _ in range(tile.rows):
            left.append(splat(builder, memory_a.load(index), tile.lanes))
            index = builder.add(index, args[3])
        return add_products(builder, tile, args[0], left, right)

    return tile(tile, a, types.intp, types.intp, b, types.intp), generate


@in_kernels
def inner(typingctx, tile, a, a_index, a_stride, b, b0, b1, b2):
    """tile[r, c] += a[a_index + r * a_stride : + lanes] * b[b_c : + lanes]: a step of dot products."""

    def generate(context, builder, signature, args):
        memory_a = Memory(context, builder, a, args[1])
        memory_b = Memory(context, builder, b, args[4])
        vector = ir.VectorType(memory_b.element, tile.lanes)
        right = [memory_b.load(index, vector) for index in args[5:]]
        left, index = [], args[2]
        for _ in range(tile.rows):
            left.append(memory_a.load(index, vector))
            index = builder.add(index, args[3])
        return add_products(builder, tile, args[0], left, right)

    return tile(tile, a, types.intp, types.intp, b, types.intp, types.intp, types.intp), generate


@in_kernels
def store(typingctx, tile, out, index, row_stride):
    """out[index + r * row_stride + c * lanes : + lanes] = tile[r, c]."""

    def generate(context, builder, signature, args):
        memory, start = Memory(context, builder, out, args[1]), args[2]
        for r in range(tile.rows):
            for c in range(tile.columns):
                vector = builder.extract_value(args[0], r * tile.columns + c)
                memory.store(plus(builder, start, c * tile.lanes), vector)
            start = builder.add(start, args[3])
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), generate


@in_kernels
def begin(typingctx, tile, array, index):
    """A tile of the type of `tile` whose row r is array[index + r] throughout."""

    def generate(context, builder, signature, args):
        memory, result = Memory(context, builder, array, args[1]), args[0]
        for r in range(tile.rows):
            value = splat(builder, memory.load(plus(builder, args[2], r)), tile.lanes)
            for c in range(tile.columns):
                result = builder.insert_value(result, value, r * tile.columns + c)
        return result

    return tile(tile, array, types.intp), generate


@in_kernels
def loaded(typingctx, tile, array, index, row_stride):
    """The tile that `store(tile, array, index, row_stride)` wrote, of the type of `tile`."""

    def generate(context, builder, signature, args):
        memory, start, result = Memory(context, builder, array, args[1]), args[2], args[0]
        vector = ir.VectorType(memory.element, tile.lanes)
        for r in range(tile.rows):
            for c in range(tile.columns):
                value = memory.load(plus(builder, start, c * tile.lanes), vector)
                result = builder.insert_value(result, value, r * tile.columns + c)
            start = builder.add(start, args[3])
        return result

    return tile(tile, array, types.intp, types.intp), generate


@in_kernels
def copy_vector(typingctx, out, out_index, array, index):
    """out[out_index : + lanes] = array[index : + lanes]."""

    def generate(context, builder, signature, args):
        target, source = Memory(context, builder, out, args[0]), Memory(context, builder, array, args[2])
        vector = ir.VectorType(source.element, VECTOR_BYTES // source.bytes)
        target.store(args[1], source.load(args[3], vector))
        return context.get_dummy_value()

    return types.void(out, types.intp, array, types.intp), generate


@in_kernels
def clear(typingctx, array, start, count):
    """array[start : start + count] = 0."""

    def generate(context, builder, signature, args):
        memory = Memory(context, builder, array, args[0])
        size = builder.mul(args[2], ir.Constant(args[2].type, memory.bytes))
        cgutils.memset(builder, memory.at(args[1]), size, 0)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


@in_kernels
def copy(typingctx, out, to, array, start, count):
    """out[to : to + count] = array[start : start + count], of two arrays."""

    def generate(context, builder, signature, args):
        target, source = Memory(context, builder, out, args[0]), Memory(context, builder, array, args[2])
        cgutils.raw_memcpy(builder, target.at(args[1]), source.at(args[3]), args[4], source.bytes)
        return context.get_dummy_value()

    return types.void(out, types.intp, array, types.intp, types.intp), generate


@in_kernels
def copy_strided(typingctx, out, to, out_step, array, start, step, count):
    """out[to + i * out_step] = array[start + i * step] for i below count."""

    def generate(context, builder, signature, args):
        target, source = Memory(context, builder, out, args[0]), Memory(context, builder, array, args[3])
        function = _strided_copy(builder.module, source.element, args[1].type)
        builder.call(function, [target.at(args[1]), args[2], source.at(args[4]), args[5], args[6]])
        return context.get_dummy_value()

    index = types.intp
    return types.void(out, index, index, array, index, index, index), generate


def _strided_copy(module, element, index):
    """The loop as a function of its own: where it is inlined, LLVM takes a second to make it quick each time."""
    pointer = element.as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [pointer, index, pointer, index, index])
    function = cgutils.get_or_insert_function(module, signature, f"trainkit_strided_copy_{element}")
    if function.is_declaration:
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        target, target_step, source, source_step, count = function.args
        with cgutils.for_range(builder, count) as loop:
            value = builder.load(builder.gep(source, [builder.mul(loop.index, source_step)]))
            builder.store(value, builder.gep(target, [builder.mul(loop.index, target_step)]))
        builder.ret_void()
    return function


@in_kernels
def sums(typingctx, tile, out, index):
    """out[index + r * columns + c] = the sum of the lanes of tile[r, c]."""

    def generate(context, builder, signature, args):
        memory = Memory(context, builder, out, args[1])
        count = tile.rows * tile.columns
        vectors = [builder.extract_value(args[0], i) for i in range(count)]
        done = 0
        while done < count:
            size = min(tile.lanes, 1 << ((count - done).bit_length() - 1))
            total = _lane_sums(builder, vectors[done : done + size], tile.lanes)
            memory.store(plus(builder, args[2], done), shuffle(builder, total, total, list(range(size))))
            done += size
        return context.get_dummy_value()

    return types.void(tile, out, types.intp), generate


@in_kernels
def sums_turned(typingctx, tile, out, index, step, shift, shift_index):
    """out[index + c * step + r] = shift[shift_index + r] + the sum of the lanes of tile[r, c]."""

    def generate(context, builder, signature, args):
        memory, shifts = Memory(context, builder, out, args[1]), Memory(context, builder, shift, args[4])
        size = min(tile.lanes, tile.rows)
        for first in range(0, tile.rows, size):
            added = shifts.load(plus(builder, args[5], first), ir.VectorType(shifts.element, size))
            start = plus(builder, args[2], first)
            for c in range(tile.columns):
                places = [(first + r) * tile.columns + c for r in range(size)]
                vectors = [builder.extract_value(args[0], place) for place in places]
                total = _lane_sums(builder, vectors, tile.lanes)
                total = shuffle(builder, total, total, list(range(size)))
                memory.store(start, builder.fadd(total, added))
                start = builder.add(start, args[3])
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp, shift, types.intp), generate


@in_kernels
def turn(typingctx, out, to, out_step, array, start, step, count):
    """out[to + k * out_step + c] = array[start + c * step + k] for all k and c below the lanes of a vector.

    From `count` on, each c is like the last below it: nothing is read there, and the lanes are not for use.
    """

    def generate(context, builder, signature, args):
        target, source = Memory(context, builder, out, args[0]), Memory(context, builder, array, args[3])
        lanes = VECTOR_BYTES // source.bytes
        vector, vectors, at = ir.VectorType(source.element, lanes), [], args[4]
        for c in range(lanes):
            vectors.append(source.load(at, vector))
            more = builder.icmp_signed("<", ir.Constant(args[6].type, c + 1), args[6])
            at = builder.select(more, builder.add(at, args[5]), at)
        bit = 1
        while bit < lanes:  # exchange the lanes with this bit for the vectors with it
            low = [i + (lanes - bit if i & bit else 0) for i in range(lanes)]
            high = [i + (lanes if i & bit else bit) for i in range(lanes)]
            for i in range(lanes):
                if not i & bit:
                    a, b = vectors[i], vectors[i + bit]
                    vectors[i], vectors[i + bit] = shuffle(builder, a, b, low), shuffle(builder, a, b, high)
            bit *= 2
        at = args[1]
        for row in vectors:
            target.store(at, row)
            at = builder.add(at, args[2])
        return context.get_dummy_value()

    index = types.intp
    return types.void(out, index, index, array, index, index, index), generate


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
            merged.append(builder.fadd(shuffle(builder, a, b, straight), shuffle(builder, a, b, crossed)))
        vectors = merged
        step *= 2
    return vectors[0]
