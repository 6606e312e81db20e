"""What all metrics share: usages, outputs of engines, arithmetic, states, averages."""

import copy
import math
import operator
import pickle
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

import trainkit as tk
from trainkit import metrics, serialize
from trainkit.engine import Engine, Events, Priority
from trainkit.errors import ArgumentError, CheckpointError, DTypeError, NotComputableError, ShapeError
from trainkit.metrics import Average, Loss, Metric, MetricCollection, MetricsLambda, RunningAverage

NUMBERS = [1.0, 5.0, 3.0, 7.0]


class Counting(Average):
    """An average that counts how often it was updated."""

    updates = 0

    def update(self, output: Any) -> None:
        self.updates += 1
        super().update(output)


def engine() -> Engine:
    return Engine(lambda engine, batch: batch)


def trace(attach: Any, event: Events = Events.ITERATION_COMPLETED, epochs: int = 2) -> list[Any]:
    """What stands under "value" at each `event` of two epochs over NUMBERS."""
    one, seen = engine(), []
    attach(one)
    one.add_event_handler(event, lambda e: seen.append(e.state.metrics.get("value")))
    one.run(NUMBERS, max_epochs=epochs)
    return seen


# ---- attaching ----


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ("epoch_wise", [None] * 4 + [4.0] * 4),
        (metrics.EpochWise(), [None] * 4 + [4.0] * 4),
        ("batch_wise", NUMBERS * 2),
        ("running_batch_wise", [1.0, 3.0, 3.0, 4.0, 3.4, 22 / 6, 25 / 7, 4.0]),
        ("single_epoch_running_batch_wise", [1.0, 3.0, 3.0, 4.0] * 2),
        ("running_epoch_wise", [None] * 4 + [7.0] * 4),
        (metrics.BatchFiltered(every=2), [None] * 4 + [6.0] * 4),
    ],
)
def test_usages(usage: Any, expected: list[Any]) -> None:
    assert trace(lambda e: Average().attach(e, "value", usage)) == pytest.approx(expected)


def test_attach_detach_is_attached() -> None:
    one, mean = engine(), Average()
    for usage in ("epoch_wise", "batch_wise", metrics.BatchFiltered(every=1, before=9)):
        assert not mean.is_attached(one, usage)
        mean.attach(one, "a", usage)
        mean.attach(one, "b", usage)
        assert mean.is_attached(one, usage)
        assert one.run([2.0], max_epochs=2).metrics.keys() == {"a", "b"}
        mean.detach(one, usage)
        assert not mean.is_attached(one, usage)
        assert one.describe() == "no handlers"
        mean.detach(one, usage)
        one.state.metrics.clear()
    with one.attach(MetricCollection({"mean": mean})):
        assert mean.is_attached(one)
    assert one.describe() == "no handlers"


def test_a_usage_of_several_events() -> None:
    often = metrics.MetricUsage(
        Events.EPOCH_STARTED, Events.ITERATION_COMPLETED(every=2) | Events.COMPLETED, Events.ITERATION_COMPLETED
    )
    assert trace(lambda e: Average().attach(e, "value", often), epochs=1) == [None, 3.0, 3.0, 4.0]
    one, mean = engine(), Average()
    mean.attach(one, "value", often)
    (mean + 1).attach(one, "more", often)
    assert mean.is_attached(one, often)
    mean.detach(one, often)
    assert one.run(NUMBERS).metrics == {"more": 5.0}


def test_handlers_are_the_first_band() -> None:
    one = engine()
    seen: list[Any] = []
    one.add_event_handler(Events.ITERATION_COMPLETED, lambda e: seen.append(dict(e.state.metrics)))
    mean = Average()
    metrics.RunningAverage(output_transform=float).attach(one, "running")
    (mean * 2).attach(one, "twice", "batch_wise")
    metrics.Frequency(lambda output: 1).attach(one, "rate")
    one.run([1.0])
    assert seen[0].keys() == {"running", "twice", "rate"}
    assert {h.priority for slot in one._slots.values() for h in slot.handlers} == {Priority.METRICS, Priority.HANDLERS}


