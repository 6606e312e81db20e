"""The DCGAN example as a user runs it, on drawn digits."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def run(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error::RuntimeWarning", str(ROOT / "examples" / "dcgan" / "train.py"), *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_few_steps_leave_pictures_in_the_event_file(tmp_path: Path) -> None:
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ["--drawn", "--limit", "70", "--batch-size", "16", "--epochs", "2", "--logdir", "logs"]
    done = run(*options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = [line.split() for line in done.stdout.splitlines()]
    assert table[0] == ["epoch", "discriminator", "generator"]
    assert [line[0] for line in table[1:3]] == ["1", "2"]
    assert all(0 < float(number) < 10 for line in table[1:3] for number in line[1:])

    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    assert [event.step for event in events.Scalars("generator/train")] == [4, 8]
    pictures = events.Images("samples")
    assert [picture.step for picture in pictures] == [0, 4, 8]
    grids = [np.asarray(Image.open(io.BytesIO(picture.encoded_image_string))) for picture in pictures]
    assert all(grid.shape[:2] == (238, 238) and grid.std() > 1 for grid in grids)
    assert (grids[0] != grids[2]).any()


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["--epochs", "0"], "expected a whole number of at least 1, got '0'", 2),
        (["--lr", "-1"], "expected a number above 0", 2),
        (["--drawn", "--limit", "9"], "9 images do not fill a batch of 64", 1),
    ],
)
def test_bad_options(options: list[str], message: str, code: int, tmp_path: Path) -> None:
    done = run(*options, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []
