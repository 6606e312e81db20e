import numpy as np
import pytest
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels
from trainkit.errors import ShapeError
from trainkit.kernels.fused import CHUNK

# parts of a chunk, whole ones, one that begins in the middle of a chunk, and one that ends with it
SHAPES = [(3, 5), (1,), (), (0,), (2, 33), (CHUNK,), (CHUNK + 7,), (3, CHUNK), (CHUNK - 90,), (0, 2), (4, 2)]
STEPS = 4


def parameters(dtype, seed=0):
    return [np.asarray(draw(dtype, *shape, seed=seed)) for shape in SHAPES]


def zeros(dtype):
    return [np.zeros(shape, dtype) for shape in SHAPES]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("momentum", "dampening", "weight_decay", "nesterov", "maximize"),
    [
        (0.0, 0.0, 0.0, False, False),
        (0.0, 0.0, 0.1, False, True),
        (0.9, 0.0, 0.0, False, False),
        (0.9, 0.3, 0.01, False, True),
        (0.8, 0.0, 0.01, True, False),
    ],
)
def test_sgd(dtype, momentum, dampening, weight_decay, nesterov, maximize):
    params, buffers = parameters(dtype), zeros(dtype) if momentum else None
    expected, velocity = [p.astype(np.float64) for p in params], [None] * len(params)
    for step in range(STEPS):
        grads = parameters(dtype, seed=step + 1)
        settings = 0.1, momentum, dampening, weight_decay, nesterov, maximize
        kernels.sgd_step(params, grads, buffers, *settings, begin=step == 0)
        for i, grad in enumerate(grads):
            slope = (-grad if maximize else grad) + weight_decay * expected[i]
            if momentum:
                velocity[i] = slope if step == 0 else momentum * velocity[i] + (1 - dampening) * slope
                slope = slope + momentum * velocity[i] if nesterov else velocity[i]
            expected[i] = expected[i] - 0.1 * slope
    for i, param in enumerate(params):
        assert param.dtype == dtype
        assert_close(param, expected[i])
        if momentum:
            assert_close(buffers[i], velocity[i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize(
    ("weight_decay", "maximize", "decoupled"), [(0.0, False, False), (0.1, True, False), (0.1, False, True)]
)
def test_adam(dtype, amsgrad, weight_decay, maximize, decoupled):
    params, means, squares = parameters(dtype), zeros(dtype), zeros(dtype)
    most = zeros(dtype) if amsgrad else None
    expected = [p.astype(np.float64) for p in params]
    m, v, top = (zeros(np.float64) for _ in range(3))
    lr, beta1, beta2, eps = 0.01, 0.9, 0.99, 1e-3
    for step in range(1, STEPS + 1):
        grads = parameters(dtype, seed=step)
        settings = lr, beta1, beta2, eps, weight_decay, maximize, step, decoupled
        kernels.adam_step(params, grads, means, squares, most, *settings)
        for i, grad in enumerate(grads):
            slope = -grad.astype(np.float64) if maximize else grad.astype(np.float64)
            if decoupled:
                expected[i] = expected[i] * (1 - lr * weight_decay)
            else:
                slope = slope + weight_decay * expected[i]
            m[i] = beta1 * m[i] + (1 - beta1) * slope
            v[i] = beta2 * v[i] + (1 - beta2) * slope**2
            top[i] = np.maximum(top[i], v[i])
            root = np.sqrt(top[i] if amsgrad else v[i]) / (1 - beta2**step) ** 0.5
            expected[i] = expected[i] - lr / (1 - beta1**step) * m[i] / (root + eps)
    for i, param in enumerate(params):
        assert param.dtype == dtype
        assert_close(param, expected[i])
        assert_close(means[i], m[i])
        assert_close(squares[i], v[i])
        if amsgrad:
            assert_close(most[i], top[i])


def test_a_gradient_that_is_not_contiguous_and_memory_that_is_not_aligned():
    memory = np.zeros(4 * 60 + 1, np.uint8)
    param = memory[1:].view(np.float32).reshape(6, 10)
    grad = draw(np.float32, 10, 6).T
    kernels.sgd_step([param], [grad], None, 0.5)
    np.testing.assert_array_equal(param, -0.5 * grad)


def test_nan_in_a_gradient_reaches_its_parameter_alone():
    for decoupled in (False, True):
        param, grad = np.ones(40, np.float32), np.ones(40, np.float32)
        grad[17] = np.nan
        state = [[np.zeros(40, np.float32)] for _ in range(3)]
        kernels.adam_step([param], [grad], *state, 0.1, 0.9, 0.999, 1e-8, 0.1, False, 1, decoupled)
        assert np.flatnonzero(np.isnan(param)).tolist() == [17]
        assert np.isnan(state[2][0][17])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("weight_decay", "maximize"), [(0.0, False), (0.1, True)])
@pytest.mark.parametrize("name", ["adamax", "rmsprop", "rmsprop_centered", "adagrad", "adadelta", "lion", "nadam"])
def test_the_other_rules(dtype, name, weight_decay, maximize):
    params, a, b, c = parameters(dtype), zeros(dtype), zeros(dtype), zeros(dtype)
    expected = [p.astype(np.float64) for p in params]
    x, y, z = (zeros(np.float64) for _ in range(3))
    lr, beta1, beta2, eps = 0.01, 0.9, 0.99, 1e-3
    for step in range(1, STEPS + 1):
        grads = parameters(dtype, seed=step)
        if name == "adamax":
            kernels.adamax_step(params, grads, a, b, lr, beta1, beta2, eps, weight_decay, maximize, step)
        elif name == "rmsprop":
            kernels.rmsprop_step(params, grads, a, None, None, lr, beta2, eps, weight_decay, 0.0, maximize)
        elif name == "rmsprop_centered":
            kernels.rmsprop_step(params, grads, a, b, c, lr, beta2, eps, weight_decay, 0.5, maximize)
        elif name == "adagrad":
            kernels.adagrad_step(params, grads, a, lr, eps, weight_decay, maximize)
        elif name == "adadelta":
            kernels.adadelta_step(params, grads, a, b, lr, beta2, eps, weight_decay, maximize)
        elif name == "lion":
            kernels.lion_step(params, grads, a, lr, beta1, beta2, weight_decay, maximize)
        else:
            settings = 0.02, 0.03, beta1, beta2, eps, 0.999, weight_decay, maximize, step
            kernels.nadam_step(params, grads, a, b, *settings)
        for i, grad in enumerate(grads):
            w, slope = expected[i], grad.astype(np.float64) * (-1 if maximize else 1)
            if name == "nadam":
                w = w * 0.999
            if name != "lion":
                slope = slope + weight_decay * w
            if name == "adamax":
                x[i] = beta1 * x[i] + (1 - beta1) * slope
                y[i] = np.maximum(beta2 * y[i], abs(slope) + eps)
                w = w - lr / (1 - beta1**step) * x[i] / y[i]
            elif name.startswith("rmsprop"):
                x[i] = beta2 * x[i] + (1 - beta2) * slope**2
                variance = x[i]
                if name == "rmsprop_centered":
                    y[i] = beta2 * y[i] + (1 - beta2) * slope
                    variance = x[i] - y[i] ** 2
                z[i] = (0.5 if name == "rmsprop_centered" else 0.0) * z[i] + slope / (np.sqrt(variance) + eps)
                w = w - lr * z[i]
            elif name == "adagrad":
                x[i] = x[i] + slope**2
                w = w - lr * slope / (np.sqrt(x[i]) + eps)
            elif name == "adadelta":
                x[i] = beta2 * x[i] + (1 - beta2) * slope**2
                delta = np.sqrt(y[i] + eps) / np.sqrt(x[i] + eps) * slope
                y[i] = beta2 * y[i] + (1 - beta2) * delta**2
                w = w - lr * delta
            elif name == "lion":
                move = np.sign(beta1 * x[i] + (1 - beta1) * slope)
                x[i] = beta2 * x[i] + (1 - beta2) * slope
                w = w * (1 - lr * weight_decay) - lr * move
            else:
                x[i] = beta1 * x[i] + (1 - beta1) * slope
                y[i] = beta2 * y[i] + (1 - beta2) * slope**2
                w = w - (0.02 * x[i] + 0.03 * slope) / (np.sqrt(y[i] / (1 - beta2**step)) + eps)
            expected[i] = w
    for i, param in enumerate(params):
        assert param.dtype == dtype
        assert_close(param, expected[i], scale=20)
        assert_close(a[i], x[i])
        if name in ("adamax", "rmsprop_centered", "adadelta", "nadam"):
            assert_close(b[i], y[i])
        if name == "rmsprop_centered":
            assert_close(c[i], z[i], scale=20)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decoupled", [False, True])
def test_radam_before_and_after_it_is_rectified(dtype, decoupled):
    params, means, squares = parameters(dtype), zeros(dtype), zeros(dtype)
    expected = [p.astype(np.float64) for p in params]
    m, v = zeros(np.float64), zeros(np.float64)
    lr, beta1, beta2, eps, decay = 0.01, 0.9, 0.99, 1e-3, 0.1
    rectified = []
    for step in range(1, 9):
        grads = parameters(dtype, seed=step)
        kernels.radam_step(params, grads, means, squares, lr, beta1, beta2, eps, decay, False, step, decoupled)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)
        rectified.append(length > 5)
        for i, grad in enumerate(grads):
            w, slope = expected[i], grad.astype(np.float64)
            w, slope = (w * (1 - lr * decay), slope) if decoupled else (w, slope + decay * w)
            m[i] = beta1 * m[i] + (1 - beta1) * slope
            v[i] = beta2 * v[i] + (1 - beta2) * slope**2
            move = m[i] / (1 - beta1**step)
            if length > 5:
                ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
                move = move * np.sqrt(1 - beta2**step) / (np.sqrt(v[i]) + eps) * np.sqrt(ratio)
            expected[i] = w - lr * move
    assert set(rectified) == {False, True}
    for param, values in zip(params, expected, strict=True):
        assert_close(param, values)


