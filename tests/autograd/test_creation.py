"""Tensors from data and from rules, random tensors and generators."""

import array
import copy
import pickle

import numpy as np
import pytest

import trainkit as tk
from trainkit.errors import ArgumentError, DTypeError, GradientError, ShapeError

N = 20_000
"""Draws, enough that a mean is within 5 of its standard errors, 5 / sqrt(N) = 0.035 of the deviation."""


@pytest.fixture(autouse=True)
def seeded():
    tk.manual_seed(0)


# From data


def test_nested_data_of_all_kinds() -> None:
    x = tk.ones(2, requires_grad=True)
    assert tk.tensor([[tk.tensor(1.0), 2], [np.float32(3), True]]).tolist() == [[1, 2], [3, 1]]
    assert tk.tensor([x[0] * 2, x[1] * 3]).tolist() == [2, 3]
    assert not tk.tensor([x[0] * 2]).requires_grad
    assert tk.tensor([x, x]).tolist() == [[1, 1], [1, 1]]
    assert tk.tensor(((1, 2), [3, 4])).tolist() == [[1, 2], [3, 4]]
    assert tk.tensor(range(3)).tolist() == [0, 1, 2]
    assert tk.tensor(array.array("d", [1.0])).dtype == tk.float64


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1, "int64"),
        (1.0, "float32"),
        (True, "bool"),
        ([], "float32"),
        ([True, 2], "int64"),
        ([True, 2.0], "float32"),
        (np.float64(1), "float64"),
        ([np.float64(1)], "float64"),
        ([np.float32(1), 2.0], "float32"),
        ([np.int32(1)], "int32"),
        ([np.int32(1), 2], "int64"),
        ([np.ones(2), np.ones(2)], "float64"),
        ([[1, 2], np.array([1, 2], "int32")], "int64"),
        (np.ones(2, ">f4"), "float32"),
        (np.ones(2, np.longlong), "int64"),
    ],
)
def test_dtype_of_data(data, dtype: str) -> None:
    assert tk.tensor(data).dtype is getattr(tk, dtype)


def test_default_dtype_is_that_of_python_floats_alone() -> None:
    tk.set_default_dtype(tk.float64)
    try:
        assert tk.tensor([1.0]).dtype == tk.zeros(1).dtype == tk.rand(1).dtype == tk.Tensor([1]).dtype == tk.float64
        assert tk.tensor([np.float32(1)]).dtype == tk.float32
        tk.set_default_dtype(tk.float16)
        assert tk.randn(2).dtype == tk.tensor(1.5).dtype == tk.float16
    finally:
        tk.set_default_dtype(tk.float32)


@pytest.mark.parametrize(
    ("data", "dtype", "error", "message"),
    [
        ([[1, 2], [3]], None, ArgumentError, "differ in length"),
        ([[1, 2], 3], None, ArgumentError, "differ in length"),
        ([tk.ones(2), tk.ones(3)], None, ArgumentError, "differ in length"),
        (2**63, None, ArgumentError, "int64"),
        ([2**63, -1], None, ArgumentError, "int64"),
        ([2**80], None, ArgumentError, "int64"),
        ([300], "uint8", ArgumentError, "uint8, which holds 0 to 255"),
        ([-300], "uint8", ArgumentError, "does not fit"),
        ([-129], "int8", ArgumentError, "does not fit"),
        ([300.5], "int8", ArgumentError, "does not fit"),
        ([float("nan")], "int64", ArgumentError, "does not fit"),
        (1j, None, DTypeError, "complex"),
        ([1.0, 2j], None, DTypeError, "complex"),
        (np.ones(2, complex), None, DTypeError, "complex"),
        (np.ones(2, "uint16"), None, DTypeError, "uint16"),
        (["a"], None, DTypeError, "expected numbers"),
        (["1.5"], "float32", DTypeError, "expected numbers"),
        (None, None, DTypeError, "NoneType"),
        ({1: 2}, None, DTypeError, "dict"),
        ([1], "complex64", DTypeError, "no complex numbers"),
        ([1], complex, DTypeError, "no complex numbers"),
        ([1], "bfloat16", DTypeError, "no bfloat16"),
    ],
)
def test_what_is_no_tensor_raises(data, dtype, error, message: str) -> None:
    with pytest.raises(error, match=message):
        tk.tensor(data, dtype=dtype)


