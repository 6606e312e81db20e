"""The network and the options that both MNIST examples share."""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import trainkit as tk
from trainkit import nn


class Net(nn.Module):
    """The network of PyTorch's own MNIST example: (N, 1, 28, 28) images to (N, 10) logits."""

    def __init__(self) -> None:
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: tk.Tensor) -> tk.Tensor:
        """Map images to logits."""
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        x = self.dropout1(nn.functional.max_pool2d(x, 2))
        x = self.fc1(x.flatten(1)).relu()
        return self.fc2(self.dropout2(x))


def straight_down(options: argparse.Namespace, images: int) -> Callable[[int], float]:
    """Return the factor of the learning rate at each step: from 1 in a straight line to 0 at the end of the run."""
    total = options.epochs * math.ceil(images / options.batch_size)
    return lambda step: max(1 - step / total, 0.0)


def positive(text: str) -> int:
    """Read a whole number of at least 1 from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def parse_options(description: str | None, epochs: int, lr: float, resumes: bool = False) -> argparse.Namespace:
    """Read the command line; `epochs` and `lr` are the defaults."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    add = parser.add_argument
    add(
        "--epochs",
        type=positive,
        default=epochs,
        metavar="N",
        help=f"Go N times through the training images. Default: {epochs}.",
    )
    add("--batch-size", type=positive, default=64, metavar="N", help="Take N images a step. Default: 64.")
    add(
        "--lr",
        type=float,
        default=lr,
        metavar="RATE",
        help=f"Begin with this learning rate; it falls in the run. Default: {lr}.",
    )
    add(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="Repeat the run that belongs to this seed. Default: 1.",
    )
    add("--data", type=Path, metavar="FOLDER", help="Take the four MNIST files from this folder; they are downloaded "
        "where they are missing. Default: the folder mnist in $TRAINKIT_DATA, or a cache folder.")  # fmt: skip
    add("--logdir", type=Path, metavar="FOLDER", help="Write TensorBoard logs and checkpoints into this folder. "
        "Default: a new folder in runs/.")  # fmt: skip
    if resumes:
        add("--resume", action="store_true", help="Go on with the run whose checkpoints are in --logdir.")
    add("--dry-run", action="store_true", help="Train on a few batches only, to see that everything works.")
    add(
        "--threads",
        type=positive,
        metavar="N",
        help="Compute on N threads. Default: as many as there are cores.",
    )
    options = parser.parse_args()
    if options.lr <= 0:
        parser.error(f"argument --lr: expected a number above 0, got {options.lr}")
    if resumes and options.resume and options.logdir is None:
        parser.error("argument --resume: name the folder of the run with --logdir")
    if options.logdir is None:
        options.logdir = Path("runs") / time.strftime("mnist-%Y%m%d-%H%M%S")
    if options.threads is not None:
        tk.set_num_threads(options.threads)
    tk.manual_seed(options.seed)
    return options


def load_digits(options: argparse.Namespace) -> tuple[tk.datasets.DigitImages, tk.datasets.DigitImages]:
    """Return training and test images: MNIST, or, where it cannot be had, drawn digits, and say so."""
    train, test, message = tk.datasets.mnist_or_synthetic(options.data)
    if message:
        print(message)
    if options.dry_run:
        few = range(4 * options.batch_size)
        return tk.data.Subset(train, few), tk.data.Subset(test, few)  # type: ignore[return-value]
    return train, test


def tell_accuracy(accuracy: float, test: tk.datasets.DigitImages) -> None:
    """Print the last line: how many of which images are right."""
    source = getattr(test, "source", "a few images")  # a dry run has but a part of the set
    print(f"Test accuracy: {100 * accuracy:.2f} % of {len(test)} images ({source})")
