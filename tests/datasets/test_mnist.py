import gzip
import pickle
import shutil

import numpy as np
import pytest

import trainkit.datasets.mnist as mnist_module
from trainkit.datasets import MNIST, DatasetUnavailableError, SyntheticDigits, mnist_or_synthetic
from trainkit.errors import DataError, IndexRangeError


def test_images_and_labels(small_root, small_mnist):
    train, test = MNIST(small_root), MNIST(small_root, train=False)
    assert (len(train), len(test)) == (30, 20)
    assert train.images.tobytes() == gzip.decompress(small_mnist["train-images-idx3-ubyte.gz"])[16:]
    assert train.images.shape == (30, 28, 28)
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert train.classes == tuple("0123456789")
    assert train.source == "MNIST"
    assert repr(test) == f"MNIST(test, 20 images of 28 x 28, from '{small_root}')"
    with pytest.raises(ValueError, match="read-only"):
        train.images[0, 0, 0] = 1
    again = pickle.loads(pickle.dumps(test))
    np.testing.assert_array_equal(again.images, test.images)


def test_arrays_are_the_items(small_root):
    train = MNIST(small_root)
    x, y = train.arrays()
    assert (x.shape, x.dtype, y.dtype) == ((30, 1, 28, 28), np.float32, np.int64)
    np.testing.assert_allclose(x[:, 0], (train.images / 255 - 0.1307) / 0.3081, rtol=1e-5, atol=1e-6)
    for i, (image, label) in enumerate(train):
        np.testing.assert_array_equal(image, x[i], strict=True)
        assert label == y[i]
        assert type(label) is int
    np.testing.assert_array_equal(train[np.int64(-1)][0], x[-1])
    y[0] += 1  # a copy: the data set keeps its own
    assert train[0][1] == y[0] - 1
    plain, _ = train.arrays(normalize=False)
    np.testing.assert_allclose(plain[:, 0], train.images / 255, rtol=1e-6)
    assert plain.dtype == np.float32


@pytest.mark.parametrize("index", [30, -31])
def test_an_index_out_of_range(index, small_root):
    with pytest.raises(IndexRangeError, match=rf"index {index} is out of range for MNIST.* expected -30 to 29"):
        MNIST(small_root)[index]


@pytest.mark.parametrize("layout", ["plain", "dotted", "dotted, gzipped", "torchvision"])
def test_other_names_and_layouts(layout, small_root, small_mnist, tmp_path):
    root = tmp_path / "other"
    folder = root / "MNIST" / "raw" if layout == "torchvision" else root
    folder.mkdir(parents=True)
    for name, data in small_mnist.items():
        if layout.startswith("dotted"):
            name = name.replace("-idx", ".idx")
        if "gzipped" not in layout:
            name, data = name.removesuffix(".gz"), gzip.decompress(data)
        (folder / name).write_bytes(data)
    np.testing.assert_array_equal(MNIST(root, download=False).images, MNIST(small_root).images)


def test_the_default_folder(small_root, tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINKIT_DATA", str(tmp_path))
    assert MNIST(download=False).root == tmp_path / "mnist"
    monkeypatch.delenv("TRAINKIT_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(small_root, tmp_path / "cache" / "trainkit" / "mnist")
    assert len(MNIST(download=False)) == 30
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(DatasetUnavailableError, match=r"home/.cache/trainkit/mnist"):
        MNIST(download=False)


def test_a_wrong_checksum_names_both(small_root, small_mnist):
    path = small_root / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(small_mnist[path.name]))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="is damaged or is not MNIST's") as caught:
        MNIST(small_root)
    text = str(caught.value)
    assert str(path) in text
    assert mnist_module.TRAIN_FILES[1].sha256 in text
    assert text.count("SHA-256") == 1
    assert "delete it and download it again" in text
    assert not isinstance(caught.value, DatasetUnavailableError)


def test_another_data_set_under_mnist_s_name(small_root, small_mnist):
    (small_root / "train-images-idx3-ubyte.gz").write_bytes(small_mnist["t10k-images-idx3-ubyte.gz"])
    with pytest.raises(DataError, match=r"holds uint8 values of shape \(20, 28, 28\), expected .*\(30, 28, 28\)"):
        MNIST(small_root)


def test_a_truncated_file(small_root, small_mnist):
    (small_root / "t10k-images-idx3-ubyte.gz").write_bytes(small_mnist["t10k-images-idx3-ubyte.gz"][:1000])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz' \(1000 bytes\) is not one whole gzip"):
        MNIST(small_root, train=False)


def test_missing_files_without_download(small_root, tmp_path):
    with pytest.raises(DatasetUnavailableError, match=r"MNIST is not in '.*nowhere' and download=False"):
        MNIST(tmp_path / "nowhere", download=False)
    (small_root / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetUnavailableError, match=r"lacks train-labels-idx1-ubyte.gz and download=False"):
        MNIST(small_root, download=False)


def test_the_real_files_win_over_drawn_ones(small_root):
    train, test, message = mnist_or_synthetic(small_root)
    assert isinstance(train, MNIST)
    assert isinstance(test, MNIST)
    assert (train.train, test.train, message) == (True, False, None)


def test_drawn_ones_say_what_they_are(tmp_path):
    train, test, message = mnist_or_synthetic(tmp_path / "nowhere", download=False)
    assert isinstance(train, SyntheticDigits)
    assert isinstance(test, SyntheticDigits)
    assert (train.train, test.train) == (True, False)
    assert message is not None
    assert str(tmp_path / "nowhere") in message
    assert message.endswith("using synthetic digits (drawn, not MNIST) instead")
    assert "\n" not in message


@pytest.mark.parametrize("lost", ["train-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz"])
def test_a_damaged_file_is_never_passed_over(lost, small_root):
    (small_root / lost).unlink()
    (small_root / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz' is not an IDX file"):
        mnist_or_synthetic(small_root, download=False)


@pytest.mark.mnist
def test_the_real_mnist(mnist_folder):
    train, test = MNIST(mnist_folder, download=False), MNIST(mnist_folder, train=False, download=False)
    assert (train.images.shape, test.images.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.images.mean() / 255 == pytest.approx(MNIST.mean, abs=5e-5)
    assert train.images.std() / 255 == pytest.approx(MNIST.std, abs=5e-5)
    x, _ = train.arrays()
    assert x.mean(dtype=np.float64) == pytest.approx(0, abs=1e-3)
    assert x.std(dtype=np.float64) == pytest.approx(1, abs=1e-3)
