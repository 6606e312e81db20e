"""The transforms of Winograd's convolution F(4x4, 3x3), a vector of channels at a time, as pieces of LLVM.

A tile of 4x4 outputs of a 3x3 filter g over 6x6 inputs d is A^T ((G g G^T) * (B^T d B)) A: 36 products, where taking
tap by tap takes 144 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). The polynomials behind
it are evaluated at 0, +-NEAR, +-FAR and infinity. These points were chosen by measurement: with 5/8 and 3/2 the error
is less than half of that with the usual 1 and 2, and all factors but those of G are exact. The gradient of the weight
is the adjoint: G^T ((A dy A^T) * (B^T d B)) G, summed over tiles.

Filters that move by two pixels see the even pixels of a line through two of their taps, the odd ones through one.
F(4, 2) on the former, at the same points but 0, takes 5 products, the latter take 4: 9 for 12, and 81 for 144 in two
dimensions. The gradient of the input goes the same way: of 8 pixels every second is reached by two taps.

A transform serves what its `kind` says, a tuple of a length: each has code of its own.

`spread` and `collect` carry runs of pixels from planes, one for a channel, to vectors of channels and back.
"""

from typing import Any

from llvmlite import ir
from numba.core import types

from trainkit.kernels.simd import FUSE, VECTOR_BYTES, Memory, in_kernels, plus, rescaled, shuffle, splat

__all__ = [
    "PLAIN",
    "SPACED",
    "STRIDED",
    "collect",
    "data_transform",
    "filter_grad",
    "filter_transform",
    "grad_transform",
    "output_transform",
    "spread",
]

NEAR, FAR = 5 / 8, 3 / 2
NEAR_2, FAR_2 = NEAR**2, FAR**2
# The denominators of Lagrange's polynomials at 0, +-NEAR and +-FAR.
AT_0, AT_NEAR, AT_FAR = NEAR_2 * FAR_2, 2 * NEAR_2 * (NEAR_2 - FAR_2), 2 * FAR_2 * (FAR_2 - NEAR_2)


PLAIN, STRIDED, SPACED = (0,), (0, 0), (0, 0, 0)


