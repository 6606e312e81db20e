"""What all tests share: a seed, and the way to the real MNIST."""

import os
from pathlib import Path

import pytest

import trainkit as tk


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