def test_one_metric_is_reset_in_one_way() -> None:
    one, mean = engine(), Average()
    mean.attach(one, "value")
    for usage in ("batch_wise", "running_epoch_wise", metrics.BatchFiltered(every=2)):
        with pytest.raises(ArgumentError, match="second one"):
            mean.attach(one, "other", usage)
        with pytest.raises(ArgumentError, match="second one"):
            (mean + 1).attach(one, "other", usage)
    with pytest.raises(ArgumentError, match="second one"):
        RunningAverage(mean).attach(one, "smooth")
    mean.attach(engine(), "value", "batch_wise")
    assert one.run(NUMBERS).metrics == {"value": 4.0}


def test_usages_that_are_none() -> None:
    for usage in ("epochwise", None, metrics.EpochWise):
        with pytest.raises(ArgumentError, match="usage expected"):
            Average().attach(engine(), "value", usage)


# ---- outputs ----


def test_outputs_that_are_dicts() -> None:
    one = Engine(lambda engine, batch: {"y_pred": batch, "y": batch + 1, "z": 3.0})
    metrics.MeanSquaredError().attach(one, "mse")
    Loss(tk.nn.L1Loss()).attach(one, "loss")
    Average(lambda output: output["z"]).attach(one, "mean")
    assert one.run([np.ones(2)]).metrics == {"mse": 1.0, "loss": 1.0, "mean": 3.0}
    metrics.MeanSquaredError(lambda output: {"y": 1}).attach(one, "bad")
    with pytest.raises(ArgumentError, match="y_pred not among"):
        one.run([np.ones(2)])
    with pytest.raises(ArgumentError, match="takes no dict"):
        Average().take({"y": 1.0})


def test_further_arguments_of_a_loss() -> None:
    def scaled(y_pred: Any, y: Any, by: float = 1.0) -> Any:
        return (y_pred - y).abs().mean() * by

    one = Engine(lambda engine, batch: {"y_pred": batch, "y": 0 * batch, "criterion_kwargs": {"by": 3.0}})
    Loss(scaled).attach(one, "loss")
    assert one.run([np.ones(2)]).metrics == {"loss": 3.0}
    loss = Loss(scaled)
    loss.update((np.ones(2), np.zeros(2), {"by": 2.0}))
    assert loss.compute() == 2.0


def test_lists_are_unrolled() -> None:
    ragged = [np.ones(2), np.ones(3)], [np.zeros(2), np.zeros(3)]
    mse = metrics.MeanSquaredError()
    mse.take(ragged)
    assert mse.compute() == 2.5
    mse.reset()
    mse.take(([1.0, 2.0], [1.0, 4.0]))
    mse.take(([tk.ones(1)], [tk.zeros(1)]))
    assert mse.compute() == pytest.approx(5 / 3)
    with pytest.raises(ArgumentError, match="skip_unrolling"):
        mse.take(([1.0], [1.0, 2.0]))
    two = Loss(
        lambda y_pred, y: (y_pred[0] - y[0]).sum() + y_pred[1].sum(), skip_unrolling=True, batch_size=lambda y: 1
    )
    two.take(([tk.ones(2), tk.ones(2)], [tk.zeros(2), tk.zeros(2)]))
    assert two.compute() == 4.0


class OfTensors(Average):
    """A metric that computes with tensors."""

    def update(self, output: Any) -> None:
        self.seen = [(output * tk.ones(2, requires_grad=True)).requires_grad]


def test_no_graph_is_recorded_or_held() -> None:
    weight = tk.ones(2, requires_grad=True)
    seen = []
    loss = Loss(lambda y_pred, y: seen.append(y_pred * 1) or tk.nn.functional.mse_loss(y_pred, y))
    loss.update((weight * 2, tk.zeros(2)))
    assert not seen[0].requires_grad
    own = OfTensors()
    own.take(weight * 2)
    assert own.seen == [False]
    kept = metrics.EpochMetric(lambda y_pred, y: (y_pred * weight).sum().requires_grad)
    kept.update((weight * 2, tk.zeros(2)))
    assert kept.compute() is False


