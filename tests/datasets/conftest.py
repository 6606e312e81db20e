import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest

import trainkit.datasets.mnist as mnist_module

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array):
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="session")
def to_idx():
    """The writer that `read_idx` is held against."""
    return idx_bytes


@pytest.fixture
def small_mnist(monkeypatch):
    """Four small files that MNIST is made to expect: their names and their bytes, gzipped."""
    rng = np.random.default_rng(0)
    content, files = {}, {}
    for part, count in (("train", 30), ("t10k", 20)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = rng.integers(0, 10, count, np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            raw = idx_bytes(array)
            content[f"{name}.gz"] = gzip.compress(raw)
            file = mnist_module._IdxFile(name, array.shape, hashlib.sha256(raw).hexdigest())
            files.setdefault(part, []).append(file)
    monkeypatch.setattr(mnist_module, "TRAIN_FILES", tuple(files["train"]))
    monkeypatch.setattr(mnist_module, "TEST_FILES", tuple(files["t10k"]))
    return content


@pytest.fixture
def small_root(small_mnist, tmp_path):
    root = tmp_path / "mnist"
    root.mkdir()
    for name, data in small_mnist.items():
        (root / name).write_bytes(data)
    return root


class Server(http.server.ThreadingHTTPServer):
    """A mirror on this machine: it has `files`, and cuts short what is longer in `promised`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.promised, self.asked = {}, {}, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/mnist/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self, body=True):
        name = self.path.rsplit("/", 1)[1]
        self.server.asked.append((self.command, name))
        data = self.server.files.get(name)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(self.server.promised.get(name, len(data or b""))))
        self.end_headers()
        if body and data:
            self.wfile.write(data)

    def do_HEAD(self):
        self.do_GET(body=False)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirrors(monkeypatch):
    """Two mirrors, the only ones that MNIST knows."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers = [Server(), Server()]
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    monkeypatch.setattr(mnist_module, "MIRRORS", tuple(server.url for server in servers))
    yield servers
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()