def test_what_fits_is_cast() -> None:
    assert tk.tensor([-1], dtype=tk.uint8).item() == 255  # as in PyTorch
    assert tk.tensor([1.7, -1.7], dtype=tk.int64).tolist() == [1, -1]
    assert tk.tensor([1e40]).item() == float("inf")
    assert tk.tensor([0, 300], dtype=bool).tolist() == [False, True]
    assert tk.tensor(np.array([300]), dtype=tk.uint8).item() == 44
    assert tk.tensor(np.array([3], "uint16"), dtype=tk.int32).dtype == tk.int32


def test_memory_is_shared_or_copied() -> None:
    values = np.ones(3)
    assert tk.from_numpy(values).array is values
    assert tk.as_tensor(values).array is values
    assert not np.shares_memory(tk.tensor(values).array, values)
    assert not np.shares_memory(tk.as_tensor(values, tk.float32).array, values)
    x = tk.ones(2, requires_grad=True)
    assert tk.as_tensor(x) is x
    assert tk.as_tensor(x, dtype=tk.float64).requires_grad
    assert not tk.tensor(x).requires_grad
    assert tk.asarray(values, copy=False).array is values
    assert not np.shares_memory(tk.asarray(values, copy=True).array, values)
    assert tk.asarray(x) is x
    assert not np.shares_memory(tk.asarray(x, copy=True).array, x.array)
    assert not tk.asarray(x, requires_grad=False).requires_grad
    assert tk.asarray([1.0], requires_grad=True).requires_grad
    for unshareable in ([1.0], np.ones(2, "float32")):
        with pytest.raises(ArgumentError, match="cannot be shared"):
            tk.asarray(unshareable, copy=False, dtype=tk.float64)


def test_arrays_that_cannot_be_shared() -> None:
    backwards = np.arange(3.0)[::-1]
    with pytest.raises(ArgumentError, match="negative strides"):
        tk.from_numpy(backwards)
    assert tk.tensor(backwards).tolist() == tk.as_tensor(backwards).tolist() == [2, 1, 0]
    with pytest.raises(ArgumentError, match="byte order"):
        tk.from_numpy(np.ones(2, ">f8"))
    assert tk.as_tensor(np.ones(2, ">f8")).dtype is tk.float64
    with pytest.raises(ArgumentError, match="strides"):
        tk.from_numpy(np.zeros(2, [("a", "f4"), ("b", "i2")])["a"])
    with pytest.raises(DTypeError, match="uint32"):
        tk.from_numpy(np.ones(2, "uint32"))
    with pytest.raises(DTypeError, match="list"):
        tk.from_numpy([1.0])
    locked = np.ones(2)
    locked.flags.writeable = False
    with pytest.warns(UserWarning, match="may not be written"):
        x = tk.from_numpy(locked)
    assert x.array is locked


# Sizes and keywords


@pytest.mark.parametrize("make", [tk.zeros, tk.ones, tk.empty, tk.rand, tk.randn, tk.ones(1).new_zeros])
def test_sizes(make) -> None:
    for x in (make(2, 3), make((2, 3)), make([2, 3]), make(size=(2, 3)), make(np.int64(2), tk.tensor(3))):
        assert tuple(x.shape) == (2, 3)
    assert tuple(make(()).shape) == ()
    assert tuple(make(0, 2).shape) == (0, 2)
    assert make(2, dtype="float64", requires_grad=True, device="cpu").requires_grad
    for bad in ((-1,), (2.5,), ("2",), ()):
        with pytest.raises(tk.TrainkitError, match=r"size|integers"):
            make(*bad)
    with pytest.raises(DTypeError, match="dtype"):
        make(2, dtype="complex64")
    with pytest.raises(DTypeError, match="floating point"):
        make(2, dtype=tk.int64, requires_grad=True)


