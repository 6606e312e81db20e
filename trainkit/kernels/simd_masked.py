"""Loads and stores of some lanes of a vector: of rows that are shorter than it, and do not begin where it would.

Where a machine has bits for masks, these cost what whole vectors do, and nothing but the chosen elements is touched.
"""

from llvmlite import ir
from numba.core import cgutils, types

from trainkit.kernels.simd import VECTOR_BYTES, Memory, Tile, add_products, in_kernels, plus, shuffle, splat

__all__ = ["MASKS", "add_taps", "copy_few_halved", "correlate_taps", "numbers", "short_row", "store_few"]

MASKS = VECTOR_BYTES == 64
"""Whether this machine has such masks."""


@in_kernels
def copy_few_halved(typingctx, out, to, array, start, count):
    """out[to + i] = array[start + 2 * i] for i below count, at most the lanes of a vector."""

    def generate(context, builder, signature, args):
        target, source = Memory(context, builder, out, args[0]), Memory(context, builder, array, args[2])
        lanes = VECTOR_BYTES // source.bytes
        extent = plus(builder, builder.shl(args[4], ir.Constant(args[4].type, 1)), -1)
        masks = [_first_lanes(builder, plus(builder, extent, -n), lanes) for n in (0, lanes)]
        value = _halved(builder, source, args[3], masks)
        _masked_store(builder, target, args[1], _first_lanes(builder, args[4], lanes), value)
        return context.get_dummy_value()

    return types.void(out, types.intp, array, types.intp, types.intp), generate


@in_kernels
def short_row(typingctx, array, columns, halved):
    """A row of as many vectors of zeros as `columns` is long, each halved as many times as `halved` is long."""
    tile = Tile(array.dtype, len(columns), 1, len(halved))

    def generate(context, builder, signature, args):
        return ir.Constant(context.get_value_type(tile), None)

    return tile(array, columns, halved), generate


@in_kernels
def store_few(typingctx, tile, out, index, count):
    """out[index + i] = lane i of tile[0, 0], for i below count."""

    def generate(context, builder, signature, args):
        memory, vector = Memory(context, builder, out, args[1]), builder.extract_value(args[0], 0)
        _masked_store(builder, memory, args[2], _first_lanes(builder, args[3], tile.lanes), vector)
        return context.get_dummy_value()

    return types.void(tile, out, types.intp, types.intp), generate


@in_kernels
def numbers(typingctx, array, index, like):
    """The elements of an array from an index on as a tuple that is as long as `like`: so they stay in registers."""
    kind = types.UniTuple(array.dtype, len(like))

    def generate(context, builder, signature, args):
        memory = Memory(context, builder, array, args[0])
        return cgutils.pack_array(builder, [memory.load(plus(builder, args[1], n)) for n in range(len(like))])

    return kind(array, types.intp, like), generate


@in_kernels
def add_taps(typingctx, tile, a, a_index, b, place, firsts, masks, form):
    """tile[0, 0] += the sum over j of a[a_index + j] * the row of tap j, as `_rows` reads it."""

    def generate(context, builder, signature, args):
        memory_a, memory_b, total = Memory(context, builder, a, args[1]), Memory(context, builder, b, args[3]), args[0]
        for j, row in enumerate(_rows(builder, memory_b, args[4], args[5], args[6], form, tile)):
            factor = splat(builder, memory_a.load(plus(builder, args[2], j)), tile.lanes)
            total = add_products(builder, tile, total, [factor], [row])
        return total

    return tile(tile, a, types.intp, b, types.intp, firsts, masks, form), generate


@in_kernels
def correlate_taps(typingctx, tile, a, a_index, count, b, place, firsts, masks, form):
    """tile[0, j] += `count` elements from a[a_index] on times the row of tap j, as `_rows` reads it."""

    def generate(context, builder, signature, args):
        memory_a, memory_b = Memory(context, builder, a, args[1]), Memory(context, builder, b, args[4])
        left = _masked_load(builder, memory_a, args[2], _first_lanes(builder, args[3], tile.lanes))
        rows = _rows(builder, memory_b, args[5], args[6], args[7], form, tile)
        return add_products(builder, tile, args[0], [left], rows)

    return tile(tile, a, types.intp, types.intp, b, types.intp, firsts, masks, form), generate


def _rows(builder, memory, place, firsts, masks, form, tile):
    """Of each tap j a vector of elements from place + firsts[j] on, and zeros where masks[j] has no bit.

    A form of one takes them as they lie, one of two every second, the mask being that of two vectors, and one of three
    spreads them over the lanes that have a bit.
    """
    rows, lanes = [], tile.lanes
    for j in range(firsts.type.count):
        start, bits = builder.add(place, builder.extract_value(firsts, j)), builder.extract_value(masks, j)
        mask = _mask(builder, bits, lanes)
        if len(form) == 2:
            more = _mask(builder, builder.lshr(bits, ir.Constant(bits.type, lanes)), lanes)
            rows.append(_halved(builder, memory, start, [mask, more]))
        else:
            rows.append(_masked_load(builder, memory, start, mask, "load" if len(form) == 1 else "expandload"))
    return rows


def _mask(builder, bits, lanes):
    return builder.bitcast(builder.trunc(bits, ir.IntType(lanes)), ir.VectorType(ir.IntType(1), lanes))


def _first_lanes(builder, count, lanes):
    """The mask of so many lanes: of none where the count is negative, and of all where it is large."""
    none, whole = ir.Constant(count.type, 0), ir.Constant(count.type, lanes)
    count = builder.select(builder.icmp_signed(">", count, none), count, none)
    count = builder.select(builder.icmp_signed("<", count, whole), count, whole)
    return _mask(builder, plus(builder, builder.shl(ir.Constant(count.type, 1), count), -1), lanes)


def _halved(builder, memory, index, masks):
    """Every second element of two vectors."""
    lanes = masks[0].type.count
    pair = [_masked_load(builder, memory, plus(builder, index, n), m) for n, m in zip((0, lanes), masks, strict=True)]
    return shuffle(builder, pair[0], pair[1], list(range(0, 2 * lanes, 2)))


def _masked_load(builder, memory, index, mask, how="load"):
    """The chosen elements, and zeros in the other lanes."""
    vector, name = ir.VectorType(memory.element, mask.type.count), f"llvm.masked.{how}"
    source = [memory.at(index)]
    if how == "load":
        source = [memory.pointer(index, vector), ir.Constant(ir.IntType(32), memory.bytes)]
    arguments = [*source, mask, ir.Constant(vector, None)]
    return _call(builder, vector, f"{name}.v{vector.count}f{8 * memory.bytes}" + ".p0" * (how == "load"), arguments)


def _masked_store(builder, memory, index, mask, value):
    align = ir.Constant(ir.IntType(32), memory.bytes)
    arguments = [value, memory.pointer(index, value.type), align, mask]
    _call(builder, ir.VoidType(), f"llvm.masked.store.v{value.type.count}f{8 * memory.bytes}.p0", arguments)


def _call(builder, result, name, arguments):
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)