class _Line:
    """Arithmetic on vectors, and the transforms of a line: each takes a list of vectors and gives one."""

    def __init__(self, builder: Any, vector: Any) -> None:
        self.builder, self.vector = builder, vector

    def add(self, a, b):
        return self.builder.fadd(a, b, flags=FUSE)

    def sub(self, a, b):
        return self.builder.fsub(a, b, flags=FUSE)

    def mul(self, number, a):
        return self.builder.fmul(ir.Constant(self.vector, [number] * self.vector.count), a, flags=FUSE)

    def fma(self, number, a, b):
        return self.add(self.mul(number, a), b)

    def both(self, even, number, odd):
        """The values at a point and at its negative, from the even and odd parts."""
        return self.fma(number, odd, even), self.fma(-number, odd, even)

    def data(self, d):
        """B^T d, 6 to 6."""
        return [self.fma(AT_0, d[0], self.fma(-NEAR_2 - FAR_2, d[2], d[4])), *self._pair_data(d[1:])]

    def _pair_data(self, d):
        """B^T d of F(4, 2), 5 to 5."""
        near = self.both(self.fma(-FAR_2, d[1], d[3]), NEAR, self.fma(-FAR_2, d[0], d[2]))
        far = self.both(self.fma(-NEAR_2, d[1], d[3]), FAR, self.fma(-NEAR_2, d[0], d[2]))
        return [*near, *far, self.fma(AT_0, d[0], self.fma(-NEAR_2 - FAR_2, d[2], d[4]))]

    def strided_data(self, d):
        """9 to 9: the even ones transformed, then the odd ones."""
        return [*self._pair_data(d[::2]), *d[1::2]]

    def spaced_data(self, d):
        """5 to 9."""
        return [*self._pair_data(d), *d[:4]]

    def _pair_output(self, m):
        """A^T m of F(4, 2), 5 to 4."""
        near, near_odd, far, far_odd = self._parts([m[0], *m])
        return [
            self.add(near, far),
            self.fma(FAR, far_odd, self.mul(NEAR, near_odd)),
            self.fma(FAR_2, far, self.mul(NEAR_2, near)),
            self.fma(FAR**3, far_odd, self.fma(NEAR**3, near_odd, m[4])),
        ]

    def strided_output(self, m):
        """9 to 4: of the even and of the odd pixels, added."""
        return [self.add(even, odd) for even, odd in zip(self._pair_output(m), m[5:], strict=True)]

    def spaced_output(self, m):
        """9 to 8: pixels that one tap reaches and those that two do, in turns."""
        return [pixel for pair in zip(m[5:], self._pair_output(m), strict=True) for pixel in pair]

    def output(self, m):
        """A^T m, 6 to 4."""
        first, *others = self._pair_output(m[1:])
        return [self.add(m[0], first), *others]

    def filters(self, g):
        """G g, 3 to 6."""
        near = self.fma(NEAR_2 / AT_NEAR, g[2], self.mul(1 / AT_NEAR, g[0]))
        far = self.fma(FAR_2 / AT_FAR, g[2], self.mul(1 / AT_FAR, g[0]))
        return [
            self.mul(1 / AT_0, g[0]),
            *self.both(near, NEAR / AT_NEAR, g[1]),
            *self.both(far, FAR / AT_FAR, g[1]),
            g[2],
        ]

    def strided_filters(self, g):
        """3 to 6: the outer taps transformed, and the middle one, which 4 products share."""
        near = self.both(self.mul(0.5 / NEAR / (NEAR_2 - FAR_2), g[0]), 0.5 / (NEAR_2 - FAR_2), g[2])
        far = self.both(self.mul(0.5 / FAR / (FAR_2 - NEAR_2), g[0]), 0.5 / (FAR_2 - NEAR_2), g[2])
        return [near[0], self.neg(near[1]), far[0], self.neg(far[1]), g[2], g[1]]

    def grad(self, y):
        """A y, 4 to 6."""
        near = self.both(self.fma(NEAR_2, y[2], y[0]), NEAR, self.fma(NEAR_2, y[3], y[1]))
        far = self.both(self.fma(FAR_2, y[2], y[0]), FAR, self.fma(FAR_2, y[3], y[1]))
        return [y[0], *near, *far, y[3]]

    def strided_grad(self, y):
        """4 to 9: A y of F(4, 2), and y itself."""
        return [*self.grad(y)[1:], *y]

    def strided_filter_grad(self, m):
        """6 to 3."""
        near, near_odd, far, far_odd = self._parts([m[0], *m])
        return [
            self.fma(0.5 / FAR / (FAR_2 - NEAR_2), far_odd, self.mul(0.5 / NEAR / (NEAR_2 - FAR_2), near_odd)),
            m[5],
            self.fma(0.5 / (FAR_2 - NEAR_2), far, self.fma(0.5 / (NEAR_2 - FAR_2), near, m[4])),
        ]

    def filter_grad(self, m):
        """G^T m, 6 to 3."""
        near, near_odd, far, far_odd = self._parts(m)
        ends = self.mul(1 / AT_0, m[0]), m[5]
        return [
            self.fma(1 / AT_FAR, far, self.fma(1 / AT_NEAR, near, ends[0])),
            self.fma(FAR / AT_FAR, far_odd, self.mul(NEAR / AT_NEAR, near_odd)),
            self.fma(FAR_2 / AT_FAR, far, self.fma(NEAR_2 / AT_NEAR, near, ends[1])),
        ]

    def neg(self, a):
        return self.mul(-1.0, a)

    def _parts(self, m):
        return self.add(m[1], m[2]), self.sub(m[1], m[2]), self.add(m[3], m[4]), self.sub(m[3], m[4])