X = tk.ones(2)


@pytest.mark.parametrize(
    "make",
    [
        lambda **k: tk.tensor([1.0], **k),
        lambda **k: tk.as_tensor([1.0], **k),
        lambda **k: tk.as_tensor(np.ones(2), **k),
        lambda **k: tk.as_tensor(X, **k),
        lambda **k: tk.asarray([1.0], **k),
        lambda **k: tk.zeros(1, **k),
        lambda **k: tk.ones(1, **k),
        lambda **k: tk.empty(1, **k),
        lambda **k: tk.full((1,), 2.0, **k),
        lambda **k: tk.eye(2, **k),
        lambda **k: tk.arange(2, **k),
        lambda **k: tk.linspace(0, 1, 2, **k),
        lambda **k: tk.logspace(0, 1, 2, **k),
        lambda **k: tk.rand(1, **k),
        lambda **k: tk.randn(1, **k),
        lambda **k: tk.randint(3, (1,), **k),
        lambda **k: tk.randperm(3, **k),
        lambda **k: tk.normal(0.0, 1.0, (1,), **k),
        *(
            lambda name=name, args=args, **k: getattr(tk, name)(X, *args, **k)
            for name, args in {
                "zeros_like": (),
                "ones_like": (),
                "empty_like": (),
                "full_like": (2.0,),
                "rand_like": (),
                "randn_like": (),
                "randint_like": (5,),
            }.items()
        ),
        *(
            lambda name=name, args=args, **k: getattr(X, name)(*args, **k)
            for name, args in {
                "new_zeros": (1,),
                "new_ones": (1,),
                "new_empty": (1,),
                "new_full": ((1,), 2.0),
                "new_tensor": ([1.0],),
            }.items()
        ),
    ],
)
def test_every_creation_takes_the_cpu_and_no_other_device(make) -> None:
    for device in ("cpu", "cpu:0", tk.device("cpu"), X.device, None):
        assert isinstance(make(device=device), tk.Tensor)
    assert make(dtype=tk.float64).dtype == tk.float64
    for device in ("cuda", "cuda:1", tk.device("mps"), 0):
        with pytest.raises(ArgumentError, match="CPU"):
            make(device=device)


