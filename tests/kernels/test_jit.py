"""Loops over tasks around compiled kernels."""

import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from trainkit.kernels import jit
from trainkit.kernels.parallel import parallel_kernel


@pytest.fixture(autouse=True)
def _apart(monkeypatch):
    """What is compiled here is none of the kernels that other tests count."""
    monkeypatch.setattr(jit, "KERNELS", {})


def _mark(task, values, out):
    out[task] += values[task] * 2


def _count(task, tasks, out):
    out[task] = 10 * tasks + task


def _ask(task, size, out):
    if task == 3:
        out[np.empty(size, np.float64).size - 1] = 1
    out[task] = task


def _sum(task, scale, whole, rows, out):
    part = rows[task]
    for i in range(part.size):
        out[task] += part[i] * (scale if whole else 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tasks", [0, 1, 2, 1000])
def test_each_task_is_done_once(dtype, tasks):
    launch = parallel_kernel(jit.inner_kernel(_mark))
    values = np.arange(1000, dtype=dtype)
    for run in (launch, launch.serial):
        out = np.zeros(1000, dtype)
        run(tasks, values, out)
        np.testing.assert_array_equal(out[:tasks], 2 * values[:tasks])
        np.testing.assert_array_equal(out[tasks:], 0)


def test_a_body_may_be_told_the_number_of_tasks_and_be_called_from_python():
    body = jit.kernel(_count)
    out = np.zeros(7, np.int64)
    parallel_kernel(body, counted=True)(7, out)
    np.testing.assert_array_equal(out, 70 + np.arange(7))
    body(2, 4, out)
    assert out[2] == 42


def test_numbers_flags_and_arrays_of_any_layout():
    launch = parallel_kernel(jit.inner_kernel(_sum))
    rows = np.arange(24.0).reshape(4, 6)
    for given in (rows, np.asfortranarray(rows), rows[:, ::2]):
        out = np.zeros(4)
        launch(4, 0.5, True, given, out)
        np.testing.assert_array_equal(out, given.sum(1) / 2)
        launch(4, 3, False, given, out)
        np.testing.assert_array_equal(out, given.sum(1) * 1.5)


def test_what_goes_wrong_in_a_task_is_raised_and_the_others_are_done():
    launch = parallel_kernel(jit.inner_kernel(_ask))
    for run in (launch, launch.serial):
        out = np.full(8, -1.0)
        with pytest.raises(MemoryError):
            run(8, 1 << 50, out)
        with pytest.raises(ValueError, match="too big"):
            run(8, 1 << 60, out)
        np.testing.assert_array_equal(np.delete(out, 3), np.delete(np.arange(8.0), 3))
    launch(8, 1, out)
    np.testing.assert_array_equal(out[1:], np.arange(1, 8))


def test_an_inner_kernel_refuses_a_call_from_python():
    made = jit.inner_kernel(_mark)
    values, out = np.ones(4), np.zeros(4)
    for _ in range(2):  # before and after it is compiled
        with pytest.raises(TypeError, match="_mark is called by kernels"):
            made(0, values, out)
        parallel_kernel(made)(4, values, out)


def _double(values, out):
    for i in range(values.size):
        out[i] = 2 * values[i]


@pytest.mark.parametrize("inner", [jit.inner_kernel, jit.exact_inner_kernel, jit.ready_kernel])
def test_an_inner_kernel_has_machine_code_within_its_callers_only(inner):
    made = inner(_double)

    def outer(values, out):
        made(values, out)
        made(out, out)

    caller, values, out = jit.kernel(outer), np.arange(9.0), np.zeros(9)
    caller(values, out)
    np.testing.assert_array_equal(out, 4 * values)
    (result,) = made.overloads.values()
    assert [function.name for function in result.library._final_module.functions] == []
    (result,) = caller.overloads.values()
    linked = {str(f.linkage) for f in result.library._final_module.functions if not f.is_declaration}
    assert not any("linkonce" in linkage for linkage in linked)


def test_a_body_that_returns_something_is_refused():
    def answer(task, out):
        return out[task]

    launch = parallel_kernel(jit.inner_kernel(answer))
    with pytest.raises(TypeError, match="must return nothing"):
        launch(2, np.zeros(2))


def test_constants_of_a_type_share_one_code():
    inner = jit.inner_kernel(_mark)

    def outer(out):
        inner(0, out, out)
        inner(1, out, out)

    out = np.ones(2)
    jit.kernel(outer)(out)
    np.testing.assert_array_equal(out, [3, 3])
    assert len(inner.signatures) == 1


def test_garbage_is_collected_again_after_compiling():
    assert gc.isenabled()
    jit.kernel(lambda x: x + 1)(np.float64(1))
    assert gc.isenabled()
    with pytest.raises(Exception, match="nobody"):
        jit.kernel(lambda x: x.nobody)(np.float64(1))
    assert gc.isenabled()


def test_several_python_threads_launch_at_once():
    launch = parallel_kernel(jit.inner_kernel(_mark))
    values = np.arange(500, dtype=np.float32)

    def work(_):
        out = np.zeros(500, np.float32)
        for _ in range(20):
            launch(500, values, out)
        return out

    with ThreadPoolExecutor(4) as pool:
        for out in pool.map(work, range(8)):
            np.testing.assert_array_equal(out, 40 * values)


LATER = """
import gc
import numpy as np
from trainkit import kernels
from trainkit.kernels.jit import compile_counts
for dtype in (np.float32, np.float64):
    x = np.random.default_rng(0).random((2, 4, 12, 12)).astype(dtype)
    out = kernels.conv2d(x, x[:, :, :3, :3].copy(), None, (1, 1), (0, 0), (1, 1), 1)
    gc.collect()
    print(float(kernels.channel_sum(out)[0]).hex())
    print(float(kernels.batch_norm(x, None, None, 1e-5)[2][0]).hex())
print(compile_counts()[0])
"""


def test_a_second_process_compiles_nothing_and_computes_the_same(tmp_path):
    """Also where what a loop calls is compiled anew: its code is found by a name, not by where it lay."""
    environment = os.environ | {"TRAINKIT_CACHE": str(tmp_path), "TRAINKIT_QUIET": "1"}

    def start():
        command = [sys.executable, "-W", "error", "-c", LATER]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        *values, count = done.stdout.split()
        return values, int(count)

    first, compiled = start()
    assert compiled > 0
    assert start() == (first, 0)
    for file in tmp_path.rglob("conv._channel_sum-*.nb?"):
        file.unlink()
    assert start() == (first, 2)
    for file in tmp_path.rglob("conv._channel_sum_all-*.nb?"):
        file.unlink()
    assert start() == (first, 2)
