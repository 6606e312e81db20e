"""Whole training runs from the same weights: layers, optimizers and state dicts against PyTorch's."""

import numpy as np
import pytest
import torch

import trainkit as tk

pytestmark = pytest.mark.oracle


def build(nn):
    return nn.Sequential(
        # no bias: its true gradient under BatchNorm is 0, and Adam makes steps of the rounding there
        nn.Conv2d(1, 6, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 3 * 3, 10, bias=False),
    )


OPTIMIZERS = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
    ("SGD", {"lr": 0.1}),
    ("Adam", {"lr": 1e-2, "amsgrad": True}),
    ("Adam", {"lr": 1e-2, "weight_decay": 1e-2}),
    ("AdamW", {"lr": 1e-2}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_the_same_run(name: str, options: dict) -> None:
    ours, theirs = build(tk.nn), build(torch.nn)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    assert [repr(a) for a in ours][5] == [repr(b) for b in theirs][5]
    first = getattr(tk.optim, name)(ours.parameters(), **options)
    second = getattr(torch.optim, name)(theirs.parameters(), **options)
    rng = np.random.default_rng(0)
    for _ in range(12):
        x, y = rng.normal(size=(16, 1, 12, 12)).astype("float32"), rng.integers(0, 10, 16)
        losses = []
        for lib, net, optimizer in ((tk, ours, first), (torch, theirs, second)):
            optimizer.zero_grad()
            loss = lib.nn.functional.cross_entropy(net(lib.from_numpy(x)), lib.from_numpy(y))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=2e-3, abs=1e-4)
    ours.eval(), theirs.eval()
    x = rng.normal(size=(16, 1, 12, 12)).astype("float32")
    np.testing.assert_allclose(
        ours(tk.from_numpy(x)).detach().numpy(), theirs(torch.from_numpy(x)).detach().numpy(), rtol=0.02, atol=0.02
    )
    assert int(ours[1].num_batches_tracked) == int(theirs[1].num_batches_tracked) == 12


def test_initial_values_have_pytorchs_bounds() -> None:
    for ours, theirs in [
        (tk.nn.Linear(50, 400), torch.nn.Linear(50, 400)),
        (tk.nn.Conv2d(4, 90, 5), torch.nn.Conv2d(4, 90, 5)),
    ]:
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert float(abs(a.array).max()) == pytest.approx(float(b.detach().abs().max()), rel=0.05)
            assert float(a.array.std()) == pytest.approx(float(b.detach().std()), rel=0.15)