class Results(Metric):
    """A metric whose value is whatever it was given."""

    required_output_keys = None

    def reset(self) -> None:
        self.result: Any = None

    def update(self, output: Any) -> None:
        self.result = output

    def compute(self) -> Any:
        return self.result


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("both", {"a": 1.0, "b": 2, "value": {"a": 1.0, "b": 2}}),
        ("flatten", {"a": 1.0, "b": 2}),
        ("named", {"value": {"a": 1.0, "b": 2}}),
    ],
)
def test_results_that_are_dicts(mode: str, expected: dict[str, Any]) -> None:
    one = Engine(lambda engine, batch: [{"a": tk.tensor(1.0), "b": 2}])
    Results(lambda output: output[0], metrics_result_mode=mode).attach(one, "value")
    one.state.metrics.clear()
    with pytest.raises(ArgumentError, match="takes no dict"):
        one.run([0])
    one = Engine(lambda engine, batch: 0)
    MetricsLambda(lambda x: {"a": tk.tensor(1.0), "b": 2}, Average(), metrics_result_mode=mode).attach(one, "value")
    assert one.run([0]).metrics == expected


def test_results_of_one_number_and_of_several() -> None:
    one = Engine(lambda engine, batch: (batch,))
    for name, of in {"n": np.float32, "a": np.asarray, "t": tk.tensor}.items():
        MetricsLambda(of, Average(lambda output: output[0])).attach(one, name)
    MetricsLambda(lambda x: np.array([x, x]), Average(lambda output: output[0])).attach(one, "two")
    found = one.run([2.5]).metrics
    assert [type(found[name]) for name in ("n", "a", "t")] == [float] * 3
    assert found["two"].tolist() == [2.5, 2.5]
    clash = Engine(lambda engine, batch: 1.0)
    MetricsLambda(lambda x: {"x": x}, Average()).attach(clash, "x")
    with pytest.raises(ArgumentError, match="another"):
        clash.run([0])
    with pytest.raises(ArgumentError, match="flatten"):
        MetricsLambda(float, Average(), metrics_result_mode="flat")


def test_values_appear_in_a_run_of_metrics_only_after_an_example() -> None:
    collection = MetricCollection({"a": Average(), "b": Average()})
    assert collection.compute() == {}
    collection["a"].update(1.0)
    assert collection.compute() == {"a": 1.0}
    collection.update(3.0)
    assert collection.compute() == {"a": 2.0, "b": 3.0}
    collection.reset()
    assert collection.compute() == {}


# ---- arithmetic ----


