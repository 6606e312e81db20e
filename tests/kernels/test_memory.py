"""The pool of big arrays: what it gives is nobody else's, what is let go is used again, and there is a bound."""

import gc
import itertools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainkit as tk
from trainkit.errors import ArgumentError
from trainkit.kernels.memory import LEAST, empty, empty_cache, memory_limit, memory_stats

SHAPE = (LEAST // 4,)


@pytest.fixture(autouse=True)
def fresh():
    gc.collect()
    empty_cache()
    yield
    memory_limit(1 << 30)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool", "float16"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (300, 7, 600), (1 << 20,)])
def test_arrays_are_as_those_of_numpy(shape, dtype: str) -> None:
    array, plain = empty(shape, dtype), np.empty(shape, dtype)
    assert (array.shape, array.dtype, array.strides) == (plain.shape, plain.dtype, plain.strides)
    assert array.flags.writeable
    assert array.flags.aligned
    if array.nbytes >= LEAST:
        assert address(array) % 64 == 0
    array[...] = 1
    assert (array == 1).all()


def test_memory_is_used_again() -> None:
    array = empty(SHAPE, np.float32)
    where = address(array)
    del array
    assert memory_stats().pooled >= LEAST
    again = empty((LEAST // 8,), np.float64)
    assert address(again) == where, "of the same size, whatever the dtype"
    assert memory_stats().pooled == 0


@pytest.mark.parametrize(
    "look",
    [
        lambda array: array[3:], lambda array: array.reshape(-1, 2).T, lambda array: array.view(np.int32),
        lambda array: memoryview(array), lambda array: tk.from_numpy(array), lambda array: np.asarray(array)[::-1][:5],
    ],
)  # fmt: skip
def test_whoever_looks_at_an_array_keeps_it(look) -> None:
    array = empty(SHAPE, np.float32)
    where = address(array)
    view = look(array)
    del array
    others = [empty(SHAPE, np.float32) for _ in range(3)]
    assert where not in map(address, others)
    del view
    assert address(empty(SHAPE, np.float32)) == where


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 4 * LEAST)), max_size=40))
def test_no_two_arrays_overlap(steps) -> None:
    alive: list[np.ndarray] = []
    for number, (make, which, size) in enumerate(steps):
        if make or not alive:
            alive.append(empty((size,), np.uint8))
            alive[-1][:] = number % 251
        else:
            del alive[which % len(alive)]
    places = sorted((address(array), array.nbytes) for array in alive)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(places))
    assert all((array == array[0]).all() for array in alive)


def test_what_waits_is_bounded_and_the_oldest_sizes_go_first() -> None:
    memory_limit(4 * LEAST)
    one, other = [empty((LEAST,), np.uint8) for _ in range(4)], [empty((2 * LEAST,), np.uint8) for _ in range(2)]
    del one
    assert memory_stats().pooled == 4 * LEAST
    where = {address(array) for array in other}
    del other
    assert memory_stats().pooled <= 4 * LEAST
    again = [empty((2 * LEAST,), np.uint8) for _ in range(2)]
    assert {address(array) for array in again} == where
    huge = empty((8 * LEAST,), np.uint8)
    del huge
    assert memory_stats().pooled == 0, "it is more than all that may wait"
    memory_limit(0)
    del again
    assert memory_stats().pooled == 0


@pytest.mark.parametrize("limit", [-1, 1.5, True, "1 GiB"])
def test_a_limit_that_is_none(limit) -> None:
    with pytest.raises(ArgumentError, match="number of bytes"):
        memory_limit(limit)


def test_threads() -> None:
    before = memory_stats().in_use
    faults: list[str] = []

    def work(number: int) -> None:
        for size in range(200):
            array = empty((LEAST + size,), np.uint8)
            array[:] = number
            copy = array[::1000].copy()
            if not (copy == number).all():
                faults.append("another thread wrote here")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert memory_stats().in_use == before


def test_a_steady_step_asks_for_no_memory() -> None:
    net = tk.nn.Sequential(tk.nn.Conv2d(1, 16, 3), tk.nn.ReLU(), tk.nn.Flatten(), tk.nn.Linear(16 * 26 * 26, 10))
    optimizer = tk.optim.SGD(net.parameters(), lr=0.1)
    x, y = tk.randn(32, 1, 28, 28), tk.arange(32) % 10

    def step() -> None:
        optimizer.zero_grad()
        tk.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    step()
    step()
    before = memory_stats()
    for _ in range(5):
        step()
    after = memory_stats()
    assert after.misses == before.misses
    assert after.hits > before.hits
    assert after.in_use == before.in_use, "nothing leaks"


def test_the_interpreter_ends_quietly() -> None:
    code = "import trainkit as tk; x = tk.relu(tk.ones(2000, 2000)); y = [x]; y.append(y)"
    environment = os.environ | {"TRAINKIT_QUIET": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
