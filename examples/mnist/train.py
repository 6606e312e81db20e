"""Train PyTorch's MNIST network with Trainer and callbacks: a bar, a table, TensorBoard logs, checkpoints."""

import sys

from model import Net, load_digits, parse_options, tell_accuracy

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, TensorBoardLogger


def main() -> int:
    """Train, evaluate, and tell the accuracy."""
    options = parse_options(__doc__, epochs=5, lr=1e-3, resumes=True)
    train, test = load_digits(options)

    net = Net()
    optimizer = optim.Adam(net.parameters(), lr=options.lr)
    trainer = tk.Trainer(net, optimizer, nn.CrossEntropyLoss(), metrics=["accuracy"])
    trainer.fit(
        train,
        validation_data=tk.data.DataLoader(test, batch_size=1000),
        batch_size=options.batch_size,
        epochs=options.epochs,
        callbacks=[
            ReduceLROnPlateau("val_loss", factor=0.2, patience=0),
            EarlyStopping("val_loss", patience=3, restore_best=True),
            ModelCheckpoint(options.logdir, monitor="val_accuracy"),
            TensorBoardLogger(options.logdir, every=50),
            CSVLogger(options.logdir / "log.csv"),
        ],
        resume=options.logdir if options.resume else None,
    )
    tell_accuracy(trainer.evaluate(test, batch_size=1000)["accuracy"], test)
    print(f"Logs and checkpoints: {options.logdir} (look at them with: tensorboard --logdir {options.logdir})")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(
            "\nStopped by Ctrl-C. What was learned is in the log folder; with --resume --logdir FOLDER the run goes on."
        )
    except tk.TrainkitError as error:
        sys.exit(f"{type(error).__name__}: {error}")
