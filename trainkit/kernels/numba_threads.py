"""numba's threads, which do the tasks where `workers.py` has no system calls to build on: not on Linux.

`TRAINKIT_THREADING=numba` has them do it there too.
"""

import contextlib
import ctypes
import os
import site
import sys
import threading
from pathlib import Path
from typing import Any

from numba.np.ufunc import parallel

__all__ = ["PARALLEL_FOR", "NumbaThreads", "prepare"]

PARALLEL_FOR = "numba_parallel_for"  # the symbol of what all of numba's layers offer
pool: Any = parallel  # some of the names below exist only after its first launch


def prepare() -> None:
    """Tells LLVM where `PARALLEL_FOR` lies."""
    if not pool._is_initialized:
        pool._launch_threads()


class NumbaThreads:
    """What `Workers` is, of numba's threads.

    Attributes:
        most: how many threads a launch may have, with the one that calls.
        ready: how many it has now: numba starts all with the first.
        turns: what a launch holds, if two at once are too many.
    """

    def __init__(self) -> None:
        self.most = self.ready = int(pool.NUM_THREADS)
        # numba's last resort, the workqueue layer, ends the process when two Python threads launch at once.
        self.turns = None if _load_tbb() or sys.platform == "linux" else threading.Lock()

    def start(self, threads: int) -> None:
        """There is nothing to do."""


def _load_tbb() -> bool:
    """Loads the library of the `tbb` wheel, which numba does not find by itself.

    TBB hands out work to whoever is free; OpenMP's team waits for its slowest member, and on a shared machine
    there always is one.
    """
    names = {"linux": ("lib", "libtbb.so.12"), "darwin": ("lib", "libtbb.12.dylib")}
    folder, name = names.get(sys.platform, (os.path.join("Library", "bin"), "tbb12.dll"))  # noqa: PTH118
    roots = [sys.prefix, sys.base_prefix, site.getuserbase()]
    for path in (Path(root) / folder / name for root in roots if root):
        if path.is_file():
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
                return True
    return False
