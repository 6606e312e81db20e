"""MixUp and CutMix: the inputs, the loss, and what metrics see."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import CutMix, LambdaCallback, MixedTarget, MixUp
from trainkit.errors import ArgumentError


def watch(seen: list):
    return LambdaCallback(on_train_batch_begin=lambda callback: seen.append(callback.state.batch))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_mixup_is_linear_in_inputs_and_loss(loss: str) -> None:
    x = tk.randn(6, 2)
    y = tk.tensor([0, 1, 2] * 2) if loss == "cross_entropy" else tk.randn(6, 3)
    net = nn.Linear(2, 3)
    trainer, seen = tk.Trainer(net, ("sgd", {"lr": 0.0}), loss, ["accuracy"] if loss == "cross_entropy" else []), []
    row = trainer.fit(x, y, batch_size=6, shuffle=False, callbacks=[MixUp(1.0), watch(seen)], verbose=0)[0]
    mixed, target = seen[0]
    assert isinstance(target, MixedTarget)
    order = [y.tolist().index(value) for value in target.second.tolist()] if loss == "mse" else None
    if order is not None:
        np.testing.assert_allclose(
            mixed.numpy(), x.numpy() * target.share + x.numpy()[order] * (1 - target.share), rtol=1e-5, atol=1e-6
        )
    one, other = trainer.loss(net(mixed), target.first), trainer.loss(net(mixed), target.second)
    assert row["loss"] == pytest.approx((one * target.share + other * (1 - target.share)).item(), rel=1e-5)
    if loss == "cross_entropy":
        assert row["accuracy"] == pytest.approx((net(mixed).argmax(1) == target.main).float().mean().item())


def test_cutmix_pastes_a_rectangle_and_counts_its_area() -> None:
    x = tk.arange(8).float().reshape(8, 1, 1, 1).expand(8, 2, 9, 7).clone()
    seen: list = []
    trainer = tk.Trainer(nn.Sequential(nn.Flatten(), nn.Linear(126, 3)), "sgd", "cross_entropy")
    trainer.fit(
        x, tk.arange(8) % 3, batch_size=8, shuffle=False, epochs=20, callbacks=[CutMix(), watch(seen)], verbose=0
    )
    areas = set()
    for mixed, target in seen:
        foreign = mixed.numpy() != x.numpy()
        areas.add(round(target.share, 3))
        for image in foreign[:, 0]:
            if image.any():
                rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
                assert image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "one rectangle"
                assert image.mean() == pytest.approx(1 - target.share)
        np.testing.assert_array_equal(foreign[:, 0], foreign[:, 1])
    assert len(areas) > 5
    assert x[3, 0, 0, 0].item() == 3.0, "the data stay as they are"


def test_the_validation_is_not_mixed() -> None:
    x, y = tk.randn(8, 2), tk.tensor([0, 1] * 4)
    trainer = tk.Trainer(nn.Linear(2, 2), ("sgd", {"lr": 0.0}), "cross_entropy", ["accuracy"])
    row = trainer.fit(x, y, validation_data=(x, y), callbacks=[MixUp(1.0)], verbose=0)[0]
    assert row["val_loss"] == pytest.approx(trainer.evaluate(x, y)["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: MixUp(0.0), None, "alpha must be more than 0"),
        (lambda: CutMix(), tk.zeros(4, 2), r"images \(N, C, H, W\), got shape \(4, 2\)"),
        (lambda: MixUp(), (tk.zeros(4, 2), tk.zeros(4, 2)), "the input is one tensor"),
    ],
)
def test_bad_input(make, x, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        tk.Trainer(nn.Linear(2, 2), "sgd", "cross_entropy").fit(x, tk.zeros(4).long(), callbacks=[make()], verbose=0)
