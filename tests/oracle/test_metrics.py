"""Metrics give what pytorch-ignite's give: values, traces of the usages, formulas, averages."""

import math
from types import SimpleNamespace

import ignite.engine
import ignite.exceptions
import ignite.metrics
import ignite.metrics.metric
import numpy as np
import pytest
import torch

import trainkit as tk
import trainkit.engine
import trainkit.errors
import trainkit.metrics
from tests.metrics.number_cases import CASES, Case, data_of, parts

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

ours = SimpleNamespace(
    metrics=trainkit.metrics,
    usages=trainkit.metrics,
    engine=trainkit.engine,
    errors=trainkit.errors,
    tensor=tk.tensor,
    as_tensor=lambda part: part if isinstance(part, list) else tk.as_tensor(part),
    nn=tk.nn,
)
theirs = SimpleNamespace(
    metrics=ignite.metrics,
    usages=ignite.metrics.metric,
    engine=ignite.engine,
    errors=ignite.exceptions,
    tensor=torch.tensor,
    as_tensor=lambda part: part if isinstance(part, list) else torch.from_numpy(part),
    nn=torch.nn,
)
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def plain(value):
    """A value as numbers, lists, tuples and dicts of them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value.tolist() if hasattr(value, "tolist") else value


def same(script, **tolerance):
    """Run one script under both packages and compare what it returns."""
    found, expected = script(ours), script(theirs)
    assert len(found) == len(expected) > 0
    for one, other in zip(plain(tuple(found)), plain(tuple(expected)), strict=True):
        assert one == pytest.approx(other, **{"rel": 1e-6, "abs": 1e-9, **tolerance})


@every
@pytest.mark.parametrize("size", [1, 2, 23])
def test_values(case: Case, size: int) -> None:
    if size == 1 and case.data in ("vector", "column") and case.name.startswith("R2"):
        pytest.skip("ignite divides by 0")
    pair = data_of(case, size, seed=size)

    def script(p):
        metric = case.make(p.metrics)
        values = []
        for _ in range(2):
            for batch in parts(pair, size // 3, size // 2):
                if len(batch[0]):
                    metric.update(tuple(p.as_tensor(part) for part in batch))
                    if len(batch[0]) > 1:
                        values.append(metric.compute())
            values.append(metric.compute())
            metric.reset()
        return values

    same(script, rel=case.tolerance, abs=case.tolerance / 10)


@every
def test_attached(case: Case) -> None:
    data = [data_of(case, size, seed=size) for size in (4, 6, 3)]

    def script(p):
        engine = p.engine.Engine(lambda engine, batch: tuple(p.as_tensor(part) for part in batch))
        case.make(p.metrics).attach(engine, "value")
        values = engine.run(data, max_epochs=2).metrics
        assert list(values) == ["value"]
        assert type(values["value"]) is float
        return list(values.values())

    same(script, rel=case.tolerance, abs=case.tolerance / 10)


USAGES = {
    "epoch_wise": lambda p: "epoch_wise",
    "batch_wise": lambda p: "batch_wise",
    "running_batch_wise": lambda p: "running_batch_wise",
    "single_epoch_running_batch_wise": lambda p: "single_epoch_running_batch_wise",
    "running_epoch_wise": lambda p: "running_epoch_wise",
    "filtered": lambda p: p.usages.BatchFiltered(every=2),
    "own": lambda p: p.usages.MetricUsage(
        p.engine.Events.STARTED, p.engine.Events.EPOCH_COMPLETED, p.engine.Events.ITERATION_COMPLETED
    ),
}
ATTACHED = {
    "average": lambda p: p.metrics.Average(lambda x: x[0]),
    "rows": lambda p: p.metrics.Average(lambda x: p.tensor([[x[0], 1.0], [x[1], 3.0]])),
    "geometric": lambda p: p.metrics.GeometricAverage(lambda x: x[1]),
    "loss": lambda p: p.metrics.Loss(p.nn.MSELoss(), lambda x: (p.tensor(list(x)), p.tensor([2.0, 1.0]))),
    "mse": lambda p: p.metrics.MeanSquaredError(
        lambda x: {"y_pred": p.tensor(list(x)), "y": p.tensor([2.0, 1.0]), "z": 0}
    ),
    "lists": lambda p: p.metrics.MeanAbsoluteError(lambda x: (list(x), [1, 2])),
    "formula": lambda p: p.metrics.Average(lambda x: x[0]) / p.metrics.Average(lambda x: x[1]),
    "epoch": lambda p: p.metrics.EpochMetric(
        lambda y_pred, y: (y_pred - y).abs().max().item(), lambda x: (p.tensor(list(x)), p.tensor([0.5, 0.5]))
    ),
}
RUNNING = {
    "output": lambda p, **o: p.metrics.RunningAverage(output_transform=lambda x: x[0], **o),
    "tensor": lambda p, **o: p.metrics.RunningAverage(output_transform=lambda x: p.tensor(x), **o),
    "metric": lambda p, **o: p.metrics.RunningAverage(p.metrics.Average(lambda x: x[0]), **o),
    "mse": lambda p, **o: p.metrics.RunningAverage(
        p.metrics.MeanSquaredError(lambda x: (p.tensor(list(x)), p.tensor([2.0, 1.0]))), **o
    ),
    "low": lambda p, **o: p.metrics.RunningAverage(p.metrics.Average(lambda x: x[0]), alpha=0.3, **o),
}
DATA = [(1.0, 4.0), (3.0, 2.0), (8.0, 0.5), (2.0, 2.0)]


def traced(p, attach):
    """What stands in the metrics at each moment of two epochs, behind the metrics' own handlers."""
    engine, trace = p.engine.Engine(lambda engine, batch: batch), []
    attach(engine)
    for event in ("EPOCH_STARTED", "ITERATION_STARTED", "ITERATION_COMPLETED", "EPOCH_COMPLETED", "COMPLETED"):
        engine.add_event_handler(
            getattr(p.engine.Events, event), lambda e: trace.append(plain(e.state.metrics.get("value", -1.0)))
        )
    engine.run(DATA, max_epochs=2)
    return trace


