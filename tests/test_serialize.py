"""Files: what goes in comes out, and nothing half-written stays."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk
from trainkit import serialize
from trainkit.errors import CheckpointError

leaves = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=5)
names = st.text("abc.$", min_size=1, max_size=4)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(names, inner, max_size=3)
        | st.dictionaries(st.integers(0, 9), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(trees)
def test_plain_trees_round_trip(tmp_path_factory, tree) -> None:
    path = tmp_path_factory.mktemp("trees") / "tree.safetensors"
    serialize.save(tree, path)
    assert serialize.load(path) == tree


def test_arrays_keep_dtype_order_and_name(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    matrix = np.arange(6.0).reshape(2, 3)
    tree = {"a": {"b": matrix.T, "c": tk.tensor([1, 2])}, "d": (np.float32(0.5), np.array(True))}
    serialize.save(tree, path)
    loaded = serialize.load(path)
    np.testing.assert_array_equal(loaded["a"]["b"], matrix.T)
    assert loaded["a"]["c"].dtype == np.int64
    assert loaded["d"][0] == 0.5
    assert loaded["d"][1].dtype == np.bool_
    from safetensors.numpy import load_file

    assert set(load_file(path)) == {"a.b", "a.c", "d.1"}


def test_files_of_other_tools(tmp_path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.ones((2, 2), "float32")}, tmp_path / "other.safetensors")
    net = tk.nn.Linear(2, 2, bias=False)
    net.load_state_dict(tk.load(tmp_path / "other.safetensors"))
    assert net.weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_damaged_files(tmp_path, content) -> None:
    path = tmp_path / "x.safetensors"
    serialize.save({"a": np.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        serialize.load(path)
    with pytest.raises(CheckpointError, match="no file"):
        serialize.load(tmp_path / "missing")


def test_what_cannot_be_saved_leaves_no_file(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot save a object \(at 'a.1'\)"):
        serialize.save({"a": [1, object()]}, tmp_path / "x")
    with pytest.raises(CheckpointError, match="keys"):
        serialize.save({1: 2, "a": 3}, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "x.safetensors"
    serialize.save({"n": 1}, path)

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        serialize.save({"n": 2}, path)
    monkeypatch.undo()
    assert serialize.load(path) == {"n": 1}
    assert list(tmp_path.iterdir()) == [path]
