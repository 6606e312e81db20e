"""Train PyTorch's MNIST network with Engine and decorators alone: every step of the loop in sight."""

import sys

from model import Net, load_digits, parse_options, straight_down, tell_accuracy
from tqdm.auto import tqdm

import trainkit as tk
from trainkit import nn, optim
from trainkit.callbacks import TensorBoardLogger
from trainkit.data import DataLoader
from trainkit.engine import Engine, Events, Span
from trainkit.engine.supervised import create_supervised_evaluator, create_supervised_trainer
from trainkit.metrics import Accuracy, Average, Loss


def main() -> int:
    """Train, evaluate after every epoch, and tell the accuracy."""
    options = parse_options(__doc__, epochs=3, lr=2e-3)
    train, test = load_digits(options)
    loader = DataLoader(train, batch_size=options.batch_size, shuffle=True)

    net = Net()
    optimizer = optim.Adam(net.parameters(), lr=options.lr)
    schedule = optim.lr_scheduler.LambdaLR(optimizer, straight_down(options, len(train)))
    loss = nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(
        net, optimizer, loss, output_transform=lambda x, y, y_pred, loss: (loss.item(), len(y))
    )
    Average().attach(trainer, "loss")
    evaluator = create_supervised_evaluator(net, {"accuracy": Accuracy(), "loss": Loss(loss)})

    @trainer.during(Span.EPOCH)
    def bar(engine: Engine):
        with (
            tqdm(total=engine.state.epoch_length, desc=f"Epoch {engine.state.epoch}", leave=False, disable=None) as bar,
            engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: bar.update()),
        ):
            yield

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate(engine: Engine) -> None:
        evaluator.run(DataLoader(test, batch_size=1000))
        engine.state.metrics.update({f"val_{name}": value for name, value in evaluator.state.metrics.items()})
        engine.state.metrics["lr"] = schedule.get_last_lr()[0]
        print(f"epoch {engine.state.epoch}: " + ", ".join(f"{k} {v:.4g}" for k, v in engine.state.metrics.items()))

    @trainer.on(Events.ITERATION_COMPLETED)
    def change_the_rate() -> None:
        schedule.step()

    trainer.attach(TensorBoardLogger(options.logdir))
    trainer.run(loader, max_epochs=options.epochs)
    tell_accuracy(evaluator.state.metrics["accuracy"], test)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped by Ctrl-C.")
    except tk.TrainkitError as error:
        sys.exit(f"{type(error).__name__}: {error}")
