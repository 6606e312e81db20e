import re
import socket
import sys
import threading
import time

import pytest

import trainkit.datasets.download as download_module
import trainkit.datasets.mnist as mnist_module
from trainkit.datasets import MNIST, DatasetUnavailableError, SyntheticDigits, mnist_or_synthetic
from trainkit.errors import DataError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "new" / "mnist"


def names(root):
    return sorted(path.name for path in root.iterdir())


def downloads(mirrors):
    return [name for server in mirrors for command, name in server.asked if command == "GET"]


def test_missing_files_are_downloaded_once(root, mirrors, small_mnist):
    for server in mirrors:
        server.files = small_mnist
    assert len(MNIST(root)) == 30
    assert names(root) == [IMAGES, LABELS]
    assert {name: (root / name).read_bytes() for name in names(root)} == {n: small_mnist[n] for n in names(root)}
    fetched = downloads(mirrors)
    assert sorted(fetched) == [IMAGES, LABELS]
    assert len(MNIST(root)) == 30
    assert downloads(mirrors) == fetched


def test_only_what_is_missing_is_downloaded(small_root, mirrors, small_mnist):
    for server in mirrors:
        server.files = small_mnist
    (small_root / LABELS).unlink()
    assert len(MNIST(small_root)) == 30
    assert downloads(mirrors) == [LABELS]


def test_a_mirror_that_cuts_the_connection_is_passed_over(root, mirrors, small_mnist):
    # Either may be asked first: one cuts the images, the other the labels.
    for server, name in zip(mirrors, (IMAGES, LABELS), strict=True):
        server.files = small_mnist | {name: small_mnist[name][:40]}
        server.promised = {name: len(small_mnist[name])}
    assert len(MNIST(root)) == 30
    assert names(root) == [IMAGES, LABELS]
    assert len(downloads(mirrors)) == 3


@pytest.mark.parametrize("fault", ["cut", "damaged", "shorter", "gone"])
def test_a_failed_download_leaves_nothing_behind(fault, root, mirrors, small_mnist):
    whole = small_mnist[LABELS]
    bad = {"cut": whole[:20], "shorter": whole[:20], "damaged": whole[:-4] + b"abcd"}
    for server in mirrors:
        server.files = {IMAGES: small_mnist[IMAGES]} | ({} if fault == "gone" else {LABELS: bad[fault]})
        server.promised = {LABELS: len(whole)} if fault == "cut" else {}
    with pytest.raises(DatasetUnavailableError, match=f"no mirror delivered {LABELS}") as caught:
        MNIST(root)
    assert "\n" not in str(caught.value)
    reason = {"cut": "ChunkedEncodingError|not the expected", "gone": "HTTP status 404"}
    assert len(re.findall(reason.get(fault, "not the expected content"), str(caught.value))) == 2
    assert names(root) == [IMAGES]  # whole and checked, so it stays


def test_an_interrupted_download_leaves_nothing_behind(root, mirrors, small_mnist, monkeypatch):
    for server in mirrors:
        server.files = small_mnist

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist_module, "_read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        MNIST(root)
    assert names(root) == []


def test_a_folder_that_cannot_be_written(tmp_path, mirrors, small_mnist):
    for server in mirrors:
        server.files = small_mnist
    (tmp_path / "file").touch()
    with pytest.raises(DatasetUnavailableError, match=r"the folder cannot be written .* name another as root"):
        MNIST(tmp_path / "file")


def test_without_pooch_the_error_names_the_extra(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DatasetUnavailableError, match=r"pip install 'trainkit\[datasets\]'"):
        MNIST(root)


def no_such_host(*args, **kwargs):
    raise socket.gaierror(-2, "Name or service not known")


def test_without_network_the_line_is_plain(root, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    with pytest.raises(DatasetUnavailableError) as caught:
        MNIST(root)
    assert isinstance(caught.value, DataError)
    assert isinstance(caught.value, ConnectionError)
    assert str(caught.value) == (
        f"MNIST is not in '{root}' and cannot be downloaded: no network: "
        "ossci-datasets.s3.amazonaws.com and storage.googleapis.com could not be reached"
    )
    assert not root.exists()


def test_without_network_digits_are_drawn(root, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    train, test, message = mnist_or_synthetic(root)
    assert isinstance(train, SyntheticDigits)
    assert isinstance(test, SyntheticDigits)
    assert message is not None
    assert str(root) in message
    assert "drawn, not MNIST" in message


def test_a_name_server_that_never_answers_is_given_up(root, monkeypatch):
    assert download_module.ANSWER_WITHIN <= 3
    monkeypatch.setattr(download_module, "ANSWER_WITHIN", 0.3)
    over = threading.Event()

    def hang(*args, **kwargs):
        over.wait(30)
        no_such_host()

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    try:
        with pytest.raises(DatasetUnavailableError, match="no network"):
            MNIST(root)
        assert time.monotonic() - start < 2.3
    finally:
        over.set()
        for thread in threading.enumerate():
            if thread.name.startswith("ask "):
                thread.join()
