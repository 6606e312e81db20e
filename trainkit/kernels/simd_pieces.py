"""Tiles whose vectors are put together of the pieces of several rows of an image, and tiles of any height.

Pixels of an image that lie in rows of a wider plane fill the lanes one after another, as if no row ended: a vector is
loaded for each of two rows and merged under a mask, which depends on its place alone.
"""

from llvmlite import ir
from numba.core import types

from trainkit.kernels.simd import VECTOR_BYTES, Memory, Tile, add_products, in_kernels, plus, rescaled, shuffle, splat

__all__ = ["clamp", "copy_halved", "outer_pieces", "scaled", "store_pieces", "tile_like"]


@in_kernels
def tile_like(typingctx, array, rows, columns):
    """A tile of zeros of the array's dtype, `rows` high and `columns` wide: constants, or tuples that are so long."""
    tile_type = Tile(array.dtype, _extent(columns), _extent(rows))

    def generate(context, builder, signature, args):
        return ir.Constant(context.get_value_type(tile_type), None)

    return tile_type(array, rows, columns), generate


def _extent(kind):
    return len(kind) if isinstance(kind, types.BaseTuple) else kind.literal_value


@in_kernels
def outer_pieces(typingctx, tile, a, a_index, apart, b, offset, starts, ends, gap):
    """tile[r, c] += a[a_index + r * stride] * v[c], where v[c] is the vector at b[starts[c] + offset].

    From lane ends[c] on it is what lies `gap` further; no lane does if `ends` is (). The stride is `apart[0]`, or the
    constant 1 if `apart` is ().
    """

    def generate(context, builder, signature, args):
        memory_a, memory_b = Memory(context, builder, a, args[1]), Memory(context, builder, b, args[4])
        vector, right = ir.VectorType(memory_b.element, tile.lanes), []
        for c in range(tile.columns):
            place = builder.add(builder.extract_value(args[6], c), args[5])
            value = memory_b.load(place, vector)
            if len(ends):
                beyond = _lanes_from(builder, builder.extract_value(args[7], c), tile.lanes)
                value = builder.select(beyond, memory_b.load(builder.add(place, args[8]), vector), value)
            right.append(value)
        left, index = [], args[2]
        stride = builder.extract_value(args[3], 0) if len(apart) else ir.Constant(index.type, 1)
        for _ in range(tile.rows):
            left.append(splat(builder, memory_a.load(index), tile.lanes))
            index = builder.add(index, stride)
        return add_products(builder, tile, args[0], left, right)

    index = types.intp
    return tile(tile, a, index, apart, b, index, starts, ends, index), generate


def _lanes_from(builder, end, lanes):
    """The mask of the lanes from `end` on.

    LLVM moves a comparison of vectors into the loop that needs it, where it takes a tenth of the time; so with AVX-512,
    whose masks are bits, it is not a comparison.
    """
    if VECTOR_BYTES == 64:
        size = ir.Constant(end.type, lanes)
        end = builder.select(builder.icmp_signed("<", end, size), end, size)
        bits = builder.trunc(builder.shl(ir.Constant(end.type, -1), end), ir.IntType(lanes))
        return builder.bitcast(bits, ir.VectorType(ir.IntType(1), lanes))
    places = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(lanes)))
    return builder.icmp_signed(">=", places, splat(builder, builder.trunc(end, ir.IntType(32)), lanes))


@in_kernels
def store_pieces(typingctx, tile, out, places, row_stride):
    """out[places[c] + r * row_stride : + lanes] = tile[r, c], for each row the columns in order."""

    def generate(context, builder, signature, args):
        memory, skip = Memory(context, builder, out, args[1]), ir.Constant(args[3].type, 0)
        for r in range(tile.rows):
            for c in range(tile.columns):
                vector = builder.extract_value(args[0], r * tile.columns + c)
                memory.store(builder.add(builder.extract_value(args[2], c), skip), vector)
            skip = builder.add(skip, args[3])
        return context.get_dummy_value()

    return types.void(tile, out, places, types.intp), generate


@in_kernels
def scaled(typingctx, tile, array, index, step):
    """(tile[r, c] - array[index + r]) * array[index + step + r] + array[index + 2 * step + r]."""

    def generate(context, builder, signature, args):
        memory, result = Memory(context, builder, array, args[1]), args[0]
        second = builder.add(args[2], args[3])
        places = args[2], second, builder.add(second, args[3])
        for r in range(tile.rows):
            factors = [splat(builder, memory.load(plus(builder, place, r)), tile.lanes) for place in places]
            for i in range(r * tile.columns, (r + 1) * tile.columns):
                result = builder.insert_value(result, rescaled(builder, builder.extract_value(result, i), *factors), i)
        return result

    return tile(tile, array, types.intp, types.intp), generate


@in_kernels
def clamp(typingctx, tile):
    """Each element but at least 0; NaN stays NaN."""

    def generate(context, builder, signature, args):
        result = args[0]
        for i in range(tile.rows * tile.columns):
            value = builder.extract_value(result, i)
            zero = ir.Constant(value.type, None)
            value = builder.select(builder.fcmp_ordered(">", zero, value), zero, value)
            result = builder.insert_value(result, value, i)
        return result

    return tile(tile), generate


@in_kernels
def copy_halved(typingctx, out, to, array, start):
    """out[to + i] = array[start + 2 * i] for i below the lanes of a vector; the element behind the last is read too."""

    def generate(context, builder, signature, args):
        target, source = Memory(context, builder, out, args[0]), Memory(context, builder, array, args[2])
        lanes = VECTOR_BYTES // source.bytes
        vector = ir.VectorType(source.element, lanes)
        pair = source.load(args[3], vector), source.load(plus(builder, args[3], lanes), vector)
        target.store(args[1], shuffle(builder, *pair, list(range(0, 2 * lanes, 2))))
        return context.get_dummy_value()

    return types.void(out, types.intp, array, types.intp), generate
