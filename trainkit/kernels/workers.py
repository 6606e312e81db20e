"""The threads that do tasks: each takes those of its own block first, the same at each launch, then those of others.

So what a task wrote lies in the cache of the thread that reads it in the next launch, and nobody waits for a thread
that the machine has given to another process, unless it has begun a task. Between launches workers stay awake for a
while, because to wake a thread takes longer than a small kernel. They yield to any other process, and once they notice
one (a yield that lasts), they go to sleep early: a thread that sleeps is served sooner, when it is woken, than one that
has used up its time by waiting.

The words that they share:

    TURN     counts launches: workers wait for its change
    OPEN     1 while workers may enter a launch
    INSIDE   how many workers look at a launch; the launching thread closes it and waits for 0 before it returns
    BUSY     1 while a launch has the workers; another Python thread's launch meanwhile does its tasks itself
    CROWDED  the time until which other processes are taken to be about

Each worker has a record, of which NEXT and END are its block of tasks, ASLEEP tells that it waits for its bell.
"""

import _thread
import atexit
import contextlib
import ctypes
import os
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import types

from trainkit.kernels.atomics import WORD, add, atomic, call, pause, read, swap, write
from trainkit.kernels.jit import inner_kernel, kernel

__all__ = ["Workers", "launch", "serve"]

LINE = 64  # bytes that caches move together
THREADS, STEP, CODE, SHARED = range(0, 32, 8)  # bytes from the front on: of a launch, written before it opens
BUSY, OPEN, TURN, INSIDE, CROWDED, STOP, RECORDS = range(LINE, 8 * LINE, LINE)
NEXT, END, CLOCK, ASLEEP, BELL, RECORD = 0, 8, LINE, 2 * LINE, 2 * LINE + 8, 3 * LINE  # in a worker's record

AWAKE, AWHILE = 2_000_000, 50_000  # nanoseconds for which a worker waits awake, and where other processes are about
GAP = 100_000  # nanoseconds without a look at the clock that mean another process ran
CROWD = 500_000_000  # nanoseconds for which that is believed
LOOKS = 32  # at the count of launches between two at the clock
PATIENCE = 20_000  # looks at the workers inside before the launching thread yields: half a millisecond
PIECES = 16  # of a block that are taken one after another, at most: to take one costs a cache miss


def _external(name: str, *arguments: Any) -> Any:
    """A function of the C library that returns an int."""
    return types.ExternalFunction(name, INT(*arguments))


INT: Any = types.int32
LONG: Any = types.int64  # addresses too
clock_gettime = _external("clock_gettime", INT, LONG)
sched_yield = _external("sched_yield")
sem_wait = _external("sem_wait", LONG)
sem_post = _external("sem_post", LONG)
MONOTONIC = 1  # of clock_gettime
FRONT = "trainkit_workers"  # the symbol of the words


@atomic
def _front(typingctx):
    """The address of the words, which LLVM is told in each process anew."""

    def generate(context, builder, signature, args):
        word = builder.module.globals.get(FRONT) or ir.GlobalVariable(builder.module, WORD, FRONT)
        return builder.ptrtoint(word, WORD)

    return types.int64(), generate


