"""Files of `torch.save`, read without torch and without pickle.

Such a file is a zip of one pickle, which says how the tree of dicts, lists and tensors is built, and of the memory of
the tensors, a record for each storage. A pickle is a program: here a small machine of its own runs it, which knows the
instructions that plain containers, numbers and tensors need and the few names in `_GLOBALS`. A name is looked up there
and nowhere else; nothing is imported and nothing that the file names is called.
"""

import os
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainkit.errors import CheckpointError

__all__ = ["is_torch_file", "read_torch_file"]

_ZIP = b"PK\x03\x04"
_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled number that torch put first before it wrote zips

# PyTorch's dtypes that an array can have; bfloat16 is read as float32, which holds all its values
_DTYPES = {
    "float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "u2", "int64": "i8", "int32": "i4", "int16": "i2",
    "int8": "i1", "uint8": "u1", "bool": "u1",
}  # fmt: skip
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip


def is_torch_file(head: bytes) -> bool:
    """Tell by the first 16 bytes of a file whether it is a zip or a pickle, and so nothing else that is read here."""
    is_pickle = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and head[8:9] != b"{"
    return head.startswith(_ZIP) or is_pickle


def read_torch_file(path: str | os.PathLike[str]) -> Any:
    """Read what `torch.save` wrote: a state dict, or a tree of dicts, lists, tuples, tensors, numbers and strings.

    Tensors and parameters become ndarrays, wherever they were; tensors that shared memory share it still. bfloat16
    becomes float32, a dtype and a device become their names, an OrderedDict and a Counter become dicts, a Size a tuple.

    Raises:
        CheckpointError: the file is damaged, is of the format before torch 1.6, or holds anything else, such as a
            whole module; the message names it, and nothing of it has been run.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(16)
    if not head.startswith(_ZIP):
        what = "the format that torch wrote before 1.6" if head.startswith(_OLD) else "a bare pickle"
        raise CheckpointError(
            f"{path} is {what}, which cannot be read without running it; if you trust it, load it with torch and write "
            "it anew: torch.save(state, path)"
        )
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in nonsense, which pickletools decodes
            records = _Records(path, archive)
            return _Machine(records).run(records.read("data.pkl"))
    except _RefusedError as refusal:
        raise CheckpointError(
            f"{path} holds {refusal}, which is refused, and nothing of it was run: what is read are tensors, numbers, "
            "strings, and dicts, lists and tuples of them. In torch, save the state alone: "
            "torch.save(net.state_dict(), path)"
        ) from None
    except (_DamagedError, zipfile.BadZipFile, struct.error, EOFError, OSError, LookupError, TypeError, ValueError,
            ArithmeticError, NotImplementedError) as error:  # fmt: skip
        detail = str(error) or type(error).__name__
        raise CheckpointError(f"{path} is not a complete torch file ({detail}); was it cut short?") from error


class _RefusedError(Exception):
    """What the file holds is not data; the message is what it is."""


class _DamagedError(Exception):
    """The file contradicts itself."""


class _Records:
    """The records of a file, none of which is larger than the file itself."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        infos = archive.infolist()
        for info in infos:
            # torch packs nothing; so no small file can hold a large one, and what is asked for is what is there
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise _DamagedError(f"its record {info.filename!r} is packed or locked, as torch writes none")
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise _DamagedError("its records are larger than the file")
        roots = [info.filename[: -len("data.pkl")] for info in infos if info.filename.endswith("/data.pkl")]
        if len(roots) != 1:
            raise _DamagedError("a zip, but not of torch.save: it has no data.pkl")
        self.root = roots[0]
        self.order = self._byte_order()
        self.raw: dict[str, np.ndarray[Any, Any]] = {}
        self.storages: dict[tuple[str, str], np.ndarray[Any, Any]] = {}

    def read(self, name: str) -> bytes:
        return self.archive.read(self.root + name)

    def _byte_order(self) -> Literal["<", ">"]:
        if f"{self.root}byteorder" not in self.archive.namelist():
            return "<"  # before torch 2.1 there was no record of it
        order = self.read("byteorder")
        if order not in (b"little", b"big"):
            raise _DamagedError(f"its byte order is {order[:20]!r}, neither 'little' nor 'big'")
        return "<" if order == b"little" else ">"

    def values(self, key: str, dtype: str) -> np.ndarray[Any, Any]:
        """Return a storage as an array of one dimension; each is read once, so that tensors share it."""
        if key not in self.raw:
            self.raw[key] = np.frombuffer(bytearray(self.read(f"data/{key}")), np.uint8)
        if (key, dtype) not in self.storages:
            raw = self.raw[key].view(np.dtype(_DTYPES[dtype]).newbyteorder(self.order))
            self.storages[key, dtype] = _native(raw, dtype)
        return self.storages[key, dtype]