def test_rules() -> None:
    assert tk.arange(end=3).tolist() == [0, 1, 2]
    assert tk.arange(start=1, end=3).tolist() == [1, 2]
    assert tk.arange(tk.tensor(3.0)).dtype == tk.float32
    assert tk.arange(0, 1, 0.1, dtype=tk.float64).tolist() == [i * 0.1 for i in range(10)]
    assert len(tk.arange(0, 0.3, 0.1)) == 3
    assert tk.full((2,), tk.tensor(2.5)).tolist() == [2.5, 2.5]
    assert tk.full_like(tk.ones(2).long(), 2.5).tolist() == [2, 2]
    assert tk.linspace(0.1, 0.7, 4)[-1].item() == pytest.approx(0.7, abs=1e-7)
    symmetric = tk.linspace(-1, 1, 8, dtype=tk.float64)
    assert symmetric.tolist() == (-symmetric).tolist()[::-1]
    assert tuple(tk.zeros_like(tk.ones(2, 3).T).stride()) == (1, 3)
    assert not tk.zeros_like(tk.ones(2, requires_grad=True)).requires_grad


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tk.arange(5, 0), ArgumentError, "from 5 to 0"),
        (lambda: tk.arange(0, 5, 0), ArgumentError, "step"),
        (lambda: tk.arange(0, float("inf")), ArgumentError, "finite"),
        (lambda: tk.linspace(0, 1, -1), tk.TrainkitError, "at least 0"),
        (lambda: tk.eye(-1), tk.TrainkitError, "at least 0"),
        (lambda: tk.full((2,), 300, dtype=tk.uint8), ArgumentError, "does not fit"),
        (lambda: tk.zeros_like([1.0]), DTypeError, "list"),
        (lambda: tk.Tensor(1.0, 2.0), ArgumentError, "sizes or one sequence"),
    ],
)
def test_rules_refuse(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_older_constructors() -> None:
    assert tuple(tk.Tensor(2, 3).shape) == (2, 3)
    assert tuple(tk.Tensor(3).shape) == (3,)
    assert tuple(tk.Tensor().shape) == (0,)
    for data in ([1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0])):
        x = tk.Tensor(data)
        assert x.dtype == tk.float32
        assert x.tolist() == [1, 2]
    assert tk.Tensor(tk.ones(2).double()).dtype == tk.float64
    assert tk.Tensor([1, 2], dtype=tk.int64).dtype == tk.int64
    assert tk.Tensor([1.0], requires_grad=True).requires_grad
    assert tk.nn.Parameter(tk.ones(2).double()).dtype == tk.float64
    assert tuple(tk.LongTensor(2, 3).shape) == (2, 3)
    assert tk.LongTensor([1.5]).tolist() == [1]
    assert X.type(tk.LongTensor).dtype == tk.int64
    assert repr(tk.FloatTensor) == "FloatTensor"


# Randomness


def close(x: tk.Tensor, mean: float, std: float) -> bool:
    values = x.array.astype("float64")
    return abs(values.mean() - mean) < 5 * std / N**0.5 and abs(values.std() / std - 1) < 0.05


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_moments(dtype: str) -> None:
    for x in (tk.rand(N, dtype=dtype), tk.rand_like(tk.zeros(N, dtype=dtype))):
        assert x.dtype == dtype
        assert x.array.min() >= 0
        assert x.array.max() < 1
        assert close(x, 0.5, 12**-0.5)
    assert close(tk.randn(N, dtype=dtype), 0, 1)
    assert close(tk.randn_like(tk.zeros(N, dtype=dtype)), 0, 1)
    assert close(tk.normal(2.0, 3.0, (N,), dtype=dtype), 2, 3)
    empty = tk.empty(N, dtype=dtype)
    assert close(empty.uniform_(2, 4), 3, 2 * 12**-0.5)
    assert close(empty.normal_(1, 2), 1, 2)
    assert close(empty.exponential_(0.5), 2, 2)
    assert close(empty.bernoulli_(0.3), 0.3, 0.21**0.5)
    assert close(empty.random_(0, 4), 1.5, 1.25**0.5)
    assert empty.dtype == dtype


def test_moments_of_tensors_of_parameters() -> None:
    rows = tk.normal(tk.tensor([[0.0], [5.0]]), tk.ones(N) * 2)
    assert close(rows[0], 0, 2)
    assert close(rows[1], 5, 2)
    assert close(tk.bernoulli(tk.full((N,), 0.2)), 0.2, 0.4)
    assert close(tk.zeros(N).bernoulli(0.2), 0.2, 0.4)
    assert close(tk.poisson(tk.full((N,), 4.0)), 4, 2)
    assert close(tk.zeros(N).bernoulli_(tk.full((N,), 0.2)), 0.2, 0.4)
    counts = np.bincount(tk.randint(2, 5, (N,)).array)
    assert counts[:2].sum() == 0
    assert (abs(counts[2:] / N - 1 / 3) < 0.02).all()
    assert tk.zeros(N, dtype=tk.uint8).random_().array.max() == 255
    assert set(tk.empty(50, dtype=tk.bool).random_().tolist()) == {True, False}
    assert 2**23 < tk.empty(N).random_().array.max() <= 2**24


