"""The fine-tuning example as a user runs it, on drawn digits."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "examples" / "finetune" / "train.py"
    command = [sys.executable, "-W", "error::RuntimeWarning", str(script), *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_a_short_run_prints_the_tables(tmp_path: Path) -> None:
    options = ["--drawn", "--limit", "32", "--epochs", "1", "--batch-size", "16", "--threads", "2"]
    done = run(*options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Digits 0 to 4, 32 images" in done.stdout
    assert "Digits 5 to 9, 32 images" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r"\s*\d+\s", line)]
    assert [row[0].split("/")[0] for row in rows] == ["1", "1", "2"]
    names = next(line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["epoch"])
    rates = [float(row[names.index("lr")]) for row in rows]
    assert rates == [0.001, 0.001, 0.0001], "the trunk is unfrozen with a lower rate"
    assert re.search(r"Test accuracy on the digits 5 to 9: \d+\.\d\d % of 8 images", done.stdout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--epochs", "0"], "expected a whole number of at least 1, got '0'"), (["--lr", "-1"], "a number above 0")],
)
def test_bad_options(options: list[str], message: str, tmp_path: Path) -> None:
    done = run(*options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
