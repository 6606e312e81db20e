"""Frozen parts: what does not move, what keeps its statistics, what is saved."""

import copy

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn, optim
from trainkit.engine import Events, create_supervised_trainer
from trainkit.errors import ArgumentError, CheckpointError
from trainkit.nn import freeze, frozen_names, load_frozen_names, unfreeze


class Net(nn.Module):
    def __init__(self, affine=True) -> None:
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2, affine=affine)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.dropout(self.norm(self.conv(x))).mean((2, 3)))


NORM = ["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]
CONV = ["conv.weight", "conv.bias"]
HEAD = ["head.weight", "head.bias"]
BATCH = (tk.ones(4, 1, 5, 5), tk.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (lambda net: (), [*CONV, *NORM, *HEAD]),
        (lambda net: ("conv.*",), CONV),
        (lambda net: ("*.bias", "head.?eight"), ["conv.bias", "norm.bias", *HEAD]),
        (lambda net: (net.norm,), NORM),
        (lambda net: (net.conv, "norm.running_*"), [*CONV, *NORM[2:]]),
        (lambda net: (lambda name, tensor: tensor.ndim == 2,), ["head.weight"]),
        (lambda net: (net,), [*CONV, *NORM, *HEAD]),
    ],
)
def test_targets(target, names) -> None:
    net = Net()
    frozen = freeze(net, *target(net))
    assert sorted(frozen) == sorted(names)
    assert frozen_names(net) == frozen
    assert freeze(net, *target(net)) == []
    assert unfreeze(net, *target(net)) == frozen
    assert frozen_names(net) == []


def step(net, optimizer, times=3):
    trainer = create_supervised_trainer(net, optimizer, nn.functional.cross_entropy)
    return trainer.run([BATCH], max_epochs=times)


def values(net):
    return {name: tensor.numpy().copy() for name, tensor in net.state_dict().items()}


def moved(net, before):
    return {name for name, value in values(net).items() if not np.array_equal(value, before[name])}


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
        lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.1),
    ],
)
def test_what_is_frozen_does_not_move(make) -> None:
    net = Net()
    optimizer = make(net.parameters())
    step(net, optimizer)  # there are momenta now
    before = values(net)
    freeze(net, net.conv, net.norm)
    step(net, optimizer)
    assert moved(net, before) == set(HEAD)
    unfreeze(net)
    step(net, optimizer)
    assert moved(net, before) >= {*CONV, *NORM, *HEAD} - {"conv.bias"}


def test_freezing_between_backward_and_step() -> None:
    net = nn.Linear(2, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net(tk.ones(3, 2)).sum().backward()
    before = values(net)
    freeze(net, "weight")
    assert net.weight.grad is None
    optimizer.step()
    assert moved(net, before) == {"bias"}


def test_in_the_course_of_a_run() -> None:
    net = Net()
    trainer = create_supervised_trainer(net, optim.SGD(net.parameters(), lr=0.1), nn.functional.cross_entropy)
    states = []
    trainer.add_event_handler(Events.EPOCH_STARTED(once=2), lambda: freeze(net, "norm.*"))
    trainer.add_event_handler(Events.EPOCH_STARTED(once=3), lambda: unfreeze(net, "norm.*"))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: states.append((net.norm.training, values(net))))
    trainer.run([BATCH], max_epochs=3)
    assert [training for training, _ in states] == [True, False, True]
    for name in NORM:
        assert np.array_equal(states[0][1][name], states[1][1][name]), name
    assert not np.array_equal(states[1][1]["norm.running_mean"], states[2][1]["norm.running_mean"])


def test_a_frozen_norm_stays_in_evaluation_and_dropout_does_not() -> None:
    net = Net()
    freeze(net, net.norm)
    net.train()
    assert (net.training, net.norm.training, net.dropout.training) == (True, False, True)
    net.norm.train()
    assert not net.norm.training
    before = values(net)
    net(BATCH[0])
    assert moved(net, before) == set()
    x = BATCH[0] * 3 + 1
    np.testing.assert_array_equal(net.norm(net.conv(x)).detach().numpy(), net.eval().norm(net.conv(x)).detach().numpy())


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("after", [True, False, None])
def test_a_thawed_norm_has_the_mode_that_was_said_last(before, after) -> None:
    net = Net().train(before)
    freeze(net, net.norm)
    if after is not None:
        net.train(after)
    unfreeze(net, net.norm)
    assert net.norm.training is (before if after is None else after)
    net.train()
    assert net.norm.training


def test_a_norm_without_parameters() -> None:
    net = Net(affine=False)
    assert freeze(net, net.norm) == NORM[2:]
    before = values(net)
    net.train()(BATCH[0])
    assert moved(net, before) == set()


def test_after_a_run_a_frozen_norm_is_frozen_still() -> None:
    net = Net()
    trainer = create_supervised_trainer(net, optim.SGD(net.parameters(), lr=0.1), nn.functional.cross_entropy)
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: freeze(net, net.norm))
    trainer.run([BATCH])
    assert net.training
    assert not net.norm.training


def test_copies_are_frozen_too() -> None:
    net = Net()
    freeze(net, net.norm)
    other = copy.deepcopy(net)
    assert frozen_names(other) == NORM
    assert not other.train().norm.training
    unfreeze(other)
    assert frozen_names(net) == NORM


def test_shared_parameters_have_one_name() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert freeze(net, net[1]) == ["0.weight", "1.bias"]


def test_names_are_loaded() -> None:
    net, other = Net(), Net()
    freeze(net, "conv.*", net.norm)
    freeze(other, other.head)
    load_frozen_names(other, frozen_names(net))
    assert frozen_names(other) == [*CONV, *NORM]
    with pytest.raises(CheckpointError, match="Net: it has no tail"):
        load_frozen_names(other, ["tail"])
    assert frozen_names(other) == [*CONV, *NORM]


def test_a_trainer_saves_and_loads_them(tmp_path) -> None:
    def trainer():
        return tk.Trainer(Net(), ("sgd", {"lr": 0.1, "momentum": 0.9}), "cross_entropy")

    one, two = trainer(), trainer()
    freeze(one.model, "conv.*", one.model.norm)
    one.fit([BATCH], epochs=2, verbose=0, callbacks=[tk.callbacks.ModelCheckpoint(tmp_path)])
    two.load(tmp_path / "last.safetensors")
    assert frozen_names(two.model) == [*CONV, *NORM]
    before = values(two.model)
    two.fit([BATCH], verbose=0)
    assert moved(two.model, before) == set(HEAD)
    old = one.state_dict()
    del old["frozen"]  # as of a version that did not know it
    two.load_state_dict(old)
    assert frozen_names(two.model) == [*CONV, *NORM]


@pytest.mark.parametrize("what", [freeze, unfreeze])
@pytest.mark.parametrize("target", ["cnv.*", nn.Linear(1, 1), lambda name, tensor: False])
def test_targets_that_fit_nothing(what, target) -> None:
    with pytest.raises(ArgumentError, match=rf"{what.__name__} found nothing for .*; the names are conv\.weight"):
        what(Net(), target)


def test_what_is_no_target() -> None:
    with pytest.raises(ArgumentError, match="expected modules, patterns of names or functions"):
        freeze(Net(), 3)
