"""What all tests share: a seed, how examples are drawn, and the way to the real MNIST."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import InMemoryExampleDatabase

import trainkit as tk

# A shell that starts the tests in the background lets them ignore Ctrl-C, and what they start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pyproject.toml fixes the seed, so that every run on every machine draws the same examples; others are drawn with
# `make test ARGS=--hypothesis-seed=random`. There must be a database: Hypothesis' own profile for CI has none, and then
# looks settings up through one more level for each set of parameters, until the stack is full.
settings.register_profile(
    "repeat",
    deadline=None,
    derandomize=False,
    database=InMemoryExampleDatabase(),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("repeat")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Begin every test at the same random numbers."""
    tk.manual_seed(0)


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of the real MNIST files, or a skip that says how to give it."""
    folder = Path(os.environ.get("TRAINKIT_DATA", "")) / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").is_file() and not (folder / "train-images-idx3-ubyte").is_file():
        pytest.skip("set TRAINKIT_DATA to the folder that holds mnist/ to run this test")
    return folder
