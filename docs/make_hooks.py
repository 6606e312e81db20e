"""Write hooks.md: the order of all hooks of a callback, as a run tells it. `python docs/make_hooks.py`."""

from pathlib import Path
from typing import Any

import trainkit as tk
from trainkit.callbacks import Callback

PAGE = Path(__file__).parent / "hooks.md"
HOOKS = [name for name in vars(Callback) if name.startswith(("on_", "around_"))]


class Recorder(Callback):
    """Overrides every hook and writes down that it was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []


def _hook(name: str) -> Any:
    def hook(self: Recorder, *error: BaseException) -> None:
        self.calls.append(name)

    def span(self: Recorder) -> Any:
        self.calls.append(f"{name}: begins")
        try:
            yield
        finally:
            self.calls.append(f"{name}: ends")

    return span if name.startswith("around_") else hook


for _name in HOOKS:
    setattr(Recorder, _name, _hook(_name))


def record(run: Any) -> list[str]:
    """Return the hooks that are called while `run(trainer)` runs."""
    recorder = Recorder()
    trainer = tk.Trainer(tk.nn.Linear(2, 2), "sgd", "cross_entropy", callbacks=[recorder])
    try:
        run(trainer)
    except (KeyError, KeyboardInterrupt):
        recorder.calls.append("(the error goes on)")
    return recorder.calls


def raises(error: type[BaseException]) -> Any:
    """Return a run whose first step raises."""
    x, y = tk.zeros(4, 2), tk.zeros(4).long()

    def fail() -> None:
        raise error

    def run(trainer: tk.Trainer) -> None:
        callback = tk.callbacks.LambdaCallback(on_backward_end=fail)
        trainer.fit(x, y, callbacks=[callback], verbose=0)

    return run


def runs() -> dict[str, list[str]]:
    """Return the hooks of each kind of run, in order."""
    x, y = tk.zeros(4, 2), tk.zeros(4).long()
    return {
        "`fit(x, y, batch_size=2, accumulate=2, validation_data=(x, y))`: two batches make one step": record(
            lambda trainer: trainer.fit(x, y, batch_size=2, accumulate=2, validation_data=(x, y), verbose=0)
        ),
        "`evaluate(x, y)`": record(lambda trainer: trainer.evaluate(x, y)),
        "`predict(x)`": record(lambda trainer: trainer.predict(x)),
        "an error in the first step": record(raises(KeyError)),
        "Ctrl-C in the first step": record(raises(KeyboardInterrupt)),
    }


def page() -> str:
    """Return the text of the page."""
    meaning = "\n".join(f"| `{name}` | {getattr(Callback, name).__doc__.splitlines()[0]} |" for name in HOOKS)
    lines = [
        "# The hooks of a callback",
        "",
        "Written by `python docs/make_hooks.py` from runs; a test compares.",
        "",
        "| hook | when |",
        "|---|---|",
        meaning,
        "",
        "Within one hook, callbacks run in bands: plain ones, then those that monitor (`Priority.MONITORS`), then",
        "loggers, then checkpoints; within a band those of the Trainer first, then those of `fit`, in their order.",
    ]
    for title, calls in runs().items():
        lines += ["", f"## {title[0].upper() + title[1:]}", ""]
        lines += [f"{number}. {call}" for number, call in enumerate(calls, 1)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