def _two_sided(*transforms):
    """The transform of the columns and then of the rows of a tile of vectors: one for a kind, each with its size."""

    @in_kernels
    def apply(typingctx, kind, source, start, row, column, target, to, to_row, to_column):
        def generate(context, builder, signature, args):
            args, (transform, size) = args[1:], transforms[len(kind) - 1]
            memory, goal = Memory(context, builder, source, args[0]), Memory(context, builder, target, args[4])
            vector = ir.VectorType(memory.element, VECTOR_BYTES // memory.bytes)
            line = _Line(builder, vector)
            places = _lattice(builder, args[1], args[2], args[3])
            tile = [[memory.load(places(i, j), vector) for i in range(size)] for j in range(size)]
            _store_transformed(transform, line, tile, goal, _lattice(builder, args[5], args[6], args[7]))
            return context.get_dummy_value()

        index = types.intp
        return types.void(kind, source, index, index, index, target, index, index, index), generate

    return apply


def _store_transformed(transform, line, columns, goal, places):
    columns = [transform(line, column) for column in columns]
    for i in range(len(columns[0])):
        for j, value in enumerate(transform(line, [column[i] for column in columns])):
            goal.store(places(i, j), value)


def _lattice(builder, start, row, column):
    """The function that gives start + i * row + j * column, each sum made once."""
    made = {(0, 0): start}

    def place(i, j):
        if (i, j) not in made:
            made[i, j] = builder.add(place(i, j - 1), column) if j else builder.add(place(i - 1, j), row)
        return made[i, j]

    return place


data_transform = _two_sided((_Line.data, 6), (_Line.strided_data, 9), (_Line.spaced_data, 5))
output_transform = _two_sided((_Line.output, 6), (_Line.strided_output, 9), (_Line.spaced_output, 9))
grad_transform = _two_sided((_Line.grad, 4), (_Line.strided_grad, 4))


def _transposed(builder, vectors):
    """The columns of as many vectors as they have lanes: each step swaps blocks off the diagonal, of twice the size."""
    lanes, step = len(vectors), 1
    while step < lanes:
        for i in range(lanes):
            if not i & step:
                a, b = vectors[i], vectors[i + step]
                low = [lane if not lane & step else lanes + lane - step for lane in range(lanes)]
                high = [lane + step if not lane & step else lanes + lane for lane in range(lanes)]
                vectors[i], vectors[i + step] = shuffle(builder, a, b, low), shuffle(builder, a, b, high)
        step *= 2
    return vectors


def _first(builder, memory, index, vector, count):
    """A vector of memory of which only the first `count` elements are read."""
    if count >= vector.count:
        return memory.load(index, vector)
    half = 1 << (count.bit_length() - 1)
    part = memory.load(index, ir.VectorType(vector.element, half))
    result = shuffle(builder, part, part, [lane % half for lane in range(vector.count)])
    for lane in range(half, count):
        element = memory.load(builder.add(index, ir.Constant(index.type, lane)))
        result = builder.insert_element(result, element, ir.Constant(ir.IntType(32), lane))
    return result


@in_kernels
def filter_transform(typingctx, kind, weight, start, step, count, mirrored, out, to, row, column):
    """G g G^T of the filters whose first taps are weight[start + r * step], r below `count`: the taps lie side by side.

    Those of a mirrored filter lie before its first. Lanes that are too many hold the last filter.
    """

    def generate(context, builder, signature, args):
        args = args[1:]
        memory, goal = Memory(context, builder, weight, args[0]), Memory(context, builder, out, args[5])
        lanes = VECTOR_BYTES // memory.bytes
        vector = ir.VectorType(memory.element, lanes)
        line, index = _Line(builder, vector), args[1].type
        turned = builder.icmp_signed("!=", args[4], ir.Constant(args[4].type, 0))
        first = builder.sub(args[1], builder.select(turned, ir.Constant(index, 8), ir.Constant(index, 0)))
        last = builder.sub(args[3], ir.Constant(index, 1))
        rows = []
        for r in range(lanes):
            row = ir.Constant(index, r)
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            rows.append(builder.add(first, builder.mul(row, args[2])))
        taps: list[Any] = []
        while len(taps) < 9:
            shift = max(0, min(len(taps), 9 - lanes))
            places = [builder.add(row, ir.Constant(index, shift)) for row in rows]
            vectors = [_first(builder, memory, place, vector, 9) for place in places]
            taps += _transposed(builder, vectors)[len(taps) - shift :]
        taps = [builder.select(turned, taps[8 - tap], taps[tap]) for tap in range(9)]
        tile = [[taps[3 * i + j] for i in range(3)] for j in range(3)]
        transform = _Line.filters if len(kind) == 1 else _Line.strided_filters
        _store_transformed(transform, line, tile, goal, _lattice(builder, args[6], args[7], args[8]))
        return context.get_dummy_value()

    index = types.intp
    return types.void(kind, weight, index, index, index, index, out, index, index, index), generate


@in_kernels
def filter_grad(typingctx, kind, source, start, row, column, out, to):
    """G^T u G of a tile of 6x6 vectors; the 9 taps of each lane lie side by side in `out`, lane after lane."""

    def generate(context, builder, signature, args):
        args, transform = args[1:], _Line.filter_grad if len(kind) == 1 else _Line.strided_filter_grad
        memory, goal = Memory(context, builder, source, args[0]), Memory(context, builder, out, args[4])
        lanes = VECTOR_BYTES // memory.bytes
        vector = ir.VectorType(memory.element, lanes)
        line, places = _Line(builder, vector), _lattice(builder, args[1], args[2], args[3])
        columns = [transform(line, [memory.load(places(i, j), vector) for i in range(6)]) for j in range(6)]
        taps = [tap for i in range(3) for tap in transform(line, [column[i] for column in columns])]

        def at(lane, tap):
            return plus(builder, args[5], 9 * lane + tap)

        width = min(lanes, 8)
        for first in range(0, 8, width):
            rest = [ir.Constant(vector, ir.Undefined)] * (lanes - width)
            for lane, line_of_taps in enumerate(_transposed(builder, taps[first : first + width] + rest)):
                goal.store(at(lane, first), shuffle(builder, line_of_taps, line_of_taps, list(range(width))))
        for lane in range(lanes):
            goal.store(at(lane, 8), builder.extract_element(taps[8], ir.Constant(ir.IntType(32), lane)))
        return context.get_dummy_value()

    index = types.intp
    return types.void(kind, source, index, index, index, out, index), generate


@in_kernels
def spread(typingctx, planes, start, step, places, first, shift, out):
    """out[(places[first + i] - shift) * lanes + r] = planes[start + r * step + i], for i and r below lanes."""

    def generate(context, builder, signature, args):
        source, table = Memory(context, builder, planes, args[0]), Memory(context, builder, places, args[3])
        target = Memory(context, builder, out, args[6])
        lanes = VECTOR_BYTES // source.bytes
        vector = ir.VectorType(source.element, lanes)
        rows, index = [], args[1]
        for _ in range(lanes):
            rows.append(source.load(index, vector))
            index = builder.add(index, args[2])
        for i, value in enumerate(_transposed(builder, rows)):
            target.store(_place(builder, table, args[4], i, args[5], lanes), value)
        return context.get_dummy_value()

    index = types.intp
    return types.void(planes, index, index, places, index, index, out), generate


@in_kernels
def collect(typingctx, source, places, first, shift, bias, channel, line, least, out, start, step):
    """out[start + r * step + i] = source[(places[first + i] - shift) * lanes + r] + bias[channel + r].

    Where more than a `line` is in `bias`, the result is (it - start) * scale + shift, of the lines behind. What is less
    than `least` becomes it; NaN stays NaN.
    """

    def generate(context, builder, signature, args):
        memory, table = Memory(context, builder, source, args[0]), Memory(context, builder, places, args[1])
        target, shifts = Memory(context, builder, out, args[8]), Memory(context, builder, bias, args[4])
        lanes = VECTOR_BYTES // memory.bytes
        vector = ir.VectorType(memory.element, lanes)
        added = shifts.load(args[5], vector)
        rows = [
            builder.fadd(memory.load(_place(builder, table, args[2], i, args[3], lanes), vector), added, flags=FUSE)
            for i in range(lanes)
        ]
        size = context.make_array(bias)(context, builder, value=args[4]).nitems
        before = builder.block
        with builder.if_then(builder.icmp_signed(">", size, args[6])):
            place, factors = args[5], []
            for _ in range(3):
                place = builder.add(place, args[6])
                factors.append(shifts.load(place, vector))
            mapped = [rescaled(builder, row, *factors) for row in rows]
            inside = builder.block
        for i, made in enumerate(mapped):
            either = builder.phi(vector)
            either.add_incoming(rows[i], before)
            either.add_incoming(made, inside)
            rows[i] = either
        floor = splat(builder, builder.fptrunc(args[7], memory.element) if memory.bytes < 8 else args[7], lanes)
        rows = [builder.select(builder.fcmp_ordered(">", floor, row), floor, row) for row in rows]
        index = args[9]
        for value in _transposed(builder, rows):
            target.store(index, value)
            index = builder.add(index, args[10])
        return context.get_dummy_value()

    index = types.intp
    return types.void(source, places, index, index, bias, index, index, types.float64, out, index, index), generate


def _place(builder, table, first, i, shift, lanes):
    """(table[first + i] - shift) * lanes."""
    entry = table.load(builder.add(first, ir.Constant(first.type, i)))
    if entry.type != shift.type:
        entry = builder.sext(entry, shift.type)
    return builder.mul(builder.sub(entry, shift), ir.Constant(shift.type, lanes))
