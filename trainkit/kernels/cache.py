"""Machine code is compiled once: a folder keyed by the kernels' source, the tools and the CPU."""

import atexit
import contextlib
import hashlib
import os
import pickle
import platform
import re
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba.core import caching
from numba.core.runtime.nrt import rtsys

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: writing through a temporary file and a rename is what remains
    fcntl = None

__all__ = ["CacheInfo", "KernelCache", "cache_info"]

DIGEST = hashlib.sha256().digest_size
QUIET_SECONDS = 2.0  # compiling is over when no kernel has been compiled for so long
DAY = 86_400.0
UNUSED_DAYS = 30
STAMP = ".used"  # touched by who uses its folder, and locked as long as that process lives
OURS = re.compile(r"\.lock|\.used|.+\.nb[ic](\.tmp\..+)?")


class CacheInfo(NamedTuple):
    """Where compiled kernels lie.

    Attributes:
        folder: where they are written, and read first.
        files: how many files it has.
        bytes: their size.
        wanted: the folder that the environment asks for; another one than `folder` where it cannot be written. What
            lies in it is used all the same.
    """

    folder: Path
    files: int
    bytes: int
    wanted: Path


def cache_info() -> CacheInfo:
    """The folder of compiled kernels, the number of its files and their size in bytes.

    The folder is `kernels/<key>` under `$TRAINKIT_CACHE`, `$XDG_CACHE_HOME/trainkit` or `~/.cache/trainkit`; the key is
    made of the kernels' sources, the versions of the compiler and the processor. It may be deleted at any time: kernels
    are compiled again when they are next needed. Where it cannot be written, it is a temporary one. Folders of other
    keys beside it, which older versions left, are removed when nobody has used them for 30 days.

    >>> import trainkit as tk
    >>> tk.kernels.cache_info().folder.is_dir()
    True
    """
    folder = _writable_folder()
    sizes = [file.stat().st_size for file in folder.iterdir() if file.suffix in {".nbi", ".nbc"}]
    return CacheInfo(folder, len(sizes), sum(sizes), _wanted_folder())


@cache
def _key() -> str:
    """What machine code depends on. Contents, not dates: a fresh clone elsewhere finds the same code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    tools = (numba.__version__, llvmlite.__version__, np.__version__, platform.python_version(), sys.abiflags)
    cpu = (llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten())
    threads = os.environ.get("TRAINKIT_THREADING", "")  # whose they are (`tasks.py`)
    digest.update(repr((tools, platform.system(), platform.machine(), cpu, threads)).encode())
    return digest.hexdigest()[:20]


@cache
def _wanted_folder() -> Path:
    root = os.environ.get("TRAINKIT_CACHE")
    if not root:
        root = (os.environ.get("XDG_CACHE_HOME") or "~/.cache") + "/trainkit"
    return Path(os.path.expanduser(root)).absolute() / "kernels" / _key()  # noqa: PTH111  (it never raises)


@cache
def _writable_folder() -> Path:
    """The wanted folder, or a temporary one where it cannot be written: a full disk stops nobody."""
    for folder in (_wanted_folder, _shared_temporary_folder):
        with contextlib.suppress(OSError):
            path = folder()
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
            if _hold(path):
                _tidy(path)
            return path
        _hold(_wanted_folder())  # it may be read all the same
    path = Path(tempfile.mkdtemp(prefix="trainkit-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _shared_temporary_folder() -> Path:
    """One folder a user under the system's temporary one, so that a second start is warm there too."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    root = Path(tempfile.gettempdir()) / f"trainkit-{user}"
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    # Cache files are pickles and machine code: a folder that somebody else made is somebody else's program.
    if not stat.S_ISDIR(status.st_mode) or (os.name == "posix" and (status.st_uid != user or status.st_mode & 0o077)):
        raise PermissionError(f"{root} belongs to another user")
    return root / _key()