def _native(raw: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    if dtype == "bool":
        values = values.astype(np.bool_)
    elif dtype == "bfloat16":
        values = np.left_shift(values, 16, dtype=np.uint32).view(np.float32)  # the upper half of a float32
    return values


@dataclass(frozen=True)
class _StorageType:
    """A class of storages, by the dtype of its elements."""

    dtype: str


@dataclass(frozen=True)
class _Storage:
    """A storage of the file."""

    key: str
    dtype: str
    records: _Records

    def tensor(self, offset: Any, size: Any, stride: Any, dtype: str | None = None) -> np.ndarray[Any, Any]:
        """Return a view of the memory, all of whose elements lie in it."""
        values = self.records.values(self.key, dtype or self.dtype)
        if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride):
            raise _DamagedError("the sizes and the strides of a tensor do not fit each other")
        if any(type(number) is not int or number < 0 for number in (offset, *size, *stride)):
            raise _DamagedError("the offset, a size or a stride of a tensor is no number of at least 0")
        if 0 in size:
            return np.empty(size, values.dtype)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= len(values):
            raise _DamagedError(f"a tensor of shape {size} reaches element {last} of a storage of {len(values)}")
        steps = [step * values.itemsize if n > 1 else 0 for n, step in zip(size, stride, strict=True)]
        return np.ndarray(size, values.dtype, values, offset * values.itemsize, steps)


# What a name in the file stands for, as far as the machine calls it


def _ordered_dict(pairs: Iterable[Any] = ()) -> dict[Any, Any]:
    return {_key(key): value for key, value in pairs}


def _counter(counts: dict[Any, Any] | None = None) -> dict[Any, Any]:
    if counts is not None and type(counts) is not dict:
        raise _DamagedError("a Counter is not made of a dict")
    return dict(counts or {})


def _bytes(text: str, encoding: str) -> bytes:
    """Undo how Python 3 writes bytes in the protocol that torch uses."""
    if encoding != "latin1":
        raise _DamagedError("bytes are written in another way than Python's")
    return text.encode("latin1")


def _size(numbers: Any = ()) -> tuple[int, ...]:
    return tuple(numbers)


def _device(kind: str, index: int | None = None) -> str:
    return kind if index is None else f"{kind}:{index}"


def _rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = None, hooks: Any = None, extra: Any = None
) -> np.ndarray[Any, Any]:
    if not isinstance(storage, _Storage):
        raise _DamagedError(f"a tensor is made of a {type(storage).__name__} instead of a storage")
    return storage.tensor(offset, size, stride)


def _rebuild_tensor_of_dtype(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, extra: Any = None
) -> np.ndarray[Any, Any]:
    name = dtype.removeprefix("torch.") if isinstance(dtype, str) else ""
    if not isinstance(storage, _Storage) or name not in _DTYPES:
        raise _DamagedError("a tensor has no storage, or no dtype")
    return storage.tensor(offset, size, stride, name)


def _rebuild_parameter(data: Any, requires_grad: Any = None, hooks: Any = None, state: Any = None) -> Any:
    if not isinstance(data, np.ndarray):
        raise _DamagedError(f"a parameter is made of a {type(data).__name__} instead of a tensor")
    return data


@dataclass(frozen=True)
class _Call:
    """A name that the machine may call."""

    function: Callable[..., Any]


