"""The MNIST examples as a user runs them: in a process of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "mnist"


def run(script: str, *options: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::RuntimeWarning", str(EXAMPLES / script), *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.mnist
@pytest.mark.parametrize("script", ["train.py", "engine_loop.py"])
def test_dry_run(script: str, mnist_folder: Path, tmp_path: Path) -> None:
    done = run(script, "--data", str(mnist_folder), "--dry-run", "--epochs", "2", "--logdir", "logs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Test accuracy: \d+\.\d\d % of 256 images", done.stdout)
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))
    assert "\r" not in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.mnist
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_logs_of_the_example(mnist_folder: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run("train.py", "--data", str(mnist_folder), "--dry-run", "--epochs", "2", "--logdir", "logs", cwd=tmp_path)
    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    for tag in ("loss/train", "loss/valid", "accuracy/train", "accuracy/valid", "lr"):
        assert [event.step for event in events.Scalars(tag)] == [4, 8]
    assert {path.name for path in (tmp_path / "logs").glob("*.safetensors")} == {
        "best.safetensors",
        "last.safetensors",
    }


@pytest.mark.mnist
def test_the_same_seed_gives_the_same_figures_bit_for_bit(mnist_folder: Path, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        done = run("train.py", "--data", str(mnist_folder), "--dry-run", "--logdir", name, "--seed", "5", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        import trainkit as tk

        files.append(tk.load(tmp_path / name / "last.safetensors")["model"])
    assert all(first.tobytes() == second.tobytes() for first, second in zip(*[f.values() for f in files], strict=True))


@pytest.mark.mnist
def test_a_run_goes_on(mnist_folder: Path, tmp_path: Path) -> None:
    common = ["--data", str(mnist_folder), "--dry-run", "--logdir", "logs"]
    run("train.py", *common, "--epochs", "1", cwd=tmp_path)
    done = run("train.py", *common, "--epochs", "2", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line[:5].strip().isdigit()] == ["2"]
    assert len((tmp_path / "logs" / "log.csv").read_text().splitlines()) == 3
    assert "name the folder of the run with --logdir" in run("train.py", "--resume", cwd=tmp_path).stderr


def test_without_files_and_network_it_says_so_and_draws_digits(tmp_path: Path) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "TRAINKIT_DATA": ""}
    nowhere |= {key.lower(): value for key, value in nowhere.items() if "PROXY" in key}
    options = ["--dry-run", "--epochs", "1", "--data", str(tmp_path / "empty"), "--logdir", "logs"]
    done = run("train.py", *options, cwd=tmp_path, **nowhere)
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    assert "not MNIST" in first or "SyntheticDigits" in first or "drawn" in first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--speed", "9"], "unrecognized arguments: --speed 9"),
        (["--epochs", "0"], "expected a whole number of at least 1, got '0'"),
        (["--lr", "-1"], "expected a number above 0"),
    ],
)
def test_bad_options(options: list[str], message: str, tmp_path: Path) -> None:
    done = run("train.py", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.mnist
def test_the_network_learns_the_real_digits(mnist_folder: Path) -> None:
    """Twice a fifth of the images: the whole road on real input, in seconds."""
    import trainkit as tk
    from trainkit import nn

    train, test = tk.datasets.MNIST(mnist_folder), tk.datasets.MNIST(mnist_folder, train=False)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 6 * 6, 10)),
    )
    trainer = tk.Trainer(net, ("adam", {"lr": 2e-3}), "cross_entropy", ["accuracy"])
    part = tk.data.Subset(train, range(12_000))
    history = trainer.fit(part, batch_size=64, epochs=2, validation_data=test, seed=0, verbose=0)
    assert history[1]["val_accuracy"] > 0.965


@pytest.mark.mnist
def test_a_log_folder_that_cannot_be_written(mnist_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("train.py", "--data", str(mnist_folder), "--dry-run", "--logdir", "file/logs", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot write TensorBoard logs into file/logs" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_in_whole_sentences(tmp_path: Path) -> None:
    text = run("train.py", "--help", cwd=tmp_path).stdout
    for option in ("--epochs", "--batch-size", "--lr", "--seed", "--data", "--logdir", "--dry-run", "--threads"):
        assert option in text
    assert text.count(".") > 10
