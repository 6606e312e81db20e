"""Arrays that are large go to kernels, by forms of rules of their own: they must give what small ones do."""

import numpy as np
import pytest

import trainkit as tk
from trainkit.autograd.ops.large import LARGE
from trainkit.nn import functional as F

ROWS, WIDTH = 2 * LARGE // 8 // 256, 256
OPS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "mul_by_a_column": lambda x, y: x * y[:, :1],
    "mul_by_numbers": lambda x, y: 2 * x * 0.3 + 1 - y,
    "neg": lambda x, y: -x * y,
    "square": lambda x, y: x.square() + y,
    "exp": lambda x, y: x.exp() * y,
    "tanh": lambda x, y: x.tanh() + y,
    "sigmoid": lambda x, y: x.sigmoid() * y,
    "log": lambda x, y: (x * x + 1).log() - y.abs().sqrt(),
    "sum_of_branches": lambda x, y: (x * y + x) * x + y,
    "softplus": lambda x, y: F.softplus(x, 2.0) + F.softplus(y, -0.5, 3.0),
    "logsigmoid": lambda x, y: F.logsigmoid(x) * y,
    "elu": lambda x, y: F.elu(x, 0.7) + F.selu(y) + F.celu(x, -2.0),
    "mish": lambda x, y: F.mish(x) + F.hardswish(y * 3),
}


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("recorded", [False, True])
def test_a_large_array_has_the_gradients_of_its_rows(name, recorded):
    rng = np.random.default_rng(0)
    x, y, upstream = (rng.standard_normal((ROWS, WIDTH)) for _ in range(3))

    def gradients(*rows):
        a, b, above = (tk.from_numpy(part[list(rows)]) for part in (x, y, upstream))
        a.requires_grad_(), b.requires_grad_()
        out = OPS[name](a, b)
        return out.detach().numpy(), *(
            part.detach().numpy() for part in tk.autograd.grad(out, (a, b), above, create_graph=recorded)
        )

    for whole, some in zip(gradients(*range(ROWS)), gradients(3, 7, ROWS - 1), strict=True):
        assert whole.nbytes >= LARGE > some.nbytes
        np.testing.assert_allclose(whole[[3, 7, ROWS - 1]], some, rtol=1e-12, atol=1e-14)


def test_gradients_of_large_leaves_share_no_memory():
    x, y = (tk.randn(ROWS, WIDTH, dtype=tk.float64).requires_grad_() for _ in range(2))
    above = tk.randn(ROWS, WIDTH, dtype=tk.float64)
    before = above.numpy().copy()
    total = x + y
    (tk.relu(total) + total + x).backward(above)
    arrays = [x.grad.numpy(), y.grad.numpy(), above.numpy(), x.detach().numpy(), y.detach().numpy()]
    for i, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[:i])
    np.testing.assert_array_equal(above.numpy(), before)
    expected = before * ((total.detach().numpy() > 0) + 1.0)
    np.testing.assert_allclose(y.grad.numpy(), expected)
    np.testing.assert_allclose(x.grad.numpy(), expected + before)


def test_the_gradient_of_a_leaf_is_the_array_that_a_kernel_made():
    x = tk.randn(ROWS, WIDTH).requires_grad_()
    y = tk.relu(x)
    above = tk.ones(ROWS, WIDTH)
    hits = tk.memory_stats()
    y.backward(above)
    made = tk.memory_stats()
    assert made.hits + made.misses == hits.hits + hits.misses + 1
