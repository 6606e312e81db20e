"""Steps of register tiles whose columns lie apart: in the planes of several taps, or of several channels."""

from llvmlite import ir
from numba.core import types

from trainkit.kernels.simd import Memory, add_products, in_kernels, plus, splat

__all__ = ["inner_apart", "inner_end", "outer_apart"]


@in_kernels
def outer_apart(typingctx, tile, a, a_index, b, b0, b1, b2):
    """tile[r, c] += a[a_index + r] * b[b_c : + lanes]: a step of a product, of as many columns as the tile has."""

    def generate(context, builder, signature, args):
        memory_a = Memory(context, builder, a, args[1])
        memory_b = Memory(context, builder, b, args[3])
        vector = ir.VectorType(memory_b.element, tile.lanes)
        right = [memory_b.load(index, vector) for index in args[4 : 4 + tile.columns]]
        left = [splat(builder, memory_a.load(plus(builder, args[2], r)), tile.lanes) for r in range(tile.rows)]
        return add_products(builder, tile, args[0], left, right)

    return tile(tile, a, types.intp, b, types.intp, types.intp, types.intp), generate


@in_kernels
def inner_apart(typingctx, tile, a, a_index, a_stride, b, b_index, places, place):
    """tile[r, c] += a[a_index + r * a_stride : + lanes] * b[b_index + places[place + c] : + lanes]."""

    def generate(context, builder, signature, args):
        return _inner(context, builder, tile, (a, b, places), args, lambda vector: vector)

    return tile(tile, a, types.intp, types.intp, b, types.intp, places, types.intp), generate


@in_kernels
def inner_end(typingctx, tile, a, a_index, a_stride, b, b_index, places, place, count):
    """What `inner_apart` does, of the last `count` lanes alone."""

    def generate(context, builder, signature, args):
        index = args[8].type
        kind = ir.VectorType(index, tile.lanes)
        first = builder.sub(ir.Constant(index, tile.lanes), args[8])
        wanted = builder.icmp_signed(
            ">=", ir.Constant(kind, list(range(tile.lanes))), splat(builder, first, tile.lanes)
        )
        return _inner(
            context,
            builder,
            tile,
            (a, b, places),
            args,
            lambda vector: builder.select(wanted, vector, ir.Constant(vector.type, None)),
        )

    return tile(tile, a, types.intp, types.intp, b, types.intp, places, types.intp, types.intp), generate


def _inner(context, builder, tile, arrays, args, chosen):
    """A step of dot products, of what `chosen` leaves of the rows."""
    memory_a, memory_b, table = (
        Memory(context, builder, kind, args[at]) for kind, at in zip(arrays, (1, 4, 6), strict=True)
    )
    vector = ir.VectorType(memory_b.element, tile.lanes)
    right, left, index = [], [], args[2]
    for c in range(tile.columns):
        start = builder.add(args[5], table.load(plus(builder, args[7], c)))
        right.append(memory_b.load(start, vector))
    for _ in range(tile.rows):
        left.append(chosen(memory_a.load(index, vector)))
        index = builder.add(index, args[3])
    return add_products(builder, tile, args[0], left, right)
