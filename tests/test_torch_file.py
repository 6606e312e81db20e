"""Files of torch.save, assembled by hand: what is data loads, everything else is refused by its name."""

import os
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

import trainkit as tk
from trainkit.errors import CheckpointError

STORAGES = {
    "f8": "DoubleStorage", "f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage", "i4": "IntStorage",
    "i2": "ShortStorage", "i1": "CharStorage", "u1": "ByteStorage", "b1": "BoolStorage",
}  # fmt: skip


def plain(value: object) -> bytes:
    """The instructions that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def storage(key: object, kind: str, count: object, room: str = "torch", location: str = "cpu") -> bytes:
    return b"(" + plain("storage") + name(room, kind) + plain(key) + plain(location) + plain(count) + b"tQ"


def tensor(source: bytes, offset: object, size: object, stride: object) -> bytes:
    arguments = [plain(offset), plain(size), plain(stride), plain(False), call(name("collections", "OrderedDict"))]
    return call(name("torch._utils", "_rebuild_tensor_v2"), source, *arguments)


def mapping(**items: bytes) -> bytes:
    return b"}(" + b"".join(plain(key) + value for key, value in items.items()) + b"u"


def write(path: Path, program: bytes, *storages: bytes, order: bytes | None = b"little", packed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + program + b".")
        if order is not None:
            file.writestr("archive/byteorder", order)
        for i, content in enumerate(storages):
            file.writestr(f"archive/data/{i}", content)
        file.writestr("archive/version", b"3\n")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.anything"


def test_a_file_that_torch_wrote() -> None:
    """Torch 2.13 wrote {"model": net.state_dict(), "epoch": 3, "optimizer": ..., ...} of a small network."""
    loaded = tk.load(Path(__file__).parent / "models" / "checkpoint.pt")
    assert list(loaded) == ["model", "optimizer", "scheduler", "epoch", "loss", "half", "size", "dtype", "device"]
    assert list(loaded["model"]) == [
        *("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"),
    ]
    assert loaded["model"]["0.weight"].shape == (2, 1, 3, 3)
    assert loaded["model"]["0.weight"].dtype == np.float32
    assert int(loaded["model"]["1.num_batches_tracked"]) == 1
    assert loaded["optimizer"]["param_groups"][0]["betas"] == (0.9, 0.999)
    assert loaded["optimizer"]["state"][0]["exp_avg"].shape == (2, 1, 3, 3)
    assert loaded["scheduler"]["milestones"] == {2: 1}
    assert (loaded["epoch"], loaded["loss"], loaded["size"]) == (3, 0.5, (1, 2))
    assert (loaded["dtype"], loaded["device"]) == ("torch.float16", "cpu")
    np.testing.assert_array_equal(loaded["half"], np.float32([1.5, -2, 3.140625]))
    net = tk.nn.Sequential(tk.nn.Conv2d(1, 2, 3), tk.nn.BatchNorm2d(2))
    net.load_state_dict(loaded["model"])
    np.testing.assert_array_equal(net[0].weight.detach().numpy(), loaded["model"]["0.weight"])


@pytest.mark.parametrize("dtype", STORAGES)
@pytest.mark.parametrize("order", [b"little", b"big", None])
def test_every_dtype_in_either_byte_order(path: Path, dtype: str, order: bytes | None) -> None:
    values = np.array([0, 1, 5, 100, 0, 1]).astype(dtype)
    content = values.astype(np.dtype(dtype).newbyteorder(">" if order == b"big" else "<")).tobytes()
    write(path, tensor(storage("0", STORAGES[dtype], 6), 0, (2, 3), (3, 1)), content, order=order)
    loaded = tk.load(path)
    np.testing.assert_array_equal(loaded, values.reshape(2, 3))
    assert loaded.dtype == np.dtype(dtype)
    assert loaded.flags.writeable
    assert tk.from_numpy(loaded).shape == (2, 3)


@pytest.mark.parametrize("order", ["little", "big"])
def test_bfloat16_becomes_float32(path: Path, order: str) -> None:
    values = np.float32([1.5, -2, 3.140625, np.inf, 2.0**-130])
    upper = (values.view(np.uint32) >> 16).astype("<u2" if order == "little" else ">u2").tobytes()
    write(path, tensor(storage("0", "BFloat16Storage", 5), 0, (5,), (1,)), upper, order=order.encode())
    loaded = tk.load(path)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, values)


def test_views_share_their_storage_and_keep_their_strides(path: Path) -> None:
    memory = np.arange(12, dtype="f4")
    source = storage("0", "FloatStorage", 12, location="cuda:1")
    program = mapping(
        whole=tensor(source, 0, (3, 4), (4, 1)),
        turned=tensor(source, 0, (4, 3), (1, 4)),
        part=tensor(source, 5, (2, 2), (4, 2)),
        last=tensor(source, 11, (), ()),
        spread=tensor(source, 2, (3, 2), (0, 1)),
        windows=tensor(source, 0, (10, 3), (1, 1)),
        empty=tensor(source, 12, (0, 3), (3, 1)),
        one=tensor(source, 3, (1,), (10**40,)),
    )
    loaded = tk.load(write(path, program, memory.tobytes()))
    matrix = memory.reshape(3, 4)
    np.testing.assert_array_equal(loaded["whole"], matrix)
    np.testing.assert_array_equal(loaded["turned"], matrix.T)
    np.testing.assert_array_equal(loaded["part"], matrix[1:, 1::2])
    np.testing.assert_array_equal(loaded["spread"], [[2, 3]] * 3)
    np.testing.assert_array_equal(loaded["windows"][9], [9, 10, 11])
    assert loaded["last"].shape == ()
    assert loaded["last"] == 11
    assert loaded["empty"].shape == (0, 3)
    assert loaded["one"].tolist() == [3.0]
    loaded["whole"][1, 1] = 50
    assert loaded["turned"][1, 1] == loaded["part"][0, 0] == 50


def test_no_elements_at_all(path: Path) -> None:
    loaded = tk.load(write(path, tensor(storage("0", "FloatStorage", 0), 0, (0,), (1,)), b""))
    assert loaded.shape == (0,)
    assert loaded.dtype == np.float32


def test_parameters_untyped_storages_and_plain_values(path: Path) -> None:
    content = np.float32([1, 2]).tobytes()
    inner = tensor(storage("0", "FloatStorage", 2), 0, (2,), (1,))
    hooks = call(name("collections", "OrderedDict"))
    parameter = call(name("torch._utils", "_rebuild_parameter"), inner, plain(True), hooks)
    untyped = call(
        name("torch._utils", "_rebuild_tensor_v3"),
        storage("0", "UntypedStorage", 8, room="torch.storage"),
        *(plain(1), plain((1,)), plain((1,)), plain(False), hooks, name("torch", "float32")),
    )
    device = call(name("torch", "device"), plain("cuda"), plain(1))
    values = {"n": [1, 2.5, None, True, "word", b"bytes", -(2**70), (1, 2, 3, 4), {}, []], "x": {2: "two", (1, "a"): 0}}
    pairs = call(name("collections", "OrderedDict"), plain([["a", 1], ["b", 2]]))
    program = mapping(p=parameter, u=untyped, d=device, v=plain(values), o=pairs)
    loaded = tk.load(write(path, program, content))
    assert loaded["p"].tolist() == [1, 2]
    assert loaded["u"].tolist() == [2]
    assert loaded["d"] == "cuda:1"
    assert loaded["v"] == values
    assert loaded["o"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol_of_plain_values(path: Path, protocol: int) -> None:
    values = {"n": [1, 300, 70_000, 2.5, None, True, False, "wörd", -(2**70)], "t": ((), (1,), (1, 2, 3, 4)), 3: {1: 2}}
    values["again"] = values["n"]
    loaded = tk.load(write(path, pickle.dumps(values, protocol)[:-1]))
    assert loaded == values
    assert loaded["again"] is loaded["n"]


@pytest.mark.parametrize("kind", [".pt", ".pth", ".safetensors", ""])
def test_the_content_tells_the_kind_not_the_name(tmp_path: Path, kind: str) -> None:
    write(tmp_path / f"a{kind}", plain({"a": 1}))
    tk.save({"a": 2}, tmp_path / f"b{kind}")
    assert (tk.load(tmp_path / f"a{kind}"), tk.load(str(tmp_path / f"b{kind}"))) == ({"a": 1}, {"a": 2})


# What would run


class _Evil:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self.command,)


MARKER = "touch {marker}"
ATTACKS = {
    "reduce": (b"cposix\nsystem\n(" + plain(MARKER) + b"tR", r"posix\.system"),
    "os": (b"cos\nsystem\n(" + plain(MARKER) + b"tR", r"os\.system"),
    "eval": (b"cbuiltins\neval\n(" + plain("__import__('os').system('" + MARKER + "')") + b"tR", r"builtins\.eval"),
    "python 2": (b"c__builtin__\nexec\n(" + plain(MARKER) + b"tR", r"__builtin__\.exec"),
    "stack global": (plain("os") + plain("system") + b"\x93(" + plain(MARKER) + b"tR", r"os\.system"),
    "dotted": (plain("torch") + plain("_utils.os.system") + b"\x93(" + plain(MARKER) + b"tR", r"torch\._utils\.os"),
    "dotted module": (b"ctorch\nserialization.os.system\n(" + plain(MARKER) + b"tR", r"torch\.serialization\.os"),
    "torch's own": (b"ctorch\nload\n(" + plain("x") + b"tR", r"torch\.load"),
    "nested load": (b"ctorch.storage\n_load_from_bytes\n(" + plain(b"x") + b"tR", "_load_from_bytes"),
    "inst": (b"(" + plain(MARKER) + b"ios\nsystem\n", r"INST of os\.system"),
    "inst of a known name": (b"(icollections\nOrderedDict\n", r"INST of collections\.OrderedDict"),
    "obj": (b"(" + name("collections", "OrderedDict") + plain(MARKER) + b"o", "OBJ"),
    "newobj": (name("torch", "Size") + b")\x81", "NEWOBJ"),
    "newobj_ex": (name("torch", "Size") + b")}\x92", "NEWOBJ_EX"),
    "ext1": (b"\x82\x01", "EXT1 of 1"),
    "ext4": (b"\x84\x01\x00\x00\x00", "EXT4 of 1"),
    "persid": (b"Pos.system\n", r"PERSID of os\.system"),
    "set": (pickle.dumps({1}, 4)[2:-1], "EMPTY_SET"),
    "buffer": (b"\x97", "NEXT_BUFFER"),
    "module": (b"ctorch.nn.modules.linear\nLinear\n)\x81}b", r"torch\.nn\.modules\.linear\.Linear"),
    "build on a list": (b"]" + plain({"__class__": 1}) + b"b", "attributes for a list"),
    "build on a name": (name("collections", "OrderedDict") + plain({"function": 1}) + b"b", "attributes for a _Call"),
    "build on a dict by a tuple": (b"}" + plain((None, {"keys": 1})) + b"b", "attributes for a dict"),
    "call of a dtype": (name("torch", "float32") + b")R", "call of a str"),
    "call of a dict": (b"})R", "call of a dict"),
    "names that are not words": (b"]]\x93", "a name that is a list"),
    "complex": (storage("0", "ComplexFloatStorage", 1), r"torch\.ComplexFloatStorage"),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("deep", [False, True])
def test_what_is_not_data_is_refused_by_name_and_nothing_runs(path: Path, attack: str, deep: bool) -> None:
    program, expected = ATTACKS[attack]
    marker = path.parent / "it-ran"
    program = program.replace(plain(MARKER), plain(f"touch {marker}"))
    write(path, mapping(model=b"](" + program + b"e") if deep else program)
    with pytest.raises(CheckpointError, match=expected) as caught:
        tk.load(path)
    assert not marker.exists()
    assert "refused, and nothing of it was run" in str(caught.value)
    assert "torch.save(net.state_dict(), path)" in str(caught.value)


def test_the_attack_would_have_run(path: Path) -> None:
    """The same file, given to pickle, runs its command: the test above can fail."""
    marker = path.parent / "it-ran"
    program = pickle.dumps({"model": _Evil(f"touch {marker}")}, 2)
    write(path, program[2:-1])
    with pytest.raises(CheckpointError, match=r"(posix|nt)\.system"):
        tk.load(path)
    assert not marker.exists()
    pickle.loads(program)
    assert marker.exists()


# What is damaged

WHOLE = storage("0", "FloatStorage", 6)
DAMAGE = {
    "beyond the end": tensor(WHOLE, 0, (7,), (1,)),
    "beyond by offset": tensor(WHOLE, 6, (1,), (1,)),
    "beyond without dimensions": tensor(WHOLE, 6, (), ()),
    "beyond by stride": tensor(WHOLE, 0, (2, 2), (5, 1)),
    "beyond by far": tensor(WHOLE, 2**62, (2**62, 2), (2**62, 2**62)),
    "beyond by overflow": tensor(WHOLE, 0, (2, 2), (2**64, 1)),
    "before the start": tensor(WHOLE, -1, (1,), (1,)),
    "backwards": tensor(WHOLE, 5, (2,), (-1,)),
    "negative size": tensor(WHOLE, 0, (-1,), (1,)),
    "more sizes than strides": tensor(WHOLE, 0, (2, 3), (1,)),
    "a list of sizes": tensor(WHOLE, 0, [2, 3], [3, 1]),
    "fractions": tensor(WHOLE, 0.0, (2,), (1,)),
    "words": tensor(WHOLE, 0, ("2",), (1,)),
    "booleans": tensor(WHOLE, True, (1,), (1,)),
    "too many dimensions": tensor(WHOLE, 0, (1,) * 99, (1,) * 99),
    "more elements than there are addresses": tensor(WHOLE, 0, (2**40, 2**40), (0, 0)),
    "nothing of more than there are addresses": tensor(WHOLE, 0, (0, 2**63, 2**63), (0, 0, 0)),
    "a number as storage": tensor(plain(3), 0, (2,), (1,)),
    "a tensor as storage": tensor(tensor(WHOLE, 0, (2,), (1,)), 0, (2,), (1,)),
    "a storage that says more": storage("0", "FloatStorage", 7),
    "a storage that says less": storage("0", "FloatStorage", 5),
    "a storage of another dtype": storage("0", "DoubleStorage", 6),
    "a storage of no whole number": storage("1", "DoubleStorage", 0),
    "a storage that is not there": storage("9", "FloatStorage", 6),
    "a storage elsewhere": storage("../../archive/data/0", "FloatStorage", 6),
    "a storage without a name": storage(0, "FloatStorage", 6),
    "no storage": b"]Q",
    "a parameter of a number": call(name("torch._utils", "_rebuild_parameter"), plain(3), plain(True), plain(None)),
    "a call without arguments": name("torch._utils", "_rebuild_tensor_v2") + b")R",
    "an untyped storage without a dtype": call(
        name("torch._utils", "_rebuild_tensor_v3"), WHOLE, *[plain(x) for x in (0, (2,), (1,), False, None, "os")]
    ),
    "a counter of pairs": call(name("collections", "Counter"), plain([(1, 2)])),
    "a dict with a list as key": b"}]]s",
    "a dict with a deep key": b"}" + b"(" * 9 + b"t" * 9 + b"Ns",
    "a dict of three": b"}(NNNu",
    "items for no list": b"}(NNe",
    "nothing on the stack": b"\x85",
    "nothing in the memo": b"h\x05",
    "no mark": b"t",
    "the end without a value": b"",
    "an unknown instruction": b"\xff",
    "a string that is cut short": b"X\xff\xff\x00\x00ab",
    "a number of too many digits": b"L" + b"9" * 5000 + b"L\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_contradictions_are_told(path: Path, damage: str) -> None:
    write(path, DAMAGE[damage], np.arange(6, dtype="f4").tobytes(), b"abc")
    with pytest.raises(CheckpointError, match="not a complete torch file"):
        tk.load(path)


def test_expressions_that_grow_without_end_are_not_followed(path: Path) -> None:
    """Lists of themselves and of each other cost nothing unless they are printed or hashed."""
    laughs = b"]q\x00" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60))
    deep = b"(" * 100_000 + b"t" * 100_000
    for program in (laughs, deep):
        assert tk.load(write(path, program)) is not None
        for wrong in (tensor(program, 0, (1,), (1,)), tensor(WHOLE, 0, (2,), (1,))[:-2] + b"t" + program + b"R"):
            write(path, wrong, bytes(24))
            with pytest.raises(CheckpointError):
                tk.load(path)


def test_a_tensor_spread_over_much_takes_no_memory(path: Path) -> None:
    loaded = tk.load(write(path, tensor(storage("0", "FloatStorage", 1), 0, (10**9, 10**6), (0, 0)), bytes(4)))
    assert loaded.shape == (10**9, 10**6)


def test_packed_records_and_records_that_claim_too_much_are_refused(path: Path) -> None:
    program = tensor(storage("0", "ByteStorage", 10**7), 0, (10**7,), (1,))
    write(path, program, bytes(10**7), packed=True)
    assert path.stat().st_size < 10**5
    with pytest.raises(CheckpointError, match="is packed or locked"):
        tk.load(path)
    write(path, tensor(WHOLE, 0, (6,), (1,)), bytes(24))
    content = path.read_bytes()
    start = content.rindex(b"PK\x01\x02")  # in the directory: the last record, whose size is 2
    claim = (2**31).to_bytes(4, "little")
    path.write_bytes(content[: start + 20] + claim * 2 + content[start + 28 :])
    with pytest.raises(CheckpointError, match="larger than the file"):
        tk.load(path)


@pytest.mark.parametrize("order", [b"middle", b"", b"little\n"])
def test_an_unknown_byte_order(path: Path, order: bytes) -> None:
    with pytest.raises(CheckpointError, match="byte order"):
        tk.load(write(path, plain({}), order=order))


def test_zips_of_others_and_pickles(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), a=np.ones(2))
    with pytest.raises(CheckpointError, match=r"not of torch\.save"):
        tk.load(path.with_suffix(".npz"))
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    with pytest.raises(CheckpointError, match=r"the format that torch wrote before 1\.6.*torch\.save\(state, path\)"):
        tk.load(path)
    for protocol in (2, 3, 4, 5):
        path.write_bytes(pickle.dumps(_Evil(f"touch {path.parent / 'it-ran'}"), protocol))
        with pytest.raises(CheckpointError, match="a bare pickle"):
            tk.load(path)
    assert not (path.parent / "it-ran").exists()


def test_truncated_and_changed_files_load_or_are_told(path: Path) -> None:
    program = mapping(a=tensor(WHOLE, 0, (2, 3), (3, 1)), b=plain([1, "two", None]), c=plain({"n": 2.5}))
    content = write(path, program, np.arange(6, dtype="f4").tobytes()).read_bytes()
    rng = random.Random(0)
    told = 0
    for i in range(600):
        changed = bytearray(content)
        if i % 3 == 0:
            changed = changed[: rng.randrange(20, len(changed))]
        else:
            for _ in range(rng.randint(1, 3)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            tk.load(path)
        except CheckpointError:
            told += 1
    assert told > 400


def test_changed_programs_load_or_are_told(path: Path) -> None:
    """The sum of the zip is right here, so the machine itself meets the nonsense."""
    program = mapping(a=tensor(WHOLE, 0, (2, 3), (3, 1)), b=plain([1, "two", None]), c=plain({"n": 2.5}))
    rng = random.Random(0)
    told = 0
    for _ in range(1500):
        changed = bytearray(program)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        write(path, bytes(changed), bytes(24))
        try:
            tk.load(path)
        except CheckpointError:
            told += 1
    assert told > 500


def test_a_file_of_many_tensors_is_read_from_memory_once(path: Path) -> None:
    """Two tensors of one storage do not read it twice."""
    source = storage("0", "FloatStorage", 6)
    write(path, b"](" + tensor(source, 0, (3,), (1,)) + tensor(source, 3, (3,), (1,)) + b"e", bytes(24))
    first, second = tk.load(path)
    assert first.base is second.base
