"""Train PyTorch's MNIST network with Trainer and callbacks: a bar, a table, TensorBoard logs, checkpoints."""

import sys

from model import Net, load_digits, parse_options, straight_down, tell_accuracy

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import LearningRateScheduler, ModelCheckpoint, TensorBoardLogger


def main() -> int:
    """Train, evaluate, and tell the accuracy."""
    options = parse_options(__doc__)
    train, test = load_digits(options)

    net = Net()
    optimizer = optim.Adam(net.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, straight_down(options, len(train)))
    trainer = tk.Trainer(net, optimizer, nn.CrossEntropyLoss(), metrics=["accuracy"])
    trainer.fit(
        train,
        validation_data=tk.data.DataLoader(test, batch_size=1000),
        batch_size=options.batch_size,
        epochs=options.epochs,
        callbacks=[
            LearningRateScheduler(schedule, per="step"),
            TensorBoardLogger(options.logdir, every=50),
            ModelCheckpoint(options.logdir, monitor="val_accuracy"),
        ],
    )
    tell_accuracy(trainer.evaluate(test, batch_size=1000)["accuracy"], test)
    print(f"Logs and checkpoints: {options.logdir} (look at them with: tensorboard --logdir {options.logdir})")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(
            "\nStopped by Ctrl-C. Each complete epoch has left its checkpoint, last.safetensors, in the log folder."
        )
    except tk.TrainkitError as error:
        sys.exit(f"{type(error).__name__}: {error}")