@pytest.mark.parametrize("usage", USAGES.values(), ids=USAGES)
@pytest.mark.parametrize("make", ATTACHED.values(), ids=ATTACHED)
def test_usages(make, usage) -> None:
    def script(p):
        metric = make(p)

        def attach(engine):
            assert not metric.is_attached(engine, usage(p))
            metric.attach(engine, "value", usage(p))
            assert metric.is_attached(engine, usage(p))

        return traced(p, attach)

    same(script)


@pytest.mark.parametrize("usage", ["running_batch_wise", "single_epoch_running_batch_wise", "running_epoch_wise"])
@pytest.mark.parametrize("make", RUNNING.values(), ids=RUNNING)
def test_running_averages(make, usage: str) -> None:
    same(lambda p: traced(p, lambda engine: make(p).attach(engine, "value", usage)))


@pytest.mark.parametrize("bound", [True, False, None])
@pytest.mark.parametrize("make", RUNNING.values(), ids=RUNNING)
def test_running_averages_by_default(make, bound) -> None:
    same(lambda p: traced(p, lambda engine: make(p, epoch_bound=bound).attach(engine, "value")))


@pytest.mark.parametrize("usage", ["epoch_wise", "batch_wise", "running_batch_wise"])
def test_detached_metrics_are_still(usage: str) -> None:
    def script(p):
        engine = p.engine.Engine(lambda engine, batch: batch)
        metric = p.metrics.Average(lambda x: x[0])
        metric.attach(engine, "value", usage)
        engine.run(DATA)
        metric.detach(engine, usage)
        assert not metric.is_attached(engine, usage)
        engine.run([(100.0, 0.0)])
        return engine.state.metrics["value"], metric.compute()

    same(script)