@pytest.mark.parametrize("function", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_operators(function: str) -> None:
    apply = getattr(operator, function)
    a, b = Average(lambda x: x * 3), Average()
    for made, expected in (
        (apply(a, b), apply(7.5, 2.5)),
        (apply(a, 2), apply(7.5, 2)),
        (apply(2, a), apply(2, 7.5)),
        (apply(np.float64(2), a), apply(2, 7.5)),
        (-apply(a, b), -apply(7.5, 2.5)),
        (abs(-apply(a, b)), apply(7.5, 2.5)),
    ):
        assert isinstance(made, MetricsLambda)
        one = engine()
        made.attach(one, "value")
        assert one.run([2.0, 3.0]).metrics == {"value": pytest.approx(expected)}


def test_indexing_and_methods_of_the_value() -> None:
    rows = Average()
    rows.update(np.array([[1.0, 2.0], [3.0, 6.0]]))
    first, mean, kept = rows[0], rows.mean(), rows.reshape(2, 1).max(axis=0, keepdims=True)
    assert first.compute() == 2.0
    assert mean.compute() == 3.0
    assert kept.compute().tolist() == [[4.0]]
    assert (rows[::-1] / rows.sum()).compute().tolist() == [4 / 6, 2 / 6]
    assert (np.array([1.0, 0.0]) * rows).compute().tolist() == [2.0, 0.0]
    wrong = rows.meen()
    with pytest.raises(AttributeError, match=r"'meen'.*test_base"):
        wrong.compute()
    for broken in (lambda: list(rows), lambda: 1 in rows, lambda: rows._meen, lambda: Average().__len__):
        with pytest.raises((TypeError, AttributeError)):
            broken()


def test_a_part_gathers_once() -> None:
    part = Counting()
    both = (part + part) * part
    both.update(2.0)
    assert both.compute() == 8.0
    assert part.updates == 1
    one = engine()
    both.attach(one, "value")
    (part - 1).attach(one, "less")
    part.attach(one, "part")
    assert one.run(NUMBERS, max_epochs=2).metrics == {"value": 32.0, "less": 3.0, "part": 4.0}
    assert part.updates == 9
    collection = MetricCollection({"part": part, "double": part * 2})
    collection.reset()
    collection.update(4.0)
    assert collection.compute() == {"part": 4.0, "double": 8.0}
    assert part.updates == 10


def test_a_formula_is_attached_with_its_parts() -> None:
    one, a, b = engine(), Average(), Average()
    total = MetricsLambda(lambda x, *, y, by: x + y * by, a, y=b, by=10)
    assert not total.is_attached(one)
    total.attach(one, "total")
    assert total.is_attached(one)
    assert not a.is_attached(one)
    assert one.run([1.0]).metrics == {"total": 11.0}
    other = a * 2
    other.attach(one, "other")
    total.detach(one)
    assert other.is_attached(one)
    assert not total.is_attached(one)
    one.state.metrics.clear()
    assert one.run([2.0]).metrics == {"other": 4.0}
    a.detach(one)
    assert one.run([3.0]).metrics == {"other": 6.0}  # which needs it still
    other.detach(one)
    assert one.describe() == "no handlers"


def test_a_new_formula_leaves_its_parts_as_they_are() -> None:
    part = Average()
    part.update(3.0)
    assert (part + 1).compute() == 4.0
    smooth = RunningAverage(part)
    assert part.compute() == 3.0
    double = part * 2
    double.reset()
    for metric in (part, double, smooth):
        with pytest.raises(NotComputableError):
            metric.compute()


def test_copies_and_default_transforms() -> None:
    def first(output: Any) -> Any:
        return output[0]

    parts = {"own": Average(lambda output: output[1]), "none": Average()}
    formula = copy.deepcopy(
        parts["own"] + parts["none"] + RunningAverage(Average()) + RunningAverage(output_transform=first)
    )
    formula.default_transform(first)
    collection = copy.deepcopy(MetricCollection({"f": formula}))
    collection.update((1.0, 10.0))
    assert collection.compute() == {"f": 13.0}
    assert pickle.loads(pickle.dumps(parts["none"])).num_examples == 0


def test_accuracy_in_a_formula_against_scikit_learn(rng: np.random.Generator) -> None:
    y_pred, y = rng.random((40, 3)), rng.integers(0, 3, 40)
    one = engine()
    precision, recall = metrics.Precision(), metrics.Recall()
    f1 = (2 * precision * recall / (precision + recall)).mean()
    f1.attach(one, "f1")
    (1 - metrics.Accuracy()).attach(one, "error")
    found = one.run([(y_pred[i : i + 9], y[i : i + 9]) for i in range(0, 40, 9)]).metrics
    labels = y_pred.argmax(1)
    assert found["f1"] == pytest.approx(sklearn.metrics.f1_score(y, labels, average="macro"))
    assert found["error"] == pytest.approx(1 - sklearn.metrics.accuracy_score(y, labels))


# ---- averages ----


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4), min_size=1, max_size=5))
def test_averages_of_batches(batches: list[list[float]]) -> None:
    everything = np.concatenate(batches)
    mean, weighed, rows, geometric = Average(), Average(), Average(), metrics.GeometricAverage()
    for batch in batches:
        weighed.update((np.mean(batch), len(batch)))
        rows.update(np.stack([batch, np.ones(len(batch))], axis=1))
        for number in batch:
            mean.update(number)
            geometric.update(abs(number) + 1)
    assert mean.compute() == pytest.approx(everything.mean(), abs=1e-9)
    assert weighed.compute() == pytest.approx(everything.mean(), abs=1e-9)
    assert rows.compute() == pytest.approx([everything.mean(), 1.0], abs=1e-9)
    assert geometric.compute() == pytest.approx(math.exp(np.log(abs(everything) + 1).mean()))


