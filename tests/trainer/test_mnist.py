"""The callbacks that people use together, on real digits."""

import csv
import itertools
from pathlib import Path

import pytest

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, TensorBoardLogger


@pytest.mark.mnist
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mnist_with_the_usual_callbacks(mnist_folder: Path, tmp_path: Path) -> None:
    train = tk.data.Subset(tk.datasets.MNIST(mnist_folder, download=False), range(3000))
    valid = tk.data.Subset(tk.datasets.MNIST(mnist_folder, train=False, download=False), range(500))
    net = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 10)),
    )
    callbacks = [
        EarlyStopping("val_loss", patience=3, restore_best=True),
        ReduceLROnPlateau("val_loss", factor=0.3, patience=0),
        ModelCheckpoint(tmp_path / "run", monitor="val_accuracy"),
        TensorBoardLogger(tmp_path / "run"),
        CSVLogger(tmp_path / "run" / "log.csv"),
    ]
    trainer = tk.Trainer(net, ("adam", {"lr": 5e-3}), "cross_entropy", ["accuracy"])
    history = trainer.fit(train, validation_data=valid, batch_size=32, epochs=8, callbacks=callbacks, seed=1, verbose=0)
    best = history.best("val_loss")
    assert best["val_accuracy"] > 0.94
    assert trainer.evaluate(valid)["loss"] == pytest.approx(best["val_loss"], rel=1e-5), "the best weights are back"
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").read_text().splitlines()))
    assert [float(row["val_loss"]) for row in rows] == pytest.approx(history.to_dict()["val_loss"])
    rates = history.to_dict()["lr"]
    worse = [b["val_loss"] >= min(a["val_loss"] for a in history[: i + 1]) for i, b in enumerate(history[1:])]
    assert [b < a for a, b in itertools.pairwise(rates[1:])] == worse[: len(rates) - 2]
    kept = tk.load(callbacks[2].best_path)
    assert kept["history"]["epochs"][-1]["val_accuracy"] == max(history.to_dict()["val_accuracy"])
    assert list((tmp_path / "run").glob("events*"))
