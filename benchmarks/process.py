"""Other processes: run to their end, asked again and again, or kept busy beside a measurement."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ENVIRONMENT", "MeasurementError", "Server", "busy", "python"]

ROOT = Path(__file__).parents[1]
# Whoever starts a process twice has its modules compiled: without that, a third of a start is spent on the sources.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
# A process that is killed cannot end its children: these look after their parent themselves.
BUSY = """
import os, time
parent, end = os.getppid(), time.monotonic() + 600
print("ready", flush=True)
while os.getppid() == parent and time.monotonic() < end:
    for _ in range(1_000_000):
        pass
"""


class MeasurementError(Exception):
    """A process ended with an error, or did not end in time; what it wrote has been shown."""


def python(*arguments: str, limit: float = 900, **options: str | dict[str, str]) -> tuple[float, str, str]:
    """Run Python in the root of the project; return seconds, output and errors. `options` are subprocess.run's."""
    begin = time.perf_counter()
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            **{"cwd": ROOT, "env": ENVIRONMENT, **options},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"not done after {limit:.0f} s") from error
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise _failure(done.stderr, done.returncode)
    return seconds, done.stdout, done.stderr


def _failure(errors: str, code: int) -> MeasurementError:
    print(errors, file=sys.stderr, flush=True)
    lines = errors.strip().splitlines() or ["no message"]
    return MeasurementError(f"{lines[-1]} (exit status {code})")


class Server(contextlib.AbstractContextManager["Server"]):
    """A process that answers a line with a line; it ends with the context."""

    def __init__(self, *arguments: str, limit: float) -> None:
        self._limit = limit
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed with the context; a pipe could fill up)
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip

    def ask(self, line: str) -> str:
        """Return the answer to a line; a process that does not answer in time is killed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        late = threading.Event()
        timer = threading.Timer(self._limit, lambda: (late.set(), self._process.kill()))
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(line + "\n")
                stdin.flush()
            answer = stdout.readline()
        finally:
            timer.cancel()
        if late.is_set():
            raise MeasurementError(f"no answer after {self._limit:.0f} s")
        if not answer:
            code = self._process.wait()
            self._errors.seek(0)
            raise _failure(self._errors.read(), code)
        return answer

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many processes busy meanwhile; they end with the context, with this process, and after ten minutes."""
    with contextlib.ExitStack() as stack:
        started = []
        for _ in range(count):
            command = [sys.executable, "-S", "-E", "-c", BUSY]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            stack.callback(process.communicate)
            stack.callback(process.kill)  # the last goes first
            started.append(process)
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()
        yield
