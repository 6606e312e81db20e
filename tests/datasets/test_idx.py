import gzip
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainkit.datasets import read_idx
from trainkit.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)

arrays = hnp.arrays(
    st.sampled_from([np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "file"


@given(array=arrays, zipped=st.booleans())
def test_every_type_and_rank_comes_back(array, zipped, to_idx, scratch):
    scratch.write_bytes(gzip.compress(to_idx(array)) if zipped else to_idx(array))
    got = read_idx(scratch)
    assert got.dtype == array.dtype
    assert got.dtype.isnative
    assert not got.flags.writeable
    np.testing.assert_array_equal(got, array, strict=True)


@given(data=st.binary(max_size=64))
def test_no_bytes_raise_anything_but_data_error(data, scratch):
    for content in (data, b"\x1f\x8b" + data, b"\0\0\x08" + data, gzip.compress(b"\0\0\x0e" + data)):
        scratch.write_bytes(content)
        message = str(scratch)
        try:
            read_idx(scratch)
        except DataError as error:
            message = str(error)
        assert str(scratch) in message


def test_the_name_decides_nothing(tmp_path, to_idx):
    (tmp_path / "plain.gz").write_bytes(to_idx(IMAGES))
    (tmp_path / "zipped").write_bytes(gzip.compress(to_idx(IMAGES)))
    np.testing.assert_array_equal(read_idx(tmp_path / "plain.gz"), IMAGES)
    np.testing.assert_array_equal(read_idx(str(tmp_path / "zipped")), IMAGES)


def test_gzip_streams_set_end_to_end_are_one_file(tmp_path, to_idx):
    raw = to_idx(IMAGES)
    (tmp_path / "a.gz").write_bytes(gzip.compress(raw[:10]) + gzip.compress(raw[10:]))
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz"), IMAGES)


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


HUGE = b"\0\0\x08\x03" + b"\xff" * 12 + b"some values"
FAULTS = {
    "truncated": (
        lambda raw: raw[:-1],
        r"cut short: 39 bytes, expected 40 for uint8 values of shape \(2, 3, 4\)",
    ),
    "trailing": (lambda raw: raw + b"xx", "bytes after its end: 42 bytes, expected 40"),
    "header only in part": (lambda raw: raw[:9], "cut short: 9 bytes, expected 16 for the header"),
    "wrong magic": (
        lambda raw: b"<html>no such page",
        r"not an IDX file: it starts with the bytes \[3c 68 74 6d\]",
    ),
    "unknown type": (lambda raw: b"\0\0\x0a\x01" + raw[4:], r"\[00 00 0a 01\], expected .* type of 08, 09"),
    "too short for a magic number": (lambda raw: b"\0\0", r"\[00 00\], expected"),
    "empty": (lambda raw: b"", "is empty"),
    "sizes beyond all memory": (
        lambda raw: HUGE,
        "cut short: 27 bytes, expected 79228162458924105385300197391",
    ),
    "more ranks than numpy has": (
        lambda raw: b"\0\0\x08\xff" + b"\0\0\0\x01" * 255 + b"x",
        "numpy cannot hold",
    ),
    "gzip cut": (lambda raw: gzip.compress(raw)[:-12], "not one whole gzip stream"),
    "gzip header only": (lambda raw: gzip.compress(raw)[:10], "not one whole gzip stream"),
    "gzip with a wrong checksum": (lambda raw: flipped(gzip.compress(raw), -8), "incorrect data check"),
    "gzip with a wrong length": (lambda raw: flipped(gzip.compress(raw), -1), "incorrect length check"),
    "gzip of something else": (lambda raw: gzip.compress(b"hello"), "not an IDX file"),
    "rubbish after gzip": (lambda raw: gzip.compress(raw) + b"rubbish", "Not a gzipped file"),
    "zlib in gzip's clothes": (lambda raw: b"\x1f\x8b" + zlib.compress(raw), "not one whole gzip stream"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_the_file_what_came_and_the_cure(fault, tmp_path, to_idx):
    spoil, message = FAULTS[fault]
    path = tmp_path / "images.idx"
    path.write_bytes(spoil(to_idx(IMAGES)))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "delete it and download it again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_not_a_file(tmp_path):
    with pytest.raises(DataError, match="is a folder, expected an IDX file"):
        read_idx(tmp_path)
    with pytest.raises(DataError, match=r"none' cannot be read \(No such file or directory\)"):
        read_idx(tmp_path / "none")