FORMULAS = {
    "sum": lambda a, b, c: a + b,
    "numbers": lambda a, b, c: 2 - a * 3 + b / 2,
    "quotients": lambda a, b, c: (a / b, a / 4, a // b, a // 2, a % b, a % 3),
    "powers": lambda a, b, c: (a**b, a**2, 2**a),
    "shared": lambda a, b, c: (a + b) * (a - b) / a,
    "rows": lambda a, b, c: (c[0], c[-1], c[1] * a, c + b, c.mean(), (c * c).sum() + a),
    "methods": lambda a, b, c: (c.mean().item(), c.sum(0), (c / b).max()),
}


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("usage", ["epoch_wise", "batch_wise", "running_batch_wise"])
def test_formulas(formula, usage: str) -> None:
    def script(p):
        a, b = p.metrics.Average(lambda x: x[0]), p.metrics.Average(lambda x: x[1])
        c = p.metrics.Average(lambda x: p.tensor([x[0], x[1], 2.0]))
        made = formula(a, b, c)
        engine = p.engine.Engine(lambda engine, batch: batch)
        for index, one in enumerate(made if isinstance(made, tuple) else (made,)):
            one.attach(engine, f"value {index}", usage)
            assert one.is_attached(engine, usage)
        return [value for epochs in (1, 2) for value in engine.run(DATA[epochs:], max_epochs=epochs).metrics.values()]

    same(script)


def test_a_number_over_a_metric() -> None:
    """ignite asks the number alone, and so gets an answer only of two floats."""

    def script(p):
        mean = p.metrics.GeometricAverage()
        inverse = 2.0 / mean
        inverse.update(4.0)
        return [inverse.compute()]

    same(script)


def test_functions_of_metrics() -> None:
    def script(p):
        a, b = p.metrics.Average(lambda x: x[0]), p.metrics.Average(lambda x: x[1])
        engine = p.engine.Engine(lambda engine, batch: batch)
        p.metrics.MetricsLambda(lambda x, y, k, *, scale, z: (x + k * y) * scale + z, a, b, 3, scale=2, z=a).attach(
            engine, "f"
        )
        p.metrics.MetricsLambda(lambda x: {"x": x, "two": 2 * x}, a).attach(engine, "dict")
        p.metrics.MetricsLambda(lambda x: {"y": x}, a, metrics_result_mode="flatten").attach(engine, "flat")
        p.metrics.MetricsLambda(lambda x: {"z": x}, a, metrics_result_mode="named").attach(engine, "named")
        metrics = engine.run(DATA, max_epochs=2).metrics
        values = [metrics[name] for name in sorted(metrics)]
        return [sorted(metrics) == sorted(engine.state.metrics), len(metrics), *values]

    same(script)


def test_formulas_alone() -> None:
    def script(p):
        a, b = p.metrics.Average(), p.metrics.Average()
        total = a + 2 * b
        values = []
        for _ in range(2):
            for number in (1.0, 5.0):
                total.update(number)
            values += [total.compute(), a.compute(), b.compute()]
            total.reset()
        with pytest.raises(p.errors.NotComputableError):
            total.compute()
        return values

    same(script)


def test_accumulations() -> None:
    def script(p):
        values = []
        for make in (
            lambda: p.metrics.VariableAccumulation(lambda a, x: a + x),
            p.metrics.Average,
            p.metrics.GeometricAverage,
        ):
            for batches in (
                [1.0, 2.0, 4.0],
                [p.tensor(1.0), p.tensor(3.0)],
                [p.tensor([1.0, 2.0]), p.tensor([3.0, 4.0])],
            ):
                metric = make()
                for batch in batches:
                    metric.update(batch)
                result = metric.compute()
                values += list(plain(result)) if isinstance(result, tuple) else [result]
        for make in (p.metrics.Average, p.metrics.GeometricAverage):
            metric = make()
            for batch in ([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]):
                metric.update(p.tensor(batch))
            values.append(metric.compute())
        return values

    same(script)


def test_epoch_metrics_over_columns() -> None:
    def script(p):
        seen = []

        def function(y_pred, y):
            seen.append((tuple(y_pred.shape), tuple(y.shape)))
            return ((y_pred - y.type_as(y_pred)) ** 2).mean().item()

        metric = p.metrics.EpochMetric(function)
        for size in (3, 2):
            metric.update((p.tensor([[0.5 * i] for i in range(size)]), p.tensor(list(range(size)))))
        return [metric.compute(), *(math.prod(shape) for pair in seen for shape in pair), len(seen)]

    same(script)


def test_errors_are_of_the_same_kind() -> None:
    """Errors of values are ValueErrors or RuntimeErrors in both; what ignite raises as TypeError is a ValueError."""
    for make in (
        lambda p: p.metrics.RunningAverage(),
        lambda p: p.metrics.RunningAverage(p.metrics.Average(), alpha=0.0),
        lambda p: p.metrics.SSIM(1.0, kernel_size=2),
        lambda p: p.metrics.Average().attach(p.engine.Engine(lambda e, b: b), "x", "sometimes"),
        lambda p: p.metrics.MeanSquaredError(lambda x: {"y": 1}).iteration_completed(p.engine.Engine(lambda e, b: b)),
        lambda p: p.metrics.MeanSquaredError().compute(),
        lambda p: p.metrics.Loss(p.nn.MSELoss(reduction="none")).update((p.tensor([1.0]), p.tensor([2.0]))),
    ):
        kinds = []
        for p in (ours, theirs):
            with pytest.raises((ValueError, RuntimeError, TypeError)) as error:
                make(p)
            kinds.append(ValueError if isinstance(error.value, (ValueError, TypeError)) else RuntimeError)
        assert kinds[0] is kinds[1]


def test_ssim_of_float64() -> None:
    x, y = np.random.default_rng(3).random((2, 3, 2, 20, 21))

    def script(p):
        ssim = p.metrics.SSIM(1.0)
        ssim.update((p.as_tensor(x), p.as_tensor(y)))
        return [ssim.compute()]

    same(script, rel=1e-4)  # its window is of float32
