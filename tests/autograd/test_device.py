"""Devices: all can be named, the CPU alone can be used."""

import pickle

import pytest

import trainkit as tk
import trainkit.backends.cudnn as cudnn
from trainkit.errors import ArgumentError


def test_names() -> None:
    assert repr(tk.device("cpu")) == "device(type='cpu')"
    assert repr(tk.device("cuda:1")) == "device(type='cuda', index=1)"
    assert str(tk.device("cuda", 1)) == "cuda:1"
    assert (tk.device("cuda:1").type, tk.device("cuda:1").index) == ("cuda", 1)
    assert tk.device("cpu").index is None
    assert (
        tk.device("cuda:1") == tk.device("cuda", 1) == tk.device(tk.device("cuda:1")) == tk.device(type="cuda", index=1)
    )
    assert hash(tk.device("cuda:1")) == hash(tk.device("cuda", 1))
    assert tk.device("cpu") != tk.device("cpu", 0)
    assert tk.device("cpu") != "cpu"  # as in PyTorch
    assert tk.device(1) == tk.device("cuda:1")
    assert pickle.loads(pickle.dumps(tk.device("cuda:1"))) == tk.device("cuda:1")
    for bad in ("gpu", "cpu:x", "cpu:-1", "cpu:", None):
        with pytest.raises(ArgumentError, match="no device"):
            tk.device(bad)
    with pytest.raises(ArgumentError, match="twice"):
        tk.device("cuda:1", 1)


def test_tensors_are_on_the_cpu() -> None:
    x = tk.ones(2, requires_grad=True)
    assert x.device == tk.device("cpu")
    assert x.is_cuda is False
    assert x.is_pinned() is False
    for same in (
        x.cpu(),
        x.pin_memory(),
        x.to("cpu"),
        x.to(x.device),
        x.to(device="cpu", non_blocking=True),
        x.to(None),
    ):
        assert same is x
    assert x.to(tk.device("cpu"), tk.float64).dtype == tk.float64
    for move in (
        x.cuda,
        lambda: x.cuda(1),
        lambda: x.to("cuda:1"),
        lambda: x.to(0),
        lambda: x.to(device=tk.device("mps")),
    ):
        with pytest.raises(ArgumentError, match="CPU"):
            move()
    with pytest.raises(ArgumentError, match="CPU"):
        tk.nn.Linear(1, 1).to("cuda")


def test_default_device() -> None:
    tk.set_default_device("cpu")
    assert tk.get_default_device() == tk.device("cpu")
    with tk.device("cpu"):
        assert tk.ones(1).device.type == "cpu"
    with pytest.raises(ArgumentError, match="CPU"):
        tk.set_default_device("cuda")
    with pytest.raises(ArgumentError, match="CPU"), tk.device("cuda"):
        pass


def test_a_usual_script_finds_no_gpu() -> None:
    device = tk.device("cuda" if tk.cuda.is_available() else "mps" if tk.backends.mps.is_available() else "cpu")
    assert device.type == "cpu"
    state = tk.get_rng_state()
    tk.cuda.manual_seed(1)
    tk.cuda.manual_seed_all(1)
    assert tk.get_rng_state() == state
    tk.cuda.empty_cache()
    tk.cuda.synchronize()
    assert tk.cuda.device_count() == 0
    assert not tk.cuda.is_initialized()
    for ask in (tk.cuda.current_device, tk.cuda.get_device_name, lambda: tk.cuda.set_device(0)):
        with pytest.raises(ArgumentError, match="CPU"):
            ask()
    assert not tk.backends.mps.is_built()
    assert not tk.backends.cuda.is_built()
    assert tk.get_num_threads() >= 1


def test_switches_are_remembered() -> None:
    before = cudnn.deterministic, cudnn.benchmark, cudnn.enabled
    assert before == (False, False, True)
    cudnn.deterministic, cudnn.benchmark = True, True
    assert tk.backends.cudnn.deterministic
    cudnn.deterministic, cudnn.benchmark, cudnn.enabled = before
    assert not cudnn.is_available()
    assert cudnn.version() is None
    tk.backends.cuda.matmul.allow_tf32 = True
    tk.backends.cuda.matmul.allow_tf32 = False
    tk.use_deterministic_algorithms(True, warn_only=True)
    assert tk.are_deterministic_algorithms_enabled()
    tk.use_deterministic_algorithms(False)
    assert not tk.are_deterministic_algorithms_enabled()