def test_averages_of_arrays_and_tensors() -> None:
    mean = Average()
    for row in (tk.tensor([1.0, 2.0], requires_grad=True), np.array([3, 4])):
        mean.update(row)
    assert mean.compute().tolist() == [2.0, 3.0]
    geometric = metrics.GeometricAverage()
    geometric.update(np.array([[1.0, 0.0], [4.0, 3.0]]))
    assert geometric.compute().tolist() == [2.0, 0.0]
    geometric.reset()
    geometric.update((8.0, 1))
    geometric.update((1.0, 2))
    assert geometric.compute() == pytest.approx(2.0)
    mean.reset()
    mean.update((math.nan, 0))
    with pytest.raises(NotComputableError):
        mean.compute()
    mean.update(np.float32(3))
    assert type(mean.compute()) is float
    with pytest.raises(ArgumentError, match="3 parts"):
        mean.update((1, 2, 3))
    with pytest.raises(DTypeError, match="str"):
        mean.update("x")
    with pytest.raises(ArgumentError, match="-1"):
        geometric.update(-1.0)


def test_an_array_that_changes_later_is_not_what_was_taken_in() -> None:
    buffer = np.array([1.0, 2.0])
    kept = metrics.EpochMetric(lambda y_pred, y: float(y_pred.sum()), check_compute_fn=False)
    smooth = RunningAverage(output_transform=lambda x: x, alpha=1.0)
    mean = Average()
    for metric in (kept, smooth, mean):
        metric.update((buffer, buffer) if metric is kept else buffer)
    buffer[:] = 100
    assert kept.compute() == 3.0
    assert mean.compute().tolist() == smooth.compute().tolist() == [1.0, 2.0]


def test_accumulations() -> None:
    product = metrics.VariableAccumulation(lambda a, x: a + x**2, output_transform=lambda x: x)
    for x in (1.0, tk.tensor([2.0, 3.0]), np.ones((4, 2))):
        product.update(x if np.ndim(x) < 2 else x[:1])
    accumulator, examples = product.compute()
    assert accumulator.tolist() == [[6.0, 11.0]]
    assert examples == 3


def test_losses() -> None:
    loss = Loss(tk.nn.CrossEntropyLoss())
    y_pred, y = tk.randn(10, 3), tk.arange(10) % 3
    for cut in (slice(0, 4), slice(4, 4), slice(4, 10)):
        loss.update((y_pred[cut], y[cut]))
    assert loss.compute() == pytest.approx(tk.nn.functional.cross_entropy(y_pred, y).item())
    by_hand = Loss(lambda a, b: float(abs(a - b).mean()), batch_size=lambda y: 2 * len(y))
    by_hand.update((np.ones(3), np.zeros(3)))
    assert by_hand.num_examples == 6
    with pytest.raises(ArgumentError, match="reduction"):
        Loss(tk.nn.MSELoss(reduction="none")).update((tk.ones(2), tk.ones(2)))
    with pytest.raises(ArgumentError, match="float"):
        loss.update(3.0)


# ---- all at once ----


