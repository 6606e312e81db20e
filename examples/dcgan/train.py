"""Train a DCGAN to draw digits: two networks against each other, under one Engine; the pictures go to TensorBoard."""

import argparse
import sys
import time
from pathlib import Path

from model import LATENT, Discriminator, Generator, draw_weights

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import EpochTable, ProgressBar, TensorBoardLogger
from trainkit.data import DataLoader, TensorDataset
from trainkit.engine import Engine, Events, Priority
from trainkit.metrics import Average


def main() -> int:
    """Train, and show a grid of samples after every epoch."""
    options = parse_options()
    images = load_images(options)
    loader = DataLoader(TensorDataset(images), batch_size=options.batch_size, shuffle=True, drop_last=True)

    generator, discriminator = Generator().apply(draw_weights), Discriminator().apply(draw_weights)
    optimizer_g = optim.Adam(generator.parameters(), lr=options.lr, betas=(0.5, 0.999))
    optimizer_d = optim.Adam(discriminator.parameters(), lr=options.lr, betas=(0.5, 0.999))
    loss = nn.BCEWithLogitsLoss()

    def step(engine: Engine, batch: tuple[tk.Tensor]) -> dict[str, float]:
        """Take a step of the discriminator, then one of the generator."""
        (real,) = batch
        yes, no = tk.ones(len(real)), tk.zeros(len(real))
        drawn = generator(tk.randn(len(real), LATENT, 1, 1))

        optimizer_d.zero_grad()
        loss_d = loss(discriminator(real), yes) + loss(discriminator(drawn.detach()), no)
        loss_d.backward()
        optimizer_d.step()

        optimizer_g.zero_grad()
        loss_g = loss(discriminator(drawn), yes)
        loss_g.backward()
        optimizer_g.step()
        return {"discriminator": loss_d.item(), "generator": loss_g.item()}

    trainer = Engine(step)
    for name in ("discriminator", "generator"):
        Average(lambda output, name=name: output[name]).attach(trainer, name)
    logger = TensorBoardLogger(options.logdir)
    trainer.attach(logger)
    trainer.attach(ProgressBar())
    trainer.attach(EpochTable())
    noise = tk.randn(64, LATENT, 1, 1)  # the same for all pictures, so that one sees them change

    @trainer.on(Events.STARTED | Events.EPOCH_COMPLETED, priority=Priority.LOGGERS)
    def show_samples(engine: Engine) -> None:
        generator.eval()
        with tk.no_grad():
            logger.add_images("samples", (generator(noise) + 1) / 2)
        generator.train()

    trainer.run(loader, max_epochs=options.epochs)
    print(f"Samples of every epoch: tensorboard --logdir {options.logdir}")
    return 0


def load_images(options: argparse.Namespace) -> tk.Tensor:
    """Return the images, (N, 1, 28, 28) in [-1, 1]: MNIST, or, where it cannot be had, drawn digits, and say so."""
    if options.drawn:
        digits: tk.datasets.DigitImages = tk.datasets.SyntheticDigits(options.limit)
    else:
        digits, _, message = tk.datasets.mnist_or_synthetic(options.data)
        if message:
            print(message)
    images, _ = digits.arrays(normalize=False)
    images = tk.from_numpy(images[: options.limit] * 2 - 1)
    if len(images) < options.batch_size:
        sys.exit(f"{len(images)} images do not fill a batch of {options.batch_size}: raise --limit")
    return images


def positive(text: str) -> int:
    """Read a whole number of at least 1 from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--epochs", type=positive, default=5, metavar="N", help="Go N times through the images. Default: 5.")
    add("--batch-size", type=positive, default=64, metavar="N", help="Take N images a step. Default: 64.")
    add("--lr", type=float, default=2e-4, metavar="RATE", help="Learn at this rate. Default: 0.0002.")
    add("--seed", type=int, default=1, metavar="N", help="Repeat the run that belongs to this seed. Default: 1.")
    add("--limit", type=positive, metavar="N", help="Take the first N images only. Default: all.")
    add("--data", type=Path, metavar="FOLDER", help="Take the four MNIST files from this folder; they are downloaded "
        "where they are missing. Default: the folder mnist in $TRAINKIT_DATA, or a cache folder.")  # fmt: skip
    add("--drawn", action="store_true", help="Learn from digits drawn by a generator of strokes instead of MNIST.")
    add("--logdir", type=Path, metavar="FOLDER", help="Write TensorBoard logs into this folder. Default: a new folder "
        "in runs/.")  # fmt: skip
    add("--threads", type=positive, metavar="N", help="Compute on N threads. Default: as many as there are cores.")
    options = parser.parse_args()
    if options.lr <= 0:
        parser.error(f"argument --lr: expected a number above 0, got {options.lr}")
    if options.logdir is None:
        options.logdir = Path("runs") / time.strftime("dcgan-%Y%m%d-%H%M%S")
    if options.threads is not None:
        tk.set_num_threads(options.threads)
    tk.manual_seed(options.seed)
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C; the samples of each complete epoch are in the log folder.")
    except tk.TrainkitError as error:
        sys.exit(f"{type(error).__name__}: {error}")
