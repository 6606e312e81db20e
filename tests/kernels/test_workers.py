"""The threads that do the tasks of a launch: that they do each once, wake, sleep, and end."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainkit import kernels
from trainkit.kernels import jit, parallel
from trainkit.kernels.parallel import parallel_kernel


def _tell(task, times, who, seconds, marks):
    """Counts a task, and works as long as it is told to."""
    times[task] += 1
    for _ in range(seconds):
        who[task] = np.sqrt(who[task] + marks)


@pytest.fixture(scope="module")
def launch():
    before = jit.KERNELS
    jit.KERNELS = {}  # other tests count the kernels
    yield parallel_kernel(jit.inner_kernel(_tell))
    jit.KERNELS = before


@pytest.fixture(autouse=True)
def _threads():
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)


@given(
    tasks=st.integers(0, 300),
    threads=st.integers(1, 8),
    work=st.sampled_from([0, 1, 300]),
    rest=st.sampled_from([0, 0, 0, 1e-4, 4e-3]),
)
def test_each_task_is_done_once_after_any_rest(launch, tasks, threads, work, rest):
    kernels.set_num_threads(threads)
    time.sleep(rest)  # workers are awake, or have gone to sleep
    times = np.zeros(301, np.int64)
    for _ in range(3):
        launch(tasks, times, np.ones(301), work, 1.0)
    np.testing.assert_array_equal(times[:tasks], 3)
    np.testing.assert_array_equal(times[tasks:], 0)


def test_launches_of_many_python_threads(launch):
    kernels.set_num_threads(parallel.team.most)
    failures = []

    def work(number):
        for round in range(60):
            times = np.zeros(200, np.int64)
            launch(200, times, np.ones(200), number * 7, 1.0)
            if not (times == 1).all():
                failures.append((number, round))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


PROGRAM = """
import os, time
import numpy as np
from trainkit import kernels
from trainkit.kernels import parallel
x = np.random.default_rng(0).standard_normal((300, 300), np.float32)
expected = kernels.matmul(x, x)
assert parallel.team.ready == parallel.team.most == 4
"""


def run(program, **variables):
    environment = os.environ | {"TRAINKIT_QUIET": "1", "NUMBA_NUM_THREADS": "4"} | variables
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM + program],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("rest", [0, 0.05])
def test_a_process_ends_while_its_workers_are_awake_or_asleep(rest):
    for _ in range(5):
        run(f"time.sleep({rest})")


def test_workers_are_no_threads_of_the_module_threading():
    """A user's own count of threads, and the wait for them at the end, have nothing to do with ours."""
    run("import threading; kernels.matmul(x, x); assert threading.active_count() == 1")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_workers_of_its_own():
    program = """
import warnings
warnings.simplefilter("ignore")  # of forks beside threads
for ending in (os._exit, exit):
    child = os.fork()
    if child == 0:
        assert parallel.team.ready == 1
        for _ in range(20):
            assert np.array_equal(kernels.matmul(x, x), expected)
        assert parallel.team.ready == 4
        ending(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert np.array_equal(kernels.matmul(x, x), expected)
"""
    run(program)


def test_workers_that_sleep_take_no_time():
    program = """
time.sleep(0.1)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before)
"""
    (used,) = run(program)
    assert float(used) < 0.1, "of 1.5 seconds of three workers"


def test_a_launch_does_without_threads_that_the_system_does_not_give():
    program = """
import _thread
kernels.set_num_threads(4)
parallel.team.stop()
parallel.team.forget()
def no(*args): raise RuntimeError("can't start new thread")
real, _thread.start_new_thread = _thread.start_new_thread, no
assert np.array_equal(kernels.matmul(x, x), expected)
assert parallel.team.ready == 1
_thread.start_new_thread = real
assert np.array_equal(kernels.matmul(x, x), expected)
assert parallel.team.ready == 4
"""
    run(program)


def test_after_the_workers_have_ended_launches_go_on_alone():
    program = """
import atexit
parallel.team.stop()
assert np.array_equal(kernels.matmul(x, x), expected)
"""
    run(program)


def test_numbas_threads_compute_the_same(tmp_path):
    """They do the tasks where there are no workers: not on Linux."""
    program = "print(type(parallel.team).__name__, hash(expected.tobytes()) % 2**60)"
    ours = run(program, PYTHONHASHSEED="0")
    theirs = run(program, PYTHONHASHSEED="0", TRAINKIT_THREADING="numba")
    assert theirs == ["NumbaThreads", ours[1]]