def test_epoch_metrics(rng: np.random.Generator) -> None:
    y_pred, y = rng.random((30, 1)), rng.integers(0, 2, (30, 1))
    seen: list[Any] = []

    def auc(y_pred: Any, y: Any) -> float:
        seen.append(y_pred.shape)
        return float(sklearn.metrics.roc_auc_score(y, y_pred))

    metric = metrics.EpochMetric(auc)
    metric.update((y_pred[:12], y[:12]))
    metric.update((y_pred[12:].ravel(), tk.as_tensor(y[12:])))
    assert metric.compute() == metric.compute() == sklearn.metrics.roc_auc_score(y, y_pred)
    assert seen[0] == (12,)
    with pytest.raises(DTypeError, match="float64 as before"):
        metric.update((y_pred.astype(np.float32), y))
    for pair, match in (
        ((y_pred[:3], y), "as many"),
        ((y_pred[None], y[None]), "N, C"),
        ((np.ones((2, 2)),) * 2, "as before"),
    ):
        with pytest.raises(ShapeError, match=match):
            metrics.EpochMetric.update(metric, (pair[0], pair[1].astype(y.dtype)))
    assert metric.compute() == sklearn.metrics.roc_auc_score(y, y_pred)
    with pytest.warns(metrics.EpochMetricWarning, match="first batch"):
        metrics.EpochMetric(lambda y_pred, y: 1 / 0).update((y_pred, y))


# ---- running averages ----


def smoothed(values: list[float], alpha: float) -> list[float]:
    result = values[:1]
    for value in values[1:]:
        result.append(alpha * result[-1] + (1 - alpha) * value)
    return result


@pytest.mark.parametrize("alpha", [0.98, 0.5, 1.0])
@pytest.mark.parametrize("of", ["metric", "output", "formula"])
def test_running_averages(alpha: float, of: str) -> None:
    def make(**options: Any) -> RunningAverage:
        if of == "output":
            return RunningAverage(output_transform=lambda x: x, alpha=alpha, **options)
        return RunningAverage(Average() if of == "metric" else Average() * 2 - Average(), alpha=alpha, **options)

    over_run, over_epoch = smoothed(NUMBERS * 2, alpha), smoothed(NUMBERS, alpha) * 2
    assert trace(lambda e: make().attach(e, "value")) == pytest.approx(over_run)
    assert trace(lambda e: make(epoch_bound=False).attach(e, "value", "batch_wise")) == pytest.approx(over_run)
    assert trace(lambda e: make(epoch_bound=True).attach(e, "value")) == pytest.approx(over_epoch)
    single = metrics.SingleEpochRunningBatchWise()
    assert trace(lambda e: make().attach(e, "value", single)) == pytest.approx(over_epoch)
    wise = trace(lambda e: make().attach(e, "value", "running_epoch_wise"), Events.EPOCH_COMPLETED, 3)
    assert wise == pytest.approx([7.0 if of == "output" else 4.0] * 3)
    for feed in ("update", "take"):
        alone = make()
        for number in NUMBERS:
            getattr(alone, feed)(number)
        assert alone.compute() == pytest.approx(smoothed(NUMBERS, alpha)[-1])
    one, running = engine(), make()
    running.attach(one, "value")
    assert running.is_attached(one)
    running.detach(one)
    assert one.describe() == "no handlers"


def test_a_running_average_shares_its_metric() -> None:
    one, part = engine(), Average()
    for name, alpha in {"slow": 0.9, "fast": 0.1}.items():
        RunningAverage(part, alpha=alpha).attach(one, name)
    part.attach(one, "now", "batch_wise")
    found = one.run(NUMBERS).metrics
    assert found == {
        "slow": pytest.approx(smoothed(NUMBERS, 0.9)[-1]),
        "fast": pytest.approx(smoothed(NUMBERS, 0.1)[-1]),
        "now": 7.0,
    }
    one, part = engine(), Average()
    epochs = RunningAverage(part, alpha=0.5)
    epochs.attach(one, "smooth", "running_epoch_wise")
    part.attach(one, "now")
    (epochs * 10).attach(one, "ten", "running_epoch_wise")
    data = iter([1.0, 3.0, 5.0, 7.0])
    found = Engine.run(one, data, max_epochs=2, epoch_length=2).metrics
    assert found == {"smooth": 4.0, "now": 6.0, "ten": 40.0}


def test_a_running_average_says_what_is_better() -> None:
    assert RunningAverage(Loss(abs)).higher_is_better is False
    assert RunningAverage(metrics.Accuracy()).higher_is_better is True
    assert RunningAverage(output_transform=float).higher_is_better is None
    with pytest.raises(DTypeError):
        RunningAverage(output_transform=float).update("a")


