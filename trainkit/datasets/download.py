"""Fetching files from mirrors with pooch: a file appears under its name only when it is whole and checked."""

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from trainkit.errors import DataError

__all__ = ["DatasetUnavailableError", "download"]

ANSWER_WITHIN = 3.0  # seconds, for the first mirror to answer, looking up its name included
STALL_AFTER = 15.0  # seconds without a byte, after which the next mirror is tried


class DatasetUnavailableError(DataError, ConnectionError):
    """A data set is not on this machine and cannot be downloaded now."""


def download(names: Sequence[str], folder: Path, mirrors: Sequence[str], check: Callable[[Path], object]) -> None:
    """Download files into a folder, each from the first mirror that delivers it whole.

    Args:
        names: the files, named alike on every mirror and in the folder.
        folder: made where it does not exist.
        mirrors: URLs that end in a slash, the preferred one first.
        check: is called with the path of a finished file and raises DataError where its content is wrong.

    Raises:
        DatasetUnavailableError: pooch is not installed, no mirror answers within `ANSWER_WITHIN` seconds,
            none delivers a file that passes `check`, or the folder cannot be written.
    """
    try:
        import pooch  # noqa: F401
    except ImportError:
        raise DatasetUnavailableError(
            "downloading needs pooch, which is not installed: pip install 'trainkit[datasets]'"
        ) from None
    order = _answering_first(mirrors, names[0])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The temporary folder lies inside, so that the last step is a rename on one disk.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as unfinished:
            for name in names:
                part = Path(unfinished, name)
                _fetch(name, part, order, check)
                part.replace(folder / name)
    except DatasetUnavailableError:
        raise
    except OSError as error:
        raise DatasetUnavailableError(
            f"the folder cannot be written ({error.strerror}); name another as root"
        ) from error


def _fetch(name: str, part: Path, mirrors: Sequence[str], check: Callable[[Path], object]) -> None:
    """Write one checked file to `part`, or raise with what each mirror did."""
    from pooch import HTTPDownloader
    from tqdm.auto import tqdm

    failures: list[tuple[str, str, Exception]] = []
    for mirror in mirrors:
        # disable=None: a bar on a terminal, nothing in a pipe or a file. pooch sets the total, but asks first
        # whether the bar is true, which a bar without a total cannot answer.
        with tqdm(desc=name, total=1, unit="B", unit_scale=True, leave=False, disable=None) as bar:
            limits = (ANSWER_WITHIN, STALL_AFTER)  # to connect, and between two bytes
            fetch = HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=limits)
            try:
                fetch(mirror + name, str(part), None)
                check(part)
            except DataError as error:
                failures.append((mirror, "not the expected content", error))
            except (OSError, ValueError) as error:  # requests' exceptions are one or the other
                reason = getattr(error, "strerror", None) or type(error).__name__
                response = getattr(error, "response", None)
                if response is not None:
                    reason = f"HTTP status {response.status_code}"
                    response.close()
                failures.append((mirror, reason, error))
            else:
                return
    told = "; ".join(f"{_host(mirror)}: {reason}" for mirror, reason, _ in failures)
    raise DatasetUnavailableError(f"no mirror delivered {name} ({told})") from failures[-1][2]


def _answering_first(mirrors: Sequence[str], name: str) -> list[str]:
    """Return the mirrors, the first that answered in front; raise where none answers in time.

    Looking up a name has no time limit of its own and can hang for minutes where packets vanish. So each
    mirror is asked in a thread that nobody waits for, with pooch's own request: it passes proxies as the
    download will.
    """
    from pooch import HTTPDownloader

    answers: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def ask(mirror: str) -> None:
        try:
            found = bool(HTTPDownloader(timeout=ANSWER_WITHIN)(mirror + name, None, None, check_only=True))
        except (OSError, ValueError):
            found = False
        answers.put((mirror, found))

    for mirror in mirrors:
        threading.Thread(target=ask, args=(mirror,), daemon=True, name=f"ask {_host(mirror)}").start()
    deadline = time.monotonic() + ANSWER_WITHIN
    for _ in mirrors:
        try:
            mirror, found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if found:
            return [mirror, *(other for other in mirrors if other != mirror)]
    raise DatasetUnavailableError(f"no network: {' and '.join(map(_host, mirrors))} could not be reached")


def _host(mirror: str) -> str:
    return urlsplit(mirror).netloc