def test_the_number_of_threads_does_not_show():
    found = []
    for threads in (1, 2, 3):
        before = kernels.get_num_threads()
        kernels.set_num_threads(threads)
        try:
            params, states = parameters(np.float32), [zeros(np.float32) for _ in range(2)]
            grads = parameters(np.float32, seed=1)
            kernels.adam_step(params, grads, *states, None, 0.1, 0.9, 0.999, 1e-8, 0.1, False, 1, False)
        finally:
            kernels.set_num_threads(before)
        found.append(b"".join(array.tobytes() for row in (params, *states) for array in row))
    assert found[0] == found[1] == found[2]


def test_neighbours_do_not_show():
    """Many parameters in one launch move as each does alone."""
    together, grads = parameters(np.float32), parameters(np.float32, seed=1)
    alone = [param.copy() for param in together]
    kernels.sgd_step(together, grads, None, 0.1)
    for param, grad in zip(alone, grads, strict=True):
        kernels.sgd_step([param], [grad], None, 0.1)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_dtypes_together_and_half_precision():
    params = [np.ones(5, dtype) for dtype in (np.float64, np.float32, np.float16, np.float64, ">f4")]
    grads = [np.full(5, i + 1.0, param.dtype) for i, param in enumerate(params)]
    buffers = [np.zeros_like(param) for param in params]
    for begin in (True, False):
        kernels.sgd_step(params, grads, buffers, 0.125, 0.5, begin=begin)
    for i, param in enumerate(params):
        assert param.dtype == grads[i].dtype
        np.testing.assert_array_equal(buffers[i], np.full(5, 1.5 * (i + 1)))
        np.testing.assert_array_equal(param, np.full(5, 1 - 0.125 * 2.5 * (i + 1)))


