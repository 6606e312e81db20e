"""Averages of weights: what they are, where they stand, and that a run goes on as it was."""

import numpy as np
import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import EMA, LambdaCallback, StochasticWeightAveraging
from trainkit.errors import ArgumentError


@pytest.fixture
def data() -> tuple[tk.Tensor, tk.Tensor]:
    x = tk.randn(12, 3)
    return x, x.sum(1, keepdim=True)


def make(*layers) -> tk.Trainer:
    return tk.Trainer(nn.Sequential(*layers) if layers else nn.Linear(3, 1), ("sgd", {"lr": 0.05}), "mse")


def test_ema_is_the_moving_average_of_the_steps(data) -> None:
    trainer, ema, seen = make(), EMA(0.5), []
    watch = LambdaCallback(on_after_optimizer_step=lambda: seen.append(trainer.model.weight.numpy(force=True).copy()))
    trainer.fit(*data, batch_size=4, epochs=2, callbacks=[watch, ema], verbose=0)
    expected = seen[0]
    for step, weight in enumerate(seen[1:], 1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    np.testing.assert_allclose(ema.average["weight"], expected, rtol=1e-5)
    assert not np.allclose(trainer.model.weight.tolist(), expected)


def test_ema_stands_in_for_the_validation_alone(data) -> None:
    trainer, ema, seen = make(), EMA(0.9), {}
    watch = LambdaCallback(
        on_valid_batch_end=lambda: seen.update(valid=trainer.model.weight.tolist()),
        on_epoch_end=lambda: seen.update(after=trainer.model.weight.tolist()),
        on_train_batch_end=lambda: seen.update(train=trainer.model.weight.tolist()),
    )
    trainer.fit(*data, validation_data=data, callbacks=[ema, watch], verbose=0)
    assert seen["valid"] == ema.average["weight"].tolist()
    assert seen["after"] == seen["train"] == trainer.model.weight.tolist()


def test_ema_goes_out_of_the_model_when_a_validation_fails(data) -> None:
    trainer, ema, seen = make(), EMA(0.9), []

    def fail() -> None:
        raise KeyError("boom")

    watch = LambdaCallback(
        on_train_batch_end=lambda: seen.append(trainer.model.weight.tolist()), on_valid_batch_end=fail
    )
    with pytest.raises(KeyError):
        trainer.fit(*data, batch_size=12, validation_data=data, callbacks=[ema, watch], verbose=0)
    assert trainer.model.weight.tolist() == seen[-1]


def test_ema_may_stay(data) -> None:
    trainer, ema = make(), EMA(0.9, keep=True)
    trainer.fit(*data, batch_size=4, callbacks=[ema], verbose=0)
    plain = make()
    plain.fit(*data, batch_size=4, verbose=0)
    state = ema.state_dict()
    assert trainer.model.weight.tolist() != state["average"]["weight"].tolist()
    assert state["count"] == 3


def test_swa_is_the_mean_of_the_epochs(data) -> None:
    trainer, swa, seen = make(), StochasticWeightAveraging(start=0.5), []
    watch = LambdaCallback(on_epoch_end=lambda: seen.append(trainer.model.weight.numpy(force=True).copy()))
    trainer.fit(*data, epochs=4, callbacks=[swa, watch], verbose=0)
    np.testing.assert_allclose(trainer.model.weight.numpy(force=True), np.mean(seen[1:], 0), rtol=1e-5)


def test_swa_computes_statistics_anew(data) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Unflatten(1, (4, 1, 1)), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 1))
    trainer = make(*net)
    trainer.fit(*data, batch_size=4, epochs=3, shuffle=False, callbacks=[StochasticWeightAveraging(2)], verbose=0)
    hidden = trainer.model[0](data[0]).detach().numpy()
    norm = trainer.model[2]
    np.testing.assert_allclose(norm.running_mean.numpy(), hidden.reshape(3, 4, 4).mean((0, 1)), rtol=1e-4, atol=1e-6)
    variances = hidden.reshape(3, 4, 4).var(1, ddof=1).mean(0)
    np.testing.assert_allclose(norm.running_var.numpy(), variances, rtol=1e-4)
    assert norm.momentum == 0.1
    assert norm.training


def test_swa_sets_the_rate_and_leaves_a_broken_run_alone(data) -> None:
    trainer, rates = make(), []
    watch = LambdaCallback(on_epoch_end=lambda: rates.append(trainer.optimizer.param_groups[0]["lr"]))
    swa = StochasticWeightAveraging(2, lr=0.01, anneal_epochs=2)
    trainer.fit(*data, epochs=4, callbacks=[swa, watch], verbose=0)
    assert rates == pytest.approx([0.05, 0.03, 0.01, 0.01])

    def fail() -> None:
        raise KeyError("boom")

    trainer, seen = make(), []
    watch = LambdaCallback(
        on_train_batch_end=lambda callback: (
            seen.append(trainer.model.weight.tolist()), fail() if callback.state.epoch == 3 else None
        )
    )  # fmt: skip
    with pytest.raises(KeyError):
        trainer.fit(*data, epochs=4, callbacks=[StochasticWeightAveraging(1), watch], verbose=0)
    assert trainer.model.weight.tolist() == seen[-1]


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: EMA(1.0), "less than 1"),
        (lambda: StochasticWeightAveraging(0), "at least 1"),
        (lambda: StochasticWeightAveraging(1.5), "a fraction of 1"),
        (lambda: StochasticWeightAveraging(lr=-1.0), "lr must be at least 0"),
    ],
)
def test_bad_options(make_it, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_it()


def test_a_bare_engine_has_no_weights() -> None:
    engine = tk.engine.Engine(lambda engine, batch: None)
    with pytest.raises(ArgumentError, match=r"EMA has on_after_optimizer_step.*attach it to a Trainer"):
        engine.attach(EMA())
    engine.attach(StochasticWeightAveraging())
    with pytest.raises(ArgumentError, match="attach it to one"):
        engine.run([1])
