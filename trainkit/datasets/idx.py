"""The IDX file format, in which MNIST and its relatives are published: a header of sizes, then the values."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainkit.errors import DataError

__all__ = ["read_idx"]

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CURE = "delete it and download it again"


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read an IDX file, gzipped or plain, as an array of the type and the shape that its header names.

    The format is told by the content, not by the name. The array has this machine's byte order and is
    read-only, because for bytes it is the decompressed file itself: `copy()` it before writing into it.

    Source: the format's description by LeCun, Cortes and Burges beside their MNIST database.

    Raises:
        DataError: there is no such file, its gzip stream is damaged, or the header and the length disagree.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pair.idx")
        ...     _ = path.write_bytes(bytes([0, 0, 0x0B, 1]) + bytes([0, 0, 0, 2]) + bytes([0, 7, 1, 0]))
        ...     read_idx(path)
        array([  7, 256], dtype=int16)
    """
    return parse_idx(read_content(path), path)


def read_content(path: str | Path) -> bytes:
    """Return the content of a file, decompressed where it is gzipped."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        raise DataError(f"'{path}' is a folder, expected an IDX file; name the file in it") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read ({error.strerror}), expected an IDX file") from error
    if not raw:
        raise DataError(f"'{path}' is empty, expected an IDX file; {CURE}")
    return _gunzip(raw, path) if raw[:2] == b"\x1f\x8b" else raw


def _gunzip(raw: bytes, path: Path) -> bytes:
    # The last four bytes of a gzip file are the length of its content: one allocation of the right size saves
    # a third of the time. A damaged file cannot make it absurd, since deflate packs at most 1,032 to 1.
    length = int.from_bytes(raw[-4:], "little")
    try:
        content = zlib.decompress(raw, wbits=31, bufsize=min(max(length, 1), 1032 * len(raw)))
        # zlib stops at the end of the first stream; gzip goes on to the next, and refuses rubbish after it.
        return content if len(content) == length else gzip.decompress(raw)
    except (zlib.error, OSError, EOFError) as error:
        raise DataError(
            f"'{path}' ({len(raw)} bytes) is not one whole gzip stream: {error}; "
            f"the download was cut short or damaged: {CURE}"
        ) from error


def parse_idx(content: bytes, path: str | Path) -> NDArray[Any]:
    """Return the array in the content of an IDX file; `path` only names the file in errors."""
    dtype = DTYPES.get(content[2]) if len(content) >= 4 and content[:2] == b"\0\0" else None
    if dtype is None:
        raise DataError(
            f"'{path}' is not an IDX file: it starts with the bytes [{content[:4].hex(' ')}], expected "
            f"[00 00 type rank] with a type of {', '.join(f'{code:02x}' for code in DTYPES)}; {CURE}"
        )
    rank = content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError(f"'{path}' is cut short: {len(content)} bytes, expected {start} for the header alone; {CURE}")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, 4))
    expected = start + math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        fault = "is cut short" if len(content) < expected else "has bytes after its end"
        raise DataError(
            f"'{path}' {fault}: {len(content)} bytes, expected {expected} for {np.dtype(dtype).name} values "
            f"of shape {shape}; {CURE}"
        )
    try:
        values = np.frombuffer(content, dtype, math.prod(shape), start).reshape(shape)
    except ValueError as error:
        raise DataError(f"'{path}' has the shape {shape}, which numpy cannot hold: {error}; {CURE}") from error
    array = values.astype(values.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array