def test_parameters_and_states_that_are_not_contiguous():
    params = [draw(np.float32, 6, 10).T, np.zeros((8, 4), np.float32)[::2]]
    grads = [draw(np.float32, 10, 6), draw(np.float32, 4, 4).T]
    buffers = [np.zeros((20, 6), np.float32)[::2], np.zeros((4, 4), np.float32, order="F")]
    expected = [param - 0.5 * grad for param, grad in zip(params, grads, strict=True)]
    kept = [grad.copy() for grad in grads]
    kernels.sgd_step(params, grads, buffers, 0.5, 0.9, begin=True)
    for i in range(2):
        np.testing.assert_allclose(params[i], expected[i], rtol=1e-6)
        np.testing.assert_array_equal(buffers[i], grads[i])
        np.testing.assert_array_equal(grads[i], kept[i])


@pytest.mark.parametrize("where", [0, 3])
def test_shapes_that_differ(where):
    """Addresses carry no length: nothing may be read that is not there."""
    params = [np.ones((2, 3), np.float32) for _ in range(4)]
    grads, buffers = [np.ones_like(p) for p in params], [np.zeros_like(p) for p in params]
    for row, what in ((grads, "gradient"), (buffers, "state")):
        for wrong in (np.ones((3, 2), np.float32), np.ones(1, np.float32), np.ones((2, 3, 1), np.float32)):
            right, row[where] = row[where], wrong
            with pytest.raises(ShapeError, match=rf"shape \(2, 3\) has a {what}"):
                kernels.sgd_step(params, grads, buffers, 0.1, 0.9)
            row[where] = right
    assert all((param == 1).all() for param in params)
    kernels.sgd_step([], [], [], 0.1, 0.9)


def test_zeros_and_nan_in_lion():
    param, grad = np.ones(4, np.float32), np.array([0, np.nan, 2, -2], np.float32)
    kernels.lion_step([param], [grad], [np.zeros(4, np.float32)], 0.25, 0.9, 0.99, 0.0, False)
    np.testing.assert_array_equal(param, np.array([1, np.nan, 0.75, 1.25], np.float32))
