"""States on disk: one safetensors file for a tree of arrays and plain values. Nothing is pickled, either way.

Files of `torch.save` are read too, by `torch_file`.

Arrays are the file's tensors, named by their path in the tree (`model.conv1.weight`), so other tools can read them;
everything else is JSON in the file's header.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from trainkit.errors import CheckpointError, OutputError
from trainkit.torch_file import is_torch_file, read_torch_file

__all__ = ["check_folder", "load", "outline", "save", "write_atomically"]

_KEY = "trainkit"
_ARRAY, _TUPLE, _INTEGER_KEYS = "$array", "$tuple", "$integer_keys"


def save(tree: Any, path: str | os.PathLike[str]) -> None:
    """Write a tree of dicts, lists, tuples, arrays, tensors, numbers, strings, booleans and None.

    The file is complete or is not there: it is written beside its place and then moved.

    Raises:
        CheckpointError: the tree holds something else; the message says where.
        OSError: the file cannot be written.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "state.safetensors")
    >>> save({"weight": np.ones(2), "epoch": 3}, path)
    >>> load(path)
    {'weight': array([1., 1.]), 'epoch': 3}
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    header = json.dumps(_pack(tree, "", arrays))
    content = safetensors.numpy.save(arrays, metadata={_KEY: header})
    write_atomically(path, content)


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote, arrays as ndarrays; of another tool's safetensors file, a dict of arrays by name.

    A file that torch wrote (`torch.save`, of torch 1.6 or later; .pt or .pth) is read as well, whether torch is there
    or not: a state dict, or a tree of dicts, lists, tensors, numbers and strings. Nothing is unpickled, so no file
    can run anything. What the file is, its content tells, not its name.

    Raises:
        CheckpointError: the file is not there, is none of these, is cut short, or is torch's and holds more than
            data; the message says what.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    with path.open("rb") as opened:
        head = opened.read(16)
    if is_torch_file(head):
        return read_torch_file(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
        return _unpack(json.loads(metadata[_KEY]), arrays) if _KEY in metadata else arrays
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a complete safetensors file ({error}); was it cut short?") from error


def outline(path: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote without its arrays, which are None; of another tool's file, None.

    Raises:
        CheckpointError: the file is not there, is not a safetensors file, or is cut short.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return _unpack(json.loads(metadata[_KEY]), _Nothing()) if _KEY in metadata else None
    except (OSError, safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a complete safetensors file ({error}); was it cut short?") from error


class _Nothing(dict[str, Any]):
    """Has None for every array."""

    def __missing__(self, key: str) -> None:
        return None


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that it is there whole or, whatever happens, as it was before."""
    path = Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # noqa: PTH101 -- a temporary file is its owner's alone, this one is not
        os.replace(name, path)  # noqa: PTH105 -- both are names
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise


def check_folder(folder: Path, what: str) -> None:
    """Make a folder and make sure that files can be written in it.

    Raises:
        OutputError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write {what} into {folder}: {error.strerror}; choose another folder, or make this one writable"
        ) from error


def _pack(value: Any, path: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if value is None or isinstance(value, (bool, str, int, float)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _pack(item, f"{path}.{key}" if path else key, arrays) for key, item in value.items()}
        if all(isinstance(key, int) for key in value):
            return {_INTEGER_KEYS: _pack({str(key): item for key, item in value.items()}, path, arrays)}
        raise CheckpointError(f"cannot save a dict whose keys are neither all strings nor all integers, at {path!r}")
    if isinstance(value, (list, tuple)):
        packed = [_pack(item, f"{path}.{i}" if path else str(i), arrays) for i, item in enumerate(value)]
        return {_TUPLE: packed} if isinstance(value, tuple) else packed
    if hasattr(value, "__array__"):
        # safetensors writes the memory as it lies, whatever the strides say
        arrays[path] = np.asarray(value, order="C")  # ascontiguousarray would make a number of shape () one of (1,)
        return {_ARRAY: path}
    raise CheckpointError(
        f"cannot save a {type(value).__name__} (at {path or 'the top'!r}); a state holds arrays, numbers, strings, "
        "and dicts and lists of them"
    )


def _unpack(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return arrays[value[_ARRAY]]
    if _TUPLE in value:
        return tuple(_unpack(item, arrays) for item in value[_TUPLE])
    if _INTEGER_KEYS in value:
        return {int(key): _unpack(item, arrays) for key, item in value[_INTEGER_KEYS].items()}
    return {key: _unpack(item, arrays) for key, item in value.items()}