def _hold(folder: Path) -> bool:
    """Marks a folder as used until this process ends; tells whether nobody had done so for a day. It never raises."""
    with contextlib.suppress(OSError):
        for _ in range(9):  # again if the folder is removed meanwhile
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                file = _opened(folder / STAMP)
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_SH)  # waits for nothing but a removal, which takes milliseconds
                status = os.fstat(file)
                if status.st_nlink:
                    break
                os.close(file)
        else:
            return False
        # The file stays open: its lock, and under Windows that it is open, keep others from removing the folder.
        if status.st_size and abs(time.time() - status.st_mtime) < DAY:
            return False
        os.ftruncate(file, 0)
        os.write(file, b"The date of this file tells when the folder was last used.\n")
        return True
    return False


def _opened(stamp: Path) -> int:
    """A stamp's file descriptor, to write where that is allowed."""
    unlinked = getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(stamp, os.O_RDWR | os.O_CREAT | unlinked, 0o666)
    except OSError:
        return os.open(stamp, os.O_RDONLY | unlinked)


def _tidy(kept: Path) -> None:
    """Removes the folders beside one that nobody has used for long. It never raises."""
    with contextlib.suppress(OSError):
        for folder in sorted(kept.parent.iterdir()):
            if re.fullmatch(r"[0-9a-f]{20}(\.old)?", folder.name) and folder != kept:
                with contextlib.suppress(OSError):
                    _remove_unused(folder)


def _remove_unused(folder: Path) -> None:
    """Removes a folder that holds our files and nothing else, if none was used for long; others may try so at once."""
    before = time.time() - UNUSED_DAYS * DAY
    itself = folder.lstat()
    if not stat.S_ISDIR(itself.st_mode) or itself.st_mtime > before:
        return
    files = {file.name: file.lstat() for file in folder.iterdir()}
    if not files or not all(stat.S_ISREG(file.st_mode) and OURS.fullmatch(name) for name, file in files.items()):
        return
    stamp = files.get(STAMP)
    # Versions that had no stamp left no trace of a use but the time of access, where the system keeps it.
    times = [stamp.st_mtime] if stamp else [max(file.st_mtime, file.st_atime) for file in files.values()]
    if max(times) > before:
        return
    with contextlib.ExitStack() as stack:
        if stamp:
            descriptor = os.open(folder / STAMP, os.O_RDWR)
            stack.callback(os.close, descriptor)
            if fcntl is None:  # an open file would keep the folder from being renamed
                stack.close()
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_mtime > before:  # used since it was looked at
                    return
        # Renamed first, so that nobody finds half of a folder.
        doomed = folder.with_suffix(".old")
        folder.rename(doomed)
        for name in files:
            (doomed / name).unlink(missing_ok=True)
        doomed.rmdir()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing an index between this one's reading and writing it."""
    if fcntl is None:
        yield
        return
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


class _Locator(caching._CacheLocator):
    def __init__(self, py_func: Any, file: str) -> None:
        self._py_file = file
        self._line = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(_writable_folder())

    def get_source_stamp(self) -> str:
        return "the folder's name is the stamp"

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Implementation(caching.CompileResultCacheImpl):
    # No super().__init__(): it would let an environment variable of numba's choose another locator.
    def __init__(self, py_func: Any) -> None:
        file = py_func.__code__.co_filename
        self._lineno = py_func.__code__.co_firstlineno
        self._locator = _Locator(py_func, file)
        name = f"{Path(file).stem}.{py_func.__qualname__}"
        self._filename_base = self.get_filename_base(name, sys.abiflags if hasattr(sys, "abiflags") else "")


