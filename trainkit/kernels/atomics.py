"""Words that threads share, by their addresses: read, written, added to and exchanged at once, in one order for all."""

import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["WORD", "add", "call", "pause", "read", "swap", "write"]

WORD, BYTES = ir.IntType(64), ir.IntType(8).as_pointer()
ORDER = "seq_cst"
# What tells the CPU that a thread spins: the other thread of its core goes on, and the loop ends without a stumble.
PAUSES: dict[str, list[Any]] = {
    "x86_64": ["llvm.x86.sse2.pause"],
    "aarch64": ["llvm.aarch64.hint", ir.IntType(32)(1)],
}
atomic: Any = intrinsic


def _pointer(builder, address):
    return builder.inttoptr(address, WORD.as_pointer())


@atomic
def read(typingctx, address):
    """The word at an address."""

    def generate(context, builder, signature, args):
        return builder.load_atomic(_pointer(builder, args[0]), ORDER, 8)

    return types.int64(types.int64), generate


@atomic
def write(typingctx, address, value):
    """Writes a word."""

    def generate(context, builder, signature, args):
        builder.store_atomic(args[1], _pointer(builder, args[0]), ORDER, 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _exchanging(operation):
    def made(typingctx, address, value):
        def generate(context, builder, signature, args):
            return builder.atomic_rmw(operation, _pointer(builder, args[0]), args[1], ORDER)

        return types.int64(types.int64, types.int64), generate

    return made


@atomic
def add(typingctx, address, value):
    """Adds to a word; returns what it was."""
    return _exchanging("add")(typingctx, address, value)


@atomic
def swap(typingctx, address, value):
    """Writes a word; returns what it was."""
    return _exchanging("xchg")(typingctx, address, value)


@atomic
def pause(typingctx):
    """Waits for some cycles."""

    def generate(context, builder, signature, args):
        if platform.machine() in PAUSES:
            name, *numbers = PAUSES[platform.machine()]
            kind = ir.FunctionType(ir.VoidType(), [number.type for number in numbers])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), numbers)
        return context.get_dummy_value()

    return types.void(), generate


@atomic
def call(typingctx, code, first, count, shared):
    """Calls the function at the address `code` for `count` tasks from `first` on."""

    def generate(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [BYTES.as_pointer(), WORD.as_pointer(), WORD.as_pointer(), BYTES])
        start = cgutils.alloca_once_value(builder, builder.inttoptr(args[1], BYTES))
        number, step = cgutils.alloca_once_value(builder, args[2]), cgutils.alloca_once_value(builder, WORD(1))
        share = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(share, [start, number, step, builder.inttoptr(args[3], BYTES)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), generate