def test_permutations_and_integers() -> None:
    assert sorted(tk.randperm(50).tolist()) == list(range(50))
    assert tk.randperm(50).tolist() != list(range(50))
    assert tk.randperm(0).dtype == tk.int64
    assert tk.randint(5, size=(3,)).dtype == tk.randint(high=5, size=(3,)).dtype == tk.int64
    assert tk.randint(0, 2, (3,), dtype=tk.bool).dtype == tk.bool
    assert set(tk.randint_like(X, 3, 4).tolist()) == {3.0}


def test_multinomial() -> None:
    weights = tk.tensor([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]])
    drawn = tk.multinomial(weights, N, replacement=True)
    assert drawn.dtype == tk.int64
    assert tuple(drawn.shape) == (2, N)
    shares = np.array([np.bincount(row, minlength=3) / N for row in drawn.array])
    np.testing.assert_allclose(shares, [[0.25, 0, 0.75], [0.5, 0.5, 0]], atol=0.02)
    assert shares[0, 1] == shares[1, 2] == 0
    each = tk.multinomial(tk.tensor([1.0, 0.0, 3.0]).expand(N, 3), 2)
    assert (np.sort(each.array, 1) == [0, 2]).all()
    assert abs((each.array[:, 0] == 2).mean() - 0.75) < 0.02
    assert tuple(tk.tensor([0.0, 1.0]).multinomial(1).shape) == (1,)
    assert (
        tuple(tk.multinomial(tk.ones(0, 3), 2).shape) == tuple(tk.multinomial(tk.ones(0, 3), 2, True).shape) == (0, 2)
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tk.rand(2, dtype=tk.int64), DTypeError, "floating point"),
        (lambda: tk.randn_like(tk.ones(2).long()), DTypeError, "floating point"),
        (lambda: tk.randint(3, 3, (2,)), ArgumentError, "empty"),
        (lambda: tk.randint(3), ArgumentError, "size"),
        (lambda: tk.randint(0, 300, (2,), dtype=tk.uint8), ArgumentError, "does not fit"),
        (lambda: tk.randperm(300, dtype=tk.uint8), ArgumentError, "does not fit"),
        (lambda: tk.normal(0.0, 1.0), ArgumentError, "size"),
        (lambda: tk.normal(0.0, -1.0, (2,)), ArgumentError, "negative"),
        (lambda: tk.normal(tk.zeros(2), tk.ones(3)), ShapeError, "broadcast"),
        (lambda: tk.normal(tk.zeros(2).long()), DTypeError, "floating point"),
        (lambda: tk.bernoulli(tk.ones(2) * 2), ArgumentError, "from 0 to 1"),
        (lambda: tk.bernoulli(tk.tensor([float("nan")])), ArgumentError, "from 0 to 1"),
        (lambda: tk.bernoulli(tk.ones(2).long()), DTypeError, "floating point"),
        (lambda: tk.zeros(2).bernoulli_(tk.ones(3)), ShapeError, "broadcast"),
        (lambda: tk.poisson(-tk.ones(2)), ArgumentError, "negative"),
        (lambda: tk.multinomial(tk.ones(3), 4), ArgumentError, "3 positive weights"),
        (lambda: tk.multinomial(tk.tensor([1.0, 0.0]), 2), ArgumentError, "1 positive weights"),
        (lambda: tk.multinomial(tk.ones(3), 0), ArgumentError, "at least one"),
        (lambda: tk.multinomial(tk.zeros(3), 1), ArgumentError, "positive"),
        (lambda: tk.multinomial(-tk.ones(3), 1, True), ArgumentError, "negative"),
        (lambda: tk.multinomial(tk.ones(2, 2, 2), 1), ShapeError, "1 or 2 dimensions"),
        (lambda: tk.multinomial(tk.ones(3).long(), 1), DTypeError, "floating point"),
        (lambda: tk.ones(2).uniform_(2, 1), ArgumentError, "above"),
        (lambda: tk.ones(2).normal_(0, -1), ArgumentError, "negative"),
        (lambda: tk.ones(2).exponential_(0), ArgumentError, "above 0"),
        (lambda: tk.ones(2).long().uniform_(), DTypeError, "floating point"),
        (lambda: tk.ones(2).byte().random_(300), ArgumentError, "does not fit"),
    ],
)
def test_randomness_refuses(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_in_place_randomness_is_a_change_in_place() -> None:
    leaf = tk.ones(3, requires_grad=True)
    with pytest.raises(GradientError, match="leaf"):
        leaf.uniform_()
    with tk.no_grad():
        assert leaf.normal_() is leaf
    inner = leaf * 2
    product = inner * inner
    assert inner.uniform_().requires_grad
    with pytest.raises(GradientError, match="in place"):
        product.sum().backward()
    inner.sum().backward()
    assert leaf.grad is None or leaf.grad.tolist() == [0, 0, 0]


def draws(**options) -> list:
    weights = tk.ones(4)
    return [
        x.tolist()
        for x in (
            tk.rand(3, **options),
            tk.randn(3, **options),
            tk.randint(9, (3,), **options),
            tk.randperm(5, **options),
            tk.rand_like(weights, **options),
            tk.randn_like(weights, **options),
            tk.randint_like(weights, 9, **options),
            tk.normal(0.0, 1.0, (3,), **options),
            tk.normal(weights, 1.0, **options),
            tk.bernoulli(weights / 2, **options),
            tk.multinomial(weights, 2, **options),
            tk.multinomial(weights, 2, True, **options),
            tk.poisson(weights, **options),
            weights.uniform_(**options),
            weights.normal_(**options),
            weights.bernoulli_(0.5, **options),
            weights.exponential_(**options),
            weights.random_(**options),
        )
    ]


def test_seeds_and_generators_repeat() -> None:
    tk.manual_seed(5)
    first = draws()
    state = tk.get_rng_state()
    second = draws()
    assert first != second
    tk.manual_seed(5)
    assert draws() == first
    tk.set_rng_state(state)
    assert draws() == second
    generator = tk.Generator().manual_seed(5)
    state = tk.get_rng_state()
    assert draws(generator=generator) == first
    assert tk.get_rng_state() == state
    assert draws(generator=copy.deepcopy(generator)) == draws(generator=pickle.loads(pickle.dumps(generator)))


def test_generators() -> None:
    generator = tk.Generator("cpu").manual_seed(3)
    assert generator.initial_seed() == 3
    state = generator.get_state()
    first = tk.rand(2, generator=generator).tolist()
    assert tk.rand(2, generator=generator).tolist() != first
    assert tk.rand(2, generator=generator.set_state(state)).tolist() == first
    assert generator.seed() == generator.initial_seed()
    assert tk.rand(2, generator=tk.Generator(tk.device("cpu")).set_state(state)).tolist() == first
    for device in ("cuda", tk.device("cuda:1")):
        with pytest.raises(ArgumentError, match="CPU"):
            tk.Generator(device)
    for bad in (3, {}, {"seed": 1, "bits": {}}, {"seed": 1, "bits": 3}):
        with pytest.raises(ArgumentError, match="get_state"):
            generator.set_state(bad)
    assert tk.initial_seed() == 0
    assert tk.seed() == tk.initial_seed() != 0


def test_fork_rng() -> None:
    expected = tk.rand(2).tolist()
    tk.manual_seed(0)
    with tk.random.fork_rng():
        tk.manual_seed(1)
        tk.rand(5)
    assert tk.initial_seed() == 0
    assert tk.rand(2).tolist() == expected
    tk.manual_seed(0)
    with tk.random.fork_rng(enabled=False):
        tk.rand(5)
    assert tk.rand(2).tolist() != expected
