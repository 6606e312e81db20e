"""A loop over tasks that threads share: it calls a compiled kernel by its symbol and does not hold its code.

numba's own `prange` compiles all that its loop calls three times over, and is slow to compile itself. So a loop is made
here of a function that does some tasks, which `workers.launch` calls on each thread. The kernel's code is found by a
name that LLVM is told in each process anew, before the loop is compiled or read from disk.
"""

import hashlib
import os
import sys
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from trainkit.kernels.atomics import WORD
from trainkit.kernels.numba_threads import PARALLEL_FOR, prepare
from trainkit.kernels.workers import launch

__all__ = ["OWN", "in_tasks", "place"]

OWN = sys.platform == "linux" and os.environ.get("TRAINKIT_THREADING") != "numba"
"""Whether the workers do the tasks; else numba's threads do."""

BYTES = ir.IntType(8).as_pointer()
LAUNCH = (types.int64,) * 4  # what `launch` takes
in_loops: Any = intrinsic


def _symbol(kernel: Any, kinds: tuple[Any, ...]) -> str:
    digest = hashlib.sha256(repr(kinds).encode()).hexdigest()[:20]
    return f"trainkit_{kernel.__module__.rpartition('.')[2]}_{kernel.__name__}_{digest}"


def place(kernel: Any, kinds: tuple[Any, ...]) -> None:
    """Compiles a kernel for these types, or reads it from disk, and tells LLVM where its code lies: it stays there."""
    if not OWN:
        prepare()
    elif not launch.overloads:
        _tell(launch, LAUNCH)
    _tell(kernel, kinds)


def _tell(kernel: Any, kinds: tuple[Any, ...]) -> None:
    kernel.compile(kinds)
    result = kernel.overloads[kinds]
    if result.signature.return_type is not types.none:
        raise TypeError(f"{kernel.__name__} runs in tasks and must return nothing")
    code = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
    llvmlite.binding.add_symbol(_symbol(kernel, kinds), code)


@in_loops
def in_tasks(typingctx, kernel, threads, tasks, arguments):
    """Calls kernel(task, *arguments) for each task; `place` must have been told. One thread is the calling one."""
    kinds = (types.int64, *arguments)
    name = _symbol(kernel.dispatcher, kinds)

    def generate(context, builder, signature, args):
        values = cgutils.unpack_tuple(builder, args[3], len(arguments))
        values = [_borrowed(context, builder, *pair) for pair in zip(arguments, values, strict=True)]
        function = context.call_conv.get_function_type(types.none, kinds)
        code_type, error_type = function.return_type, function.args[1].pointee
        # All that the tasks of a launch share: how it failed, if it did, and the arguments.
        shared_type = ir.LiteralStructType([code_type, error_type, *[value.type for value in values]])
        share = _share(context, builder.module, name, kinds, shared_type)
        shared = cgutils.alloca_once(builder, shared_type)
        fields = [cgutils.get_null_value(code_type), cgutils.get_null_value(error_type), *values]
        for place, value in enumerate(fields):
            builder.store(value, cgutils.gep_inbounds(builder, shared, 0, place))
        _launch(context, builder, share, args[1], args[2], builder.bitcast(shared, BYTES))
        code, error = [builder.load(cgutils.gep_inbounds(builder, shared, 0, place)) for place in (0, 1)]
        status = context.call_conv._get_return_status(builder, code, error)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(kernel, types.int64, types.int64, arguments), generate


def _borrowed(context, builder, kind, value):
    """An argument without its owner: the launch keeps it alive, and threads need not count references in one place."""
    if not isinstance(kind, types.Array):
        return value
    array = context.make_array(kind)(context, builder, value)
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    array.parent = cgutils.get_null_value(array.parent.type)
    return array._getvalue()


def _share(context, module, name, kinds, shared_type):
    """A thread's share, as numba's threads call it: the first task comes as a pointer, their number as a dimension."""
    words = WORD.as_pointer()
    share = ir.Function(
        module, ir.FunctionType(ir.VoidType(), [BYTES.as_pointer(), words, words, BYTES]), f"share_{name}"
    )
    share.linkage = "internal"
    builder = ir.IRBuilder(share.append_basic_block())
    shared = builder.bitcast(share.args[3], shared_type.as_pointer())
    fields = [cgutils.gep_inbounds(builder, shared, 0, place) for place in range(len(shared_type.elements))]
    values = [builder.load(field) for field in fields[2:]]
    first, count = builder.ptrtoint(builder.load(share.args[0]), WORD), builder.load(share.args[1])
    conv = context.call_conv
    kernel = cgutils.get_or_insert_function(module, conv.get_function_type(types.none, kinds), name)
    with cgutils.for_range(builder, count) as loop:
        task = builder.add(first, loop.index)
        status, _ = conv.call_function(builder, kernel, types.none, kinds, [task, *values])
        with cgutils.if_unlikely(builder, status.is_error):
            builder.store(status.excinfoptr, fields[1])
            builder.store(status.code, fields[0])
    builder.ret_void()
    return share


def _launch(context, builder, share, threads, tasks, shared):
    """Calls `share` for all tasks on so many threads; where one thread or one task is enough, at once."""
    start = cgutils.alloca_once_value(builder, cgutils.get_null_value(BYTES))
    number, step = cgutils.alloca_once_value(builder, tasks), cgutils.alloca_once_value(builder, WORD(1))
    alone = builder.or_(builder.icmp_signed("<=", tasks, WORD(1)), builder.icmp_signed("<=", threads, WORD(1)))
    with builder.if_else(alone) as (then, otherwise):
        with then:
            builder.call(share, [start, number, step, shared])
        with otherwise:
            if OWN:
                conv, module = context.call_conv, builder.module
                function = conv.get_function_type(types.none, LAUNCH)
                code = cgutils.get_or_insert_function(module, function, _symbol(launch, LAUNCH))
                addresses = [builder.ptrtoint(thing, WORD) for thing in (share, shared)]
                conv.call_function(builder, code, types.none, LAUNCH, [threads, tasks, *addresses])
            else:
                signature = ir.FunctionType(ir.VoidType(), [BYTES] * 5 + [WORD] * 3)
                parallel_for = cgutils.get_or_insert_function(builder.module, signature, PARALLEL_FOR)
                pointers = [builder.bitcast(thing, BYTES) for thing in (share, start, number, step)]
                # No inner dimension, and one array, which begins at 0 and goes on in steps of 1.
                builder.call(parallel_for, [*pointers, shared, WORD(0), WORD(1), threads])