@kernel
def launch(threads, tasks, code, shared):
    """Does the tasks by calls of `code` on so many threads, of which the calling one is the first."""
    words = _front()
    if swap(words + BUSY, 1):
        call(code, 0, tasks, shared)
        return
    threads = min(threads, tasks)
    write(words + THREADS, threads)
    write(words + STEP, max(1, tasks // (threads * PIECES)))
    write(words + CODE, code)
    write(words + SHARED, shared)
    for worker in range(threads):
        record = words + RECORDS + worker * RECORD
        write(record + NEXT, -(-tasks * worker // threads))  # the first blocks are the larger ones
        write(record + END, -(-tasks * (worker + 1) // threads))
    write(words + OPEN, 1)
    add(words + TURN, 1)
    _ring(words)
    _work(words, 0)
    write(words + OPEN, 0)
    looks = 0
    while read(words + INSIDE):
        pause()
        looks += 1
        if looks > PATIENCE:
            sched_yield()
    write(words + BUSY, 0)


@kernel
def serve(worker):
    """What a worker does until it is told to stop."""
    words = _front()
    record = words + RECORDS + worker * RECORD
    seen = 0
    while not read(words + STOP):
        seen = _await(words, record, seen)
        add(words + INSIDE, 1)
        if read(words + OPEN) and worker < read(words + THREADS):
            _work(words, worker)
        add(words + INSIDE, -1)


@inner_kernel
def _work(words, worker):
    """Does tasks as long as there are any: of the own block, then of the next ones."""
    threads, step = read(words + THREADS), read(words + STEP)
    code, shared = read(words + CODE), read(words + SHARED)
    for other in range(threads):
        block = words + RECORDS + (worker + other) % threads * RECORD
        end = read(block + END)
        while read(block + NEXT) < end:  # a mere look leaves the line where it is
            task = add(block + NEXT, step)
            if task < end:
                call(code, task, min(step, end - task), shared)


@inner_kernel
def _await(words, record, seen):
    """Returns the new count of launches when it is no longer `seen`."""
    begin = last = _now(record)
    while True:
        for _ in range(LOOKS):
            turn = read(words + TURN)
            if turn != seen:
                return turn
            pause()
        time = _now(record)
        if time - last > GAP:
            write(words + CROWDED, time + CROWD)
        last = time
        crowded = time < read(words + CROWDED)
        if time - begin > (AWHILE if crowded else AWAKE):
            _sleep(words, record, seen)
            begin = last = _now(record)
        elif time - begin > AWHILE:
            sched_yield()


@inner_kernel
def _sleep(words, record, seen):
    """Sleeps until somebody rings, if no launch has come meanwhile; then rings for the next sleeper."""
    write(record + ASLEEP, 1)
    if read(words + TURN) != seen and swap(record + ASLEEP, 0):
        return
    while sem_wait(record + BELL):  # a signal ends it too
        pass
    _ring(words)


@inner_kernel
def _ring(words):
    """Wakes one worker of those that the launch wants and that sleep: it wakes the next."""
    for worker in range(1, read(words + THREADS)):
        record = words + RECORDS + worker * RECORD
        if read(record + ASLEEP) and swap(record + ASLEEP, 0):
            sem_post(record + BELL)
            return


@inner_kernel
def _now(record):
    """Nanoseconds of a clock that only goes on."""
    clock_gettime(MONOTONIC, record + CLOCK)
    return read(record + CLOCK) * 1_000_000_000 + read(record + CLOCK + 8)


class Workers:
    """The workers of this process: they start with the first launch that wants them, and end with Python.

    Attributes:
        most: how many threads a launch may have, with the one that calls.
        ready: how many it has now.
        turns: None: launches of several Python threads at once harm nobody.
    """

    turns = None

    def __init__(self, most: int) -> None:
        self.most = most
        # Whoever is late reads them when Python has let go of everything: they are never freed.
        memory = np.zeros((RECORDS + most * RECORD + LINE) // 8, np.int64)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
        self._words = memory[-memory.ctypes.data % LINE // 8 :]
        llvmlite.binding.add_symbol(FRONT, self._words.ctypes.data)
        self._system: Any = ctypes.CDLL(None)
        self.forget()
        atexit.register(self.stop)
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Begins without threads, as a process does that has been forked."""
        self._words[:] = 0
        self._ended: list[Any] = []  # a lock for each thread, held as long as it lives
        self._starting = _thread.allocate_lock()
        self.ready = 1

    def start(self, threads: int) -> None:
        """Starts what lacks of so many threads; where the system gives no more, a launch does without."""
        with self._starting, contextlib.suppress(RuntimeError):
            serve.compile((LONG,))
            for worker in range(self.ready, threads):
                self._system.sem_init(self._bell(worker), 0, 0)
                ended = _thread.allocate_lock()
                ended.acquire()
                _thread.start_new_thread(self._run, (worker, ended))
                self._ended.append(ended)
                self.ready = worker + 1

    def _run(self, worker: int, ended: Any) -> None:
        serve(worker)
        ended.release()

    def stop(self) -> None:
        """Ends the threads, while the code that they run is still there; launches do without them from now on."""
        self._words[STOP // 8] = 1
        self._words[TURN // 8] += 1
        for worker, ended in enumerate(self._ended, 1):
            self._system.sem_post(self._bell(worker))
            ended.acquire(timeout=1)

    def _bell(self, worker: int) -> Any:
        return ctypes.c_void_p(self._words.ctypes.data + RECORDS + worker * RECORD + BELL)