_GLOBALS: dict[tuple[Any, Any], Any] = {
    ("collections", "OrderedDict"): _Call(_ordered_dict),
    ("collections", "Counter"): _Call(_counter),
    ("_codecs", "encode"): _Call(_bytes),
    ("torch", "Size"): _Call(_size),
    ("torch", "device"): _Call(_device),
    ("torch._utils", "_rebuild_tensor"): _Call(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Call(_rebuild_tensor),
    ("torch._utils", "_rebuild_tensor_v3"): _Call(_rebuild_tensor_of_dtype),
    ("torch._utils", "_rebuild_parameter"): _Call(_rebuild_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): _Call(_rebuild_parameter),
    ("torch.storage", "UntypedStorage"): _StorageType("uint8"),
    **{("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()},
    **{("torch", name): f"torch.{name}" for name in _DTYPES},
}


# The machine

_LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8",
}  # fmt: skip
_NEW: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_DICT": dict, "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """Runs the program of a pickle, as far as it makes data."""

    def __init__(self, records: _Records) -> None:
        self.records = records
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under the marks
        self.memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        argument: Any
        for opcode, argument, _ in pickletools.genops(program):
            name = opcode.name
            if name in _LITERALS:
                self.stack.append(argument)
            elif name in _NEW:
                self.stack.append(_NEW[name]())
            elif name in _TUPLES:
                self.stack.append(tuple(self._take(_TUPLES[name])))
            elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
                self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = self.stack[-1]
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                self.stack.append(self.memo[int(argument)])
            elif name == "STOP":
                return self.stack.pop()
            elif name == "GLOBAL":
                self.stack.append(_look_up(*argument.split(" ", 1)))
            elif hasattr(self, f"_do_{name.lower()}"):
                getattr(self, f"_do_{name.lower()}")()
            elif name not in ("PROTO", "FRAME"):
                what = "" if argument is None else f" of {str(argument)[:80].replace(' ', '.')}"
                raise _RefusedError(f"the instruction {name}{what}, which makes something other than data")
        raise _DamagedError("its program has no end")

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise _DamagedError("its program takes more than there is")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _to_mark(self) -> list[Any]:
        taken, self.stack = self.stack, self.below.pop()
        return taken

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise _DamagedError(f"its program takes a {type(self.stack[-1]).__name__} for a {kind.__name__}")
        return self.stack[-1]

    def _do_mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def _do_pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._to_mark()

    def _do_pop_mark(self) -> None:
        self._to_mark()

    def _do_tuple(self) -> None:
        items = self._to_mark()
        self.stack.append(tuple(items))

    def _do_list(self) -> None:
        items = self._to_mark()
        self.stack.append(items)

    def _do_dict(self) -> None:
        items = self._to_mark()
        self.stack.append({})
        self._set(items)

    def _do_append(self) -> None:
        items = self._take(1)
        self._top(list).extend(items)

    def _do_appends(self) -> None:
        items = self._to_mark()
        self._top(list).extend(items)

    def _do_setitem(self) -> None:
        self._set(self._take(2))

    def _do_setitems(self) -> None:
        self._set(self._to_mark())

    def _set(self, items: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = value

    def _do_stack_global(self) -> None:
        self.stack.append(_look_up(*self._take(2)))

    def _do_reduce(self) -> None:
        called, arguments = self._take(2)
        if not isinstance(called, _Call) or type(arguments) is not tuple:
            raise _RefusedError(f"a call of a {type(called).__name__}")
        self.stack.append(called.function(*arguments))

    def _do_build(self) -> None:
        """Pass over the attributes of a dict: a state dict has the versions of its modules there."""
        state = self._take(1)[0]
        if type(self.stack[-1]) is not dict or type(state) is not dict:
            raise _RefusedError(f"attributes for a {type(self.stack[-1]).__name__}")

    def _do_binpersid(self) -> None:
        match self._take(1)[0]:
            case ("storage", _StorageType(dtype), str(key), str(), int(size)):
                found = len(self.records.values(key, dtype))
                if size != found:
                    raise _DamagedError(f"its storage {key} should have {size} elements and has {found}")
                self.stack.append(_Storage(key, dtype, self.records))
            case _:
                raise _DamagedError("a storage is not named as torch names them")


def _look_up(module: Any, name: Any) -> Any:
    if not isinstance(module, str) or not isinstance(name, str):
        raise _RefusedError(f"a name that is a {type(name).__name__}")
    if (module, name) not in _GLOBALS:
        raise _RefusedError(f"{module}.{name}")
    return _GLOBALS[module, name]


def _key(key: Any) -> Any:
    """Check the key of a dict: one whose hash is made without going deep."""
    parts = key if type(key) is tuple else (key,)
    if not all(part is None or type(part) in (str, bytes, bool, int, float) for part in parts):
        raise _DamagedError(f"the key of a dict is a {type(key).__name__}")
    return key