# ---- rates ----


def test_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("trainkit.metrics.running.time.perf_counter", lambda: clock[0])

    def step(engine: Engine, batch: int) -> int:
        clock[0] += 0.5
        return batch

    one, seen = Engine(step), []
    frequency = metrics.Frequency()
    event = Events.ITERATION_COMPLETED(every=2)
    frequency.attach(one, "rate", event)
    one.add_event_handler(Events.ITERATION_COMPLETED, lambda e: seen.append(e.state.metrics.get("rate")))
    assert frequency.is_attached(one, event)
    one.run([10, 20, 60, 30], max_epochs=1)
    assert seen == [None, 30, 30, 60]
    state = frequency.state_dict()
    frequency.detach(one, event)
    assert not frequency.is_attached(one, event)
    clock[0] = 1000.0
    frequency.load_state_dict(state)
    clock[0] = 1001.0
    frequency.update(tk.tensor(30))
    assert frequency.compute() == 150 / 3
    frequency.reset()
    with pytest.raises(NotComputableError):
        frequency.compute()


# ---- states ----


def stateful() -> list[Metric]:
    return [
        Average(),
        metrics.GeometricAverage(),
        metrics.VariableAccumulation(np.add),
        metrics.Frequency(),
        RunningAverage(Average()),
        RunningAverage(output_transform=float),
        Average() * 2 + RunningAverage(Average()),
    ]


@pytest.mark.parametrize("index", range(7))
def test_states_amid_an_epoch(tmp_path: Any, index: int) -> None:
    metric, again = stateful()[index], stateful()[index]
    for when in range(3):
        path = tmp_path / f"{when}.safetensors"
        serialize.save(metric.state_dict(), path)
        again.reset()
        again.load_state_dict(serialize.load(path))
        for one in (metric, again):
            one.update(3.0 + when)
        ours, theirs = metric.compute(), again.compute()
        assert ours == theirs or index == 3
    rows = Average()
    rows.update(np.ones((2, 3)))
    state = rows.state_dict()
    rows.update(np.zeros((2, 3)))
    assert state["accumulator"].tolist() == [2.0] * 3
    kept = metrics.EpochMetric(lambda y_pred, y: float(y.sum()))
    kept.update((np.ones(2), np.ones(2)))
    state = kept.state_dict()
    kept.update((np.ones(2), np.ones(2)))
    kept.load_state_dict(state)
    kept.update((np.ones(3), np.ones(3)))
    kept.load_state_dict(state)
    assert kept.compute() == 2.0


def test_states_of_collections(tmp_path: Any) -> None:
    def make() -> MetricCollection:
        part = metrics.Accuracy()
        return MetricCollection({"accuracy": part, "error": 1 - part, "loss": Loss(tk.nn.CrossEntropyLoss())})

    batch, path = (tk.randn(5, 3), tk.arange(5) % 3), tmp_path / "state.safetensors"
    ours, theirs = make(), make()
    ours.update(batch)
    serialize.save(ours.state_dict(), path)
    theirs.load_state_dict(serialize.load(path))
    for collection in (ours, theirs):
        collection.update((tk.ones(2, 3), tk.zeros(2).long()))
    assert ours.compute() == theirs.compute()
    with pytest.raises(CheckpointError, match="accuracy, error, loss"):
        ours.load_state_dict({"accuracy": {}})


def test_a_state_of_another_metric_is_refused() -> None:
    for metric, state in (
        (Average(), {"total": 1.0}),
        (Average(), [1.0]),
        (Average() + 1, {"parts": []}),
        (Average() + 1, {"accumulator": 0.0}),
        (RunningAverage(Average()), {"value": 1.0, "src": None}),
        (RunningAverage(output_transform=float), {"value": 1.0, "src": {}}),
        (RunningAverage(output_transform=float), {}),
    ):
        with pytest.raises(CheckpointError):
            metric.load_state_dict(state)
