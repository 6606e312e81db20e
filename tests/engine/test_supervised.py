"""Supervised engines: arguments, events, modes, and gradients over several batches."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainkit as tk
from trainkit import nn, optim
from trainkit.engine import (
    DeterministicEngine,
    Engine,
    Events,
    Status,
    StepEvents,
    create_supervised_evaluator,
    create_supervised_trainer,
    supervised_evaluation_step,
    supervised_training_step,
)
from trainkit.engine.step import count_examples
from trainkit.errors import ArgumentError, DataError
from trainkit.metrics import Average

BATCH = (tk.ones(4, 2), tk.zeros(4, 1))


class Recording(optim.SGD):
    """Writes down the gradients that it steps with, and does not move."""

    def __init__(self, params):
        super().__init__(params, lr=0.0)
        self.gradients = []

    def step(self, closure=None):
        self.gradients.append([p.grad.numpy().copy() for group in self.param_groups for p in group["params"]])


def batches_of(sizes, rng=None):
    rng = rng or np.random.default_rng(0)
    return [(tk.tensor(rng.normal(size=(n, 2))), tk.tensor(rng.normal(size=(n, 1)))) for n in sizes]


def gradients(net, loss, batches):
    """The gradient over all examples in one batch."""
    net.zero_grad()
    x, y = (tk.cat(part) for part in zip(*batches, strict=True))
    loss(net(x), y).backward()
    found = [p.grad.numpy().copy() for p in net.parameters()]
    net.zero_grad()
    return found


class Unsized:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def grouped(batches, group, max_epochs=1):
    """The batches of each step: no group runs over the end of an epoch."""
    return [batches[i : i + group] for i in range(0, len(batches), group)] * max_epochs


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=9),
    group=st.integers(1, 4),
    reduction=st.sampled_from(["mean", "sum"]),
    sized=st.booleans(),
    epochs=st.integers(1, 2),
    by_hand=st.booleans(),
)
def test_the_gradient_of_a_group_is_that_of_all_its_examples(sizes, group, reduction, sized, epochs, by_hand):
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    loss, batches = nn.MSELoss(reduction=reduction), batches_of(sizes)
    optimizer = Recording(net.parameters())
    if by_hand:
        trainer = Engine(supervised_training_step(net, optimizer, loss, gradient_accumulation_steps=group))
    else:
        trainer = create_supervised_trainer(net, optimizer, loss, gradient_accumulation_steps=group)
    trainer.run(batches if sized else Unsized(batches), max_epochs=epochs)
    assert_same(optimizer.gradients, [gradients(net, loss, part) for part in grouped(batches, group, epochs)])


@pytest.mark.parametrize("how", ["terminate", "terminate_epoch", "skip", "max_iters", "suppressed", "interrupt"])
def test_a_group_that_is_cut_short(how):
    net = nn.Linear(2, 1).double()
    loss, batches = nn.MSELoss(), batches_of([3, 1, 4, 1, 5])
    optimizer = Recording(net.parameters())
    trainer = create_supervised_trainer(net, optimizer, loss, gradient_accumulation_steps=3)

    @trainer.on(Events.ITERATION_COMPLETED(once=2))
    def act():
        if how == "skip":
            trainer.terminate_epoch(skip_epoch_completed=True)
        elif how == "suppressed":
            raise ValueError("boom")
        elif how != "max_iters":
            getattr(trainer, how)()

    trainer.add_event_handler(Events.EXCEPTION_RAISED, lambda: True)
    trainer.run(batches, **({"max_iters": 2} if how == "max_iters" else {}))
    if how == "interrupt":
        assert optimizer.gradients == []
        trainer.run()
        assert_same(optimizer.gradients, [gradients(net, loss, part) for part in grouped(batches, 3)])
    else:
        assert_same(optimizer.gradients, [gradients(net, loss, batches[:2])])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_group_with_a_batch_that_failed_is_dropped_whole(error):
    net = nn.Linear(2, 1).double()
    batches = batches_of([3, 1, 4, 1, 5, 2])
    optimizer = Recording(net.parameters())
    trainer = create_supervised_trainer(net, optimizer, nn.MSELoss(), gradient_accumulation_steps=2)

    @trainer.on(StepEvents.BACKWARD_COMPLETED(once=2))
    def act():
        raise error

    with pytest.raises(error):
        trainer.run(batches)
    trainer.run(batches, max_epochs=2)
    loss = nn.MSELoss()
    if error is KeyboardInterrupt:
        whole = grouped(batches, 2)
        expected = [gradients(net, loss, part) for part in [*whole[1:], *whole]]
        assert_same(optimizer.gradients, expected)
    else:  # ignite's rule: the rest of the epoch is made up
        assert_same(optimizer.gradients, [gradients(net, loss, part) for part in grouped(batches[:4], 2)])


def test_the_number_of_examples_can_be_told():
    net = nn.Linear(2, 1).double()
    batches = batches_of([2, 4])
    optimizer = Recording(net.parameters())
    step = supervised_training_step(
        net, optimizer, nn.MSELoss(), gradient_accumulation_steps=2, num_examples=lambda x, y: len(y) // 2
    )
    Engine(step).run(batches)
    assert_same(optimizer.gradients, [gradients(net, nn.MSELoss(), batches)])


@pytest.mark.parametrize("loss", [nn.MSELoss(reduction="sum"), partial(nn.functional.mse_loss, reduction="sum")])
def test_sums_are_summed(loss):
    net = nn.Linear(2, 1).double()
    batches, optimizer = batches_of([2, 3]), Recording(net.parameters())
    create_supervised_trainer(net, optimizer, loss, gradient_accumulation_steps=2).run(batches)
    assert_same(optimizer.gradients, [gradients(net, nn.MSELoss(reduction="sum"), batches)])


def test_counting_examples():
    assert count_examples(tk.zeros(3, 2)) == 3
    assert count_examples(np.zeros((5, 2))) == 5
    assert count_examples([tk.zeros(4), tk.zeros(9)]) == 4
    assert count_examples({"a": {"b": (tk.zeros(2, 7),)}}) == 2
    for nothing in (3, "text", [], {}, tk.tensor(1.0), ["text"]):
        with pytest.raises(ArgumentError, match="pass num_examples="):
            count_examples(nothing)


@pytest.mark.parametrize("group", [1, 2])
def test_events_of_a_step_in_order(group):
    net, seen = nn.Linear(2, 1), []
    trainer = create_supervised_trainer(
        net, optim.SGD(net.parameters()), nn.MSELoss(), gradient_accumulation_steps=group
    )
    for event in StepEvents:
        trainer.add_event_handler(event, lambda name: seen.append(name), event.name.split("_")[0][0] + event.name[-9])
    trainer.run([BATCH] * 3)
    inner, step = ["FC", "LC", "BC"], ["OS", "OC"]
    seen = [{"F": "FC", "L": "LC", "B": "BC"}.get(name[0], name) for name in seen]
    seen = [name if name in inner else ("OS" if i % 2 == 0 else "OC") for i, name in enumerate_steps(seen)]
    assert seen == (([*inner, *step] * 3) if group == 1 else [*inner, *inner, *step, *inner, *step])


def enumerate_steps(names):
    """Number the events of the optimizer, which come in pairs."""
    count = -1
    for name in names:
        count += name[0] == "O"
        yield count, name


def test_gradients_are_final_where_they_are_clipped():
    net = nn.Linear(2, 1)
    trainer = create_supervised_trainer(
        net, optim.SGD(net.parameters(), lr=1.0), nn.MSELoss(), gradient_accumulation_steps=2
    )

    @trainer.on(StepEvents.OPTIMIZER_STARTED)
    def clip():
        for parameter in net.parameters():
            parameter.grad.zero_()

    before = net.weight.tolist()
    trainer.run([BATCH] * 3)
    assert net.weight.tolist() == before


def test_a_step_that_is_wrapped_needs_no_registration():
    net = nn.Linear(2, 1)
    inner = supervised_training_step(net, optim.SGD(net.parameters()), nn.MSELoss())
    engine = Engine(lambda engine, batch: inner(engine, batch) + 1)
    assert engine.run([BATCH]).output > 1


def test_prepare_batch_in_every_form():
    net, seen = nn.Linear(2, 1), []

    def keywords(batch, device=None, non_blocking=False):
        seen.append((device, non_blocking))
        return batch

    def positions(batch, where, wait):
        seen.append((where, wait))
        return batch

    def alone(batch):
        seen.append("alone")
        return batch

    for prepare in (keywords, positions, alone):
        evaluator = create_supervised_evaluator(net, device="cpu", non_blocking=True, prepare_batch=prepare)
        evaluator.run([BATCH])
        create_supervised_trainer(net, optim.SGD(net.parameters()), nn.MSELoss(), "cpu", True, prepare).run([BATCH])
    assert seen == [("cpu", True)] * 4 + ["alone"] * 2
    with pytest.raises(ArgumentError, match="prepare_batch expected a callable taking"):
        supervised_evaluation_step(net, prepare_batch=lambda: None)
    with pytest.raises(DataError, match="got 3 parts; pass prepare_batch"):
        create_supervised_evaluator(net).run([(1, 2, 3)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, "'cuda' is not available"),
        ({"amp_mode": "amp"}, "mixed precision needs a GPU, got amp_mode='amp'"),
        ({"scaler": True}, "mixed precision needs a GPU"),
        ({"gradient_accumulation_steps": 0}, "at least 1, got 0"),
        ({"gradient_accumulation_steps": 1.5}, r"at least 1, got 1\.5"),
        ({"gradient_accumulation_steps": True}, "at least 1, got True"),
    ],
)
def test_what_a_cpu_cannot_do(options, message):
    net = nn.Linear(2, 1)
    with pytest.raises(ArgumentError, match=message):
        create_supervised_trainer(net, optim.SGD(net.parameters()), nn.MSELoss(), **options)
    if "device" in options or "amp_mode" in options:
        with pytest.raises(ArgumentError, match=message):
            create_supervised_evaluator(net, **options)


def test_neutral_values_are_taken():
    net = nn.Linear(2, 1)
    trainer = create_supervised_trainer(
        net, optim.SGD(net.parameters()), nn.MSELoss(), tk.device("cpu"), False, amp_mode=None, scaler=False
    )
    assert type(trainer) is Engine
    trainer.run([BATCH])


def test_metrics_on_the_trainer():
    net = nn.Linear(2, 1)
    trainer = create_supervised_trainer(
        net, optim.SGD(net.parameters(), lr=0.0), nn.MSELoss(), metrics={"loss": Average()}
    )
    assert trainer.run([BATCH] * 3).metrics == {"loss": pytest.approx(trainer.state.output)}


def test_a_deterministic_trainer():
    net = nn.Linear(2, 1)
    trainer = create_supervised_trainer(net, optim.SGD(net.parameters()), nn.MSELoss(), deterministic=True)
    assert isinstance(trainer, DeterministicEngine)
    assert trainer.run([BATCH]).iteration == 1


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("group", [1, 2])
def test_modes_are_set_and_restored(error, group):
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Linear(2, 1))
    net[1].eval()
    seen = []

    def loss(y_pred, y):
        seen.append((net.training, net[1].training, tk.is_grad_enabled()))
        if error:
            raise error("boom")
        return nn.functional.mse_loss(y_pred, y)

    trainer = create_supervised_trainer(net, optim.SGD(net.parameters()), loss, gradient_accumulation_steps=group)
    evaluator = create_supervised_evaluator(net, output_transform=lambda x, y, y_pred: loss(y_pred, y))
    for engine, expected in ((trainer, True), (evaluator, False)):
        for outside in (True, False):
            with tk.set_grad_enabled(outside):
                if error:
                    with pytest.raises(error):
                        engine.run([BATCH])
                    engine.load_state_dict({"iteration": 0, "max_epochs": 1, "epoch_length": 1})
                else:
                    engine.run([BATCH])
                assert tk.is_grad_enabled() == outside
            assert (net.training, net[0].training, net[1].training) == (True, True, False)
            assert seen.pop() == (expected, expected, expected)


def test_a_bare_evaluation_step_records_nothing():
    net = nn.Linear(2, 1)
    step = supervised_evaluation_step(net, output_transform=lambda x, y, y_pred: y_pred.requires_grad)
    assert Engine(step).run([BATCH]).output is False
    assert tk.is_grad_enabled()


def test_zero_grad_comes_at_the_start_of_a_group():
    net = nn.Linear(2, 1)
    trainer = create_supervised_trainer(net, optim.SGD(net.parameters(), lr=0.0), nn.MSELoss())
    net.weight.grad = tk.ones(1, 2) * 100
    trainer.run([BATCH])
    first = net.weight.grad.tolist()
    trainer.run([BATCH])
    assert net.weight.grad.tolist() == first
    assert trainer.status is Status.DONE
