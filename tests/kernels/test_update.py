import numpy as np
import pytest
from kernel_twins import DTYPES, assert_close, draw

from trainkit import kernels
from trainkit.kernels.update import CHUNK

SHAPES = [(3, 5), (1,), (), (0,), (2, 33), (CHUNK,), (CHUNK + 7,), (3, CHUNK)]
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
        kernels.sgd_step(params, grads, buffers, *settings, first=step == 0)
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
