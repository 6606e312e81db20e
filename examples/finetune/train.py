"""Fine-tune a ResNet that was trained on the digits 0 to 4 to the digits 5 to 9: a new head, then the trunk too."""

import argparse
import sys
from pathlib import Path

import numpy as np

import trainkit as tk
from trainkit import nn
from trainkit.callbacks import BestModelRestore, Callback, DiscriminativeLR, Freeze, TerminateOnNaN, Unfreeze
from trainkit.models import ResNet, resnet18

Images = tuple[np.ndarray, np.ndarray]


def main() -> int:
    """Train on the first digits, fine-tune to the others, and tell the accuracies."""
    options = parse_options()
    (source, source_test), (target, target_test) = load_digits(options)
    net = resnet18(num_classes=5, stem="cifar")

    print(f"Digits 0 to 4, {len(source[0])} images: the whole network learns.")
    trainer = tk.Trainer(net, ("adam", {"lr": options.lr}), "cross_entropy", ["accuracy"])
    fit(trainer, options, source, source_test, options.epochs)

    print(
        f"\nDigits 5 to 9, {len(target[0])} images: a new head on the frozen trunk, then all, at a tenth of the rate."
    )
    accuracy = fine_tune(net, options, target, target_test)
    print(f"Test accuracy on the digits 5 to 9: {100 * accuracy:.2f} % of {len(target_test[0])} images")
    return 0


def fine_tune(net: ResNet, options: argparse.Namespace, train: Images, test: Images) -> float:
    """Replace the head, train it on the frozen trunk, then both; return the accuracy of the best epoch."""
    net.fc = nn.Linear(net.fc.in_features, 5)
    trainer = tk.Trainer(net, ("adam", {"lr": options.lr}), "cross_entropy", ["accuracy"])
    callbacks = [
        Freeze(lambda name, tensor: not name.startswith("fc.")),
        Unfreeze(epoch=options.epochs + 1, lr_factor=0.1),
        DiscriminativeLR({"fc.*": 1.0, "layer[34].*": 0.5, "*": 0.2}),
        BestModelRestore("val_accuracy"),
        TerminateOnNaN(),
    ]
    fit(trainer, options, train, test, 2 * options.epochs, callbacks)
    return float(trainer.evaluate(*test)["accuracy"])


def fit(
    trainer: tk.Trainer,
    options: argparse.Namespace,
    train: Images,
    test: Images,
    epochs: int,
    callbacks: list[Callback] | None = None,
) -> None:
    """Train with a bar and a table."""
    trainer.fit(*train, batch_size=options.batch_size, epochs=epochs, validation_data=test, callbacks=callbacks or [])


def load_digits(options: argparse.Namespace) -> tuple[tuple[Images, Images], tuple[Images, Images]]:
    """Return training and test images of the first five digits, and of the others."""
    if options.drawn:
        train: tk.datasets.DigitImages = tk.datasets.SyntheticDigits(3 * options.limit)
        test: tk.datasets.DigitImages = tk.datasets.SyntheticDigits(max(options.limit, 100), train=False)
    else:
        train, test, message = tk.datasets.mnist_or_synthetic(options.data)
        if message:
            print(message)
    few = max(options.limit // 4, 1)
    first, second = (
        (prepared(train, digits, options.limit), prepared(test, digits, few)) for digits in (range(5), range(5, 10))
    )
    return first, second


def prepared(digits: tk.datasets.DigitImages, which: range, limit: int) -> Images:
    """Return images (N, 3, 14, 14), half as large and in three colours, and their classes (N,), from 0."""
    x, y = digits.arrays()
    chosen = np.isin(y, which).nonzero()[0][:limit]
    small = x[chosen].reshape(-1, 1, 14, 2, 14, 2).mean((3, 5))
    return small.repeat(3, axis=1), y[chosen] - which[0]


def positive(text: str) -> int:
    """Read a whole number of at least 1 from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--epochs", type=positive, default=2, metavar="N", help="Train the whole network, then the new head, and then "
        "both, for N epochs each. Default: 2.")  # fmt: skip
    add("--limit", type=positive, default=2000, metavar="N", help="Learn from N images of each five digits, and test "
        "on a quarter as many. Default: 2000.")  # fmt: skip
    add("--batch-size", type=positive, default=32, metavar="N", help="Take N images a step. Default: 32.")
    add("--lr", type=float, default=1e-3, metavar="RATE", help="Learn at this rate. Default: 0.001.")
    add("--seed", type=int, default=1, metavar="N", help="Repeat the run that belongs to this seed. Default: 1.")
    add("--data", type=Path, metavar="FOLDER", help="Take the four MNIST files from this folder; they are downloaded "
        "where they are missing. Default: the folder mnist in $TRAINKIT_DATA, or a cache folder.")  # fmt: skip
    add("--drawn", action="store_true", help="Learn from digits drawn by a generator of strokes instead of MNIST.")
    add("--threads", type=positive, metavar="N", help="Compute on N threads. Default: as many as there are cores.")
    options = parser.parse_args()
    if options.lr <= 0:
        parser.error(f"argument --lr: expected a number above 0, got {options.lr}")
    if options.threads is not None:
        tk.set_num_threads(options.threads)
    tk.manual_seed(options.seed)
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C.")
    except tk.TrainkitError as error:
        sys.exit(f"{type(error).__name__}: {error}")
