"""Normalisation and dropout against PyTorch's, over their arguments: values, gradients, running statistics, reprs."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk

pytestmark = pytest.mark.oracle

few = settings(deadline=None, max_examples=12)


def layouts(x: np.ndarray, lib, how: str):
    """The same values, lying otherwise in memory."""
    make = tk.from_numpy if lib is tk else torch.from_numpy
    if how == "last" and x.ndim > 2:  # channels last
        order = (0, *range(2, x.ndim), 1)
        back = (0, x.ndim - 1, *range(1, x.ndim - 1))
        return make(np.ascontiguousarray(x.transpose(order))).permute(back).requires_grad_()
    if how == "strided":
        return make(np.repeat(x, 2, -1))[..., ::2].detach().requires_grad_()
    return make(x.copy()).requires_grad_()


def step(ours, theirs, x: np.ndarray, how: str = "plain", tolerance: float = 1e-4) -> None:
    """Compare results, gradients and buffers of one forward and backward pass."""
    a, b = layouts(x, tk, how), layouts(x, torch, how)
    out, expected = ours(a), theirs(b)
    assert out.shape == tuple(expected.shape)
    assert str(out.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    for lib_net in (ours, theirs):
        lib_net.zero_grad()
    up = np.random.default_rng(1).normal(size=out.shape).astype(x.dtype)
    out.backward(tk.tensor(up))
    expected.backward(torch.tensor(up))
    for mine, other in [(a, b), *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        scale = max(1.0, float(other.grad.abs().max()) if other.grad.numel() else 1.0)
        np.testing.assert_allclose(
            mine.grad.numpy(), other.grad.numpy(), rtol=10 * tolerance, atol=10 * tolerance * scale
        )
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    for name, value in ours.state_dict().items():
        assert str(value.dtype) == str(state[name].dtype).removeprefix("torch.")
        np.testing.assert_allclose(value.numpy(), state[name].numpy(), rtol=1e-5, atol=1e-6)


def twins(name: str, *args, seed: int = 0, **options):
    """The layer in both libraries, with the same parameters, which are not those that they begin with."""
    ours, theirs = (getattr(lib.nn, name)(*args, **options) for lib in (tk, torch))
    assert repr(ours) == repr(theirs)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach().numpy(), other.detach().numpy())
    rng = np.random.default_rng(seed)
    state = {
        key: rng.uniform(0.5, 1.5, value.shape).astype(value.numpy().dtype)
        for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict(state)
    theirs.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    return ours, theirs


sizes = st.integers(1, 6)
how = st.sampled_from(["plain", "last", "strided"])
dtypes = st.sampled_from(["float32", "float64"])


@pytest.mark.parametrize("dims", [1, 2, 3])
@few
@given(st.data())
def test_batch_norm(dims: int, data) -> None:
    draw = data.draw
    channels, lines = draw(sizes), dims == 1 and draw(st.booleans())
    options = {
        "eps": draw(st.sampled_from([1e-5, 0.1])),
        "momentum": draw(st.sampled_from([0.1, 0.7, None])),
        "affine": draw(st.booleans()),
        "track_running_stats": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    dtype = draw(dtypes)
    ours, theirs = twins(f"BatchNorm{dims}d", channels, **options)
    ours, theirs = getattr(ours, "double" if dtype == "float64" else "float")(), theirs.to(getattr(torch, dtype))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    for mode in (True, True, False):
        ours.train(mode), theirs.train(mode)
        shape = (draw(st.integers(2, 6)), channels, *(() if lines else [draw(sizes) for _ in range(dims)]))
        x = (rng.normal(size=shape) * 2 + draw(st.sampled_from([0, 30]))).astype(dtype)
        if shape[0] == 2 and np.prod(shape[2:]) < 4:
            x[::2] += 5  # two values that are all but equal have a derivative that is all rounding
        step(ours, theirs, x, draw(how), tolerance * 20 if dtype == "float32" else tolerance)


@pytest.mark.parametrize("momentum", [0.3, None])
def test_running_statistics_over_many_batches(momentum) -> None:
    ours, theirs = (lib.nn.BatchNorm1d(5, momentum=momentum) for lib in (tk, torch))
    rng = np.random.default_rng(0)
    for n in (8, 3, 20, 2, 9, 1, 7):
        x = rng.normal(size=(n, 5, 4)).astype("float32") * n + n
        ours(tk.tensor(x)), theirs(torch.tensor(x))
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            np.testing.assert_allclose(getattr(ours, name).numpy(), getattr(theirs, name).numpy(), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("dims", [1, 2, 3])
@few
@given(st.data())
def test_instance_norm(dims: int, data) -> None:
    draw = data.draw
    channels, batched = draw(sizes), draw(st.booleans())
    options = {
        "momentum": draw(st.sampled_from([0.1, None])),
        "affine": draw(st.booleans()),
        "track_running_stats": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    ours, theirs = twins(f"InstanceNorm{dims}d", channels, 0.1, **options)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    for mode in (True, True, False):
        ours.train(mode), theirs.train(mode)
        shape = (*[draw(sizes)] * batched, channels, *[draw(st.integers(2, 5)) for _ in range(dims)])
        step(ours, theirs, rng.normal(size=shape).astype("float32"), draw(how))


@few
@given(st.data())
def test_layer_norm_and_rms_norm(data) -> None:
    draw = data.draw
    shape = tuple(draw(st.lists(sizes, min_size=1, max_size=4)))
    last = shape[draw(st.integers(0, len(shape) - 1)) :]
    last = last[0] if len(last) == 1 and draw(st.booleans()) else last
    affine, bias, eps, dtype = (
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from([0.01, 0.5])),
        draw(dtypes),
    )
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape).astype(dtype)
    layout = draw(how)
    for ours, theirs in (
        twins("LayerNorm", last, eps, affine, bias, dtype=None),
        twins("RMSNorm", last, draw(st.sampled_from([None, eps])), affine),
    ):
        step(ours.to(dtype=dtype), theirs.to(getattr(torch, dtype)), x, layout)


@few
@given(st.data())
def test_group_norm(data) -> None:
    draw = data.draw
    groups, per = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    ours, theirs = twins("GroupNorm", groups, groups * per, 0.1, draw(st.booleans()), bias=draw(st.booleans()))
    shape = (draw(st.integers(2, 5)), groups * per, *draw(st.lists(sizes, max_size=3)))
    step(ours, theirs, np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape).astype("float32"), draw(how))


@few
@given(st.data())
def test_local_response_norm(data) -> None:
    draw = data.draw
    args = draw(st.integers(1, 7)), draw(st.sampled_from([1e-4, 0.5])), draw(st.sampled_from([0.75, 1.0])), 1.5
    ours, theirs = twins("LocalResponseNorm", *args)
    shape = (draw(sizes), draw(sizes), *draw(st.lists(sizes, min_size=1, max_size=3)))
    step(ours, theirs, np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape).astype("float32"), draw(how))


LAYERS = [
    ("BatchNorm1d", (3,), (0, 3)),
    ("BatchNorm1d", (3,), (0, 3, 2)),
    ("BatchNorm2d", (3,), (0, 3, 2, 2)),
    ("BatchNorm2d", (3,), (2, 3, 0, 2)),
    ("InstanceNorm1d", (3,), (0, 3, 4)),
    ("LayerNorm", (4,), (0, 4)),
    ("RMSNorm", (4,), (0, 4)),
    ("GroupNorm", (2, 4), (0, 4, 3)),
    ("LocalResponseNorm", (2,), (0, 3, 3)),
]


@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
def test_empty_batches(name: str, args: tuple, shape: tuple) -> None:
    ours, theirs = twins(name, *args)
    step(ours, theirs, np.zeros(shape, "float32"))
    step(ours.eval(), theirs.eval(), np.zeros(shape, "float32"))


def test_half_precision() -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 5)).astype("float16")
    for name, args in (("BatchNorm1d", (6,)), ("LayerNorm", (5,)), ("GroupNorm", (2, 6)), ("RMSNorm", (5,))):
        ours, theirs = twins(name, *args)
        for a, b in ((ours, theirs), (ours.to(dtype="float16"), theirs.half())):
            if name == "RMSNorm" and a.weight.dtype == "float16":
                continue  # PyTorch's result has a rounding of its own
            out, expected = a(tk.tensor(x)), b(torch.tensor(x))
            assert out.dtype == "float16"
            np.testing.assert_allclose(out.detach().numpy(), expected.detach().float().numpy(), rtol=4e-3, atol=4e-3)


def test_a_large_mean_in_float32() -> None:
    x = (np.random.default_rng(0).normal(size=(64, 3, 20)) + 1e4).astype("float32")
    up = np.random.default_rng(1).normal(size=x.shape)
    for name, args in (("BatchNorm1d", (3,)), ("InstanceNorm1d", (3,)), ("LayerNorm", (20,)), ("GroupNorm", (1, 3))):
        ours, theirs = (getattr(lib.nn, name)(*args) for lib in (tk, torch))
        a, b = tk.tensor(x, requires_grad=True), torch.tensor(x, dtype=torch.float64, requires_grad=True)
        out, expected = ours(a), theirs.double()(b)
        np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), atol=1e-4)
        out.backward(tk.tensor(up.astype("float32")))
        expected.backward(torch.tensor(up))
        for mine, other in [(a, b), *zip(ours.parameters(), theirs.parameters(), strict=True)]:
            np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-3, atol=1e-4)


BAD = [
    lambda lib, f: lib.nn.BatchNorm1d(3)(lib.ones(1, 3)),
    lambda lib, f: lib.nn.BatchNorm1d(3)(lib.ones(3)),
    lambda lib, f: lib.nn.BatchNorm1d(3)(lib.ones(2, 4)),
    lambda lib, f: lib.nn.BatchNorm2d(3)(lib.ones(3, 4, 4)),
    lambda lib, f: lib.nn.BatchNorm3d(3)(lib.ones(3, 4, 4)),
    lambda lib, f: lib.nn.BatchNorm1d(3)(lib.ones(2, 3, dtype=lib.float64)),
    lambda lib, f: f.batch_norm(lib.ones(4, 3), lib.zeros(3), None, training=True),
    lambda lib, f: f.batch_norm(lib.ones(4, 3), lib.zeros(3), lib.zeros(2)),
    lambda lib, f: f.batch_norm(lib.ones(4, 3), None, None, lib.ones(2), training=True),
    lambda lib, f: f.batch_norm(lib.ones(4, 3), None, None, training=True, eps=0.0),
    lambda lib, f: f.layer_norm(lib.ones(4, 3), (4,)),
    lambda lib, f: f.layer_norm(lib.ones(4, 3), []),
    lambda lib, f: f.layer_norm(lib.ones(4, 3), (3,), lib.ones(4)),
    lambda lib, f: f.rms_norm(lib.ones(4, 3), (4,)),
    lambda lib, f: f.group_norm(lib.ones(4, 3), 2),
    lambda lib, f: f.group_norm(lib.ones(4, 3), 3, lib.ones(2)),
    lambda lib, f: f.group_norm(lib.ones(1, 3), 3),
    lambda lib, f: lib.nn.GroupNorm(2, 3),
    lambda lib, f: lib.nn.InstanceNorm1d(3)(lib.ones(2, 3, 1)),
    lambda lib, f: lib.nn.InstanceNorm1d(3, affine=True)(lib.ones(2, 4, 4)),
    lambda lib, f: lib.nn.InstanceNorm2d(3)(lib.ones(3, 4)),
    lambda lib, f: f.local_response_norm(lib.ones(2, 3), 2),
    lambda lib, f: f.normalize(lib.ones(3)),
    lambda lib, f: lib.nn.Dropout(1.5),
    lambda lib, f: f.dropout(lib.ones(3), -0.1),
    lambda lib, f: f.dropout(lib.ones(3).long()),
    lambda lib, f: f.alpha_dropout(lib.ones(3).long(), 0.5, True),
    lambda lib, f: f.dropout1d(lib.ones(3)),
    lambda lib, f: f.feature_alpha_dropout(lib.ones(3), 0.5, True),
]


@pytest.mark.parametrize("call", BAD)
def test_what_is_refused(call) -> None:
    """Every error of ours is one that code written for PyTorch catches."""
    with pytest.raises((RuntimeError, ValueError, IndexError, NotImplementedError)) as theirs:
        call(torch, torch.nn.functional)
    with pytest.raises(tk.errors.TrainkitError) as ours:
        call(tk, tk.nn.functional)
    assert isinstance(ours.value, theirs.type), theirs.type


@pytest.mark.parametrize(
    "name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
)
def test_dropout(name: str) -> None:
    shape = {"Dropout1d": (200, 30, 6), "Dropout3d": (200, 30, 2, 3, 2)}.get(name, (200, 30, 2, 3))
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    for p in (0.0, 0.3, 1.0):
        ours, theirs = (getattr(lib.nn, name)(p) for lib in (tk, torch))
        assert repr(ours) == repr(theirs)
        a, b = tk.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, expected = ours(a), theirs(b)
        out.sum().backward(), expected.sum().backward()
        # the streams differ, what happens to an element does not: the same two derivatives, the same shares of them
        mine, other = (np.unique(np.round(t.grad.numpy(), 5), return_counts=True) for t in (a, b))
        np.testing.assert_allclose(mine[0], other[0], rtol=1e-4)
        np.testing.assert_allclose(mine[1] / x.size, other[1] / x.size, atol=0.03)
        assert out.detach().numpy().std() == pytest.approx(
            float(expected.detach().std(correction=0)), rel=0.05, abs=1e-6
        )
        assert out.detach().numpy().mean() == pytest.approx(float(expected.detach().mean()), abs=0.03)
        ours.eval()
        assert ours(a) is a


@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"])
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3), (8, 9, 10, 3), (4, 5, 6, 2, 3)])
def test_what_a_channel_is(name: str, shape: tuple) -> None:
    """Along the same dimensions as in PyTorch all elements are dropped together."""
    if name == "dropout1d" and len(shape) > 3:
        return
    together = []
    for lib in (tk, torch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = getattr(lib.nn.functional, name)(lib.ones(shape), 0.5, True).numpy()
        together.append([bool((np.diff(out, axis=axis) == 0).all()) for axis in range(out.ndim)])
    assert together[0] == together[1]