class _File(caching.IndexDataCacheFile):
    """numba's index of one function and its data, each checked: damaged machine code must not be run."""

    def load(self, key: Any) -> Any:
        """What was saved under a key, or None; it raises where a file is damaged."""
        name = self._load_index().get(key)
        if name is None:
            return None
        content = Path(self._data_path(name)).read_bytes()
        digest, content = content[:DIGEST], content[DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError(f"{name} is damaged")
        saved_under, data = pickle.loads(content)
        return data if saved_under == key else None

    def save(self, key: Any, data: Any) -> None:
        """Keeps data under a key. The index comes last: it names nothing that is not there yet."""
        index = self._load_index()
        taken = set(index.values())
        name = index.get(key) or next(name for i in count(1) if (name := self._data_name(i)) not in taken)
        content = self._dump((key, data))
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(content).digest() + content)
        self._save_index({**index, key: name})


class KernelCache(caching.FunctionCache):
    """numba's cache of one function, in the kernels' own folder; it never raises and never warns."""

    _impl_class = _Implementation

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self._short_name = py_func.__name__
        base, stamp = self._impl.filename_base, self._impl.locator.get_source_stamp()
        folders = dict.fromkeys((_writable_folder(), _wanted_folder()))  # one that can only be read may hold some
        self._files = [_File(str(folder), base, stamp) for folder in folders]
        self._cache_file = self._files[0]

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code for a signature, or None: it must be compiled."""
        # What is compiled needs memory that is counted, and no more. numba's own way is `target_context.refresh()`: it
        # imports the compiler's library, and scipy where that is, for half a second. To compile does so itself.
        rtsys.initialize(target_context)
        for file in self._files:
            self._cache_file = file
            try:
                found = self._load_overload(sig, target_context)
            except Exception:  # noqa: BLE001  (a torn or foreign file is a miss, whatever its pickle raises)
                found = None
            if found is not None:
                return found
        _progress.started(self._short_name)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keeps what was compiled for a signature; a full disk costs the next start, not this one."""
        self._cache_file = self._files[0]
        with contextlib.suppress(OSError), _locked(_writable_folder()):
            try:
                self._save_overload(sig, data)
            except (pickle.UnpicklingError, EOFError, ValueError):  # a torn index: begin a new one
                self._cache_file.flush()
                self._save_overload(sig, data)
        _progress.finished()


class _Progress:
    """Says once a process that kernels are compiled: one moving line on a terminal, two lines in a pipe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bar: Any = None
        self._timer: threading.Timer | None = None
        self._count = 0
        self._seconds = 0.0
        self._depth = 0
        self._since = 0.0
        self._announced = False
        self._summarised = False

    def started(self, name: str) -> None:
        if os.environ.get("TRAINKIT_QUIET", "0") not in {"", "0"} or sys.stderr is None:
            return
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._depth == 0:
                self._since = time.perf_counter()
            self._depth += 1
            if not self._announced:
                self._announced = True
                atexit.register(self.close)
                where = f"trainkit: compiling kernels, once for this machine, into {_writable_folder()}"
                print(where, file=sys.stderr, flush=True)  # noqa: T201
            if self._bar is None and sys.stderr.isatty():
                from tqdm.auto import tqdm  # takes 40 ms, which only those spend who see it

                form = "{desc}: {n_fmt} done, {elapsed}{postfix}"
                self._bar = tqdm(desc="trainkit: compiling", bar_format=form, leave=False, file=sys.stderr)
                self._bar.update(self._count)
            if self._bar is not None:
                self._bar.set_postfix_str(name)

    def finished(self) -> None:
        with self._lock:
            if self._depth == 0:
                return
            self._depth -= 1
            self._count += 1
            if self._depth == 0:
                self._seconds += time.perf_counter() - self._since
                self._timer = threading.Timer(QUIET_SECONDS, self.close)
                self._timer.daemon = True
                self._timer.start()
            if self._bar is not None:
                self._bar.update()

    def close(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._count and not self._summarised:
                self._summarised = True
                summary = f"{self._count} kernels in {self._seconds:.1f} s; the next start is quick"
                print(f"trainkit: compiled {summary}", file=sys.stderr, flush=True)  # noqa: T201


_progress = _Progress()
