"""Whole processes: the first step, an epoch of MNIST, and the first run on a machine."""

import os
import re
import tempfile
from pathlib import Path

from benchmarks.process import ENVIRONMENT, ROOT, MeasurementError, python
from benchmarks.workloads import Workload

__all__ = ["EPOCHS", "FIRST", "cold_run", "first_step", "whole_epoch"]


def _never(library: str) -> None:
    raise NotImplementedError("a whole process is not made and repeated")


FIRST = Workload("process start to the end of the first step, MNIST network", _never, "s")
_EPOCH = "a script: one epoch of MNIST with accuracy and a bar, from process start to the test accuracy"
EPOCHS = {
    f"mnist_{peer}": Workload(_EPOCH, _never, "s", peer=f"torch + {peer}", against=peer)
    for peer in ("ignite", "poutyne")
}


def first_step(library: str) -> float:
    """Return the seconds from the start of a process to the end of its first training step."""
    return python("-c", f"from benchmarks.workloads import example_net; example_net({library!r})()")[0]


def whole_epoch(library: str, folder: str) -> float:
    """Return the seconds of a process that trains an epoch on MNIST and evaluates."""
    seconds, output, _ = python("-c", f"from benchmarks.fit import mnist; mnist({library!r}, {folder!r})")
    accuracy = float(output.split()[-1])
    if accuracy < 0.97:
        raise MeasurementError(f"{library} reached an accuracy of {accuracy} only: this is no fair comparison")
    return seconds


def cold_run() -> tuple[float, float, str]:
    """Return the seconds of the MNIST example's dry run with an empty cache, of the next, and what the first said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {key: value for key, value in ENVIRONMENT.items() if key != "TRAINKIT_QUIET"}
        environment["TRAINKIT_CACHE"] = name

        def dry_run() -> tuple[float, str, str]:
            script, logs = str(ROOT / "examples" / "mnist" / "train.py"), str(folder / "logs")
            path = os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
            options = {"env": {**environment, "PYTHONPATH": path}, "cwd": name}
            return python(script, "--dry-run", "--epochs", "1", "--logdir", logs, **options)

        # Where there are no images they are downloaded or drawn, which is not to be timed; both need no kernels.
        python("-c", "import trainkit; trainkit.datasets.mnist_or_synthetic()", env=environment)
        cold, _, errors = dry_run()
        said = re.search(r"\d+ kernels in [\d.]+ s", errors)
        return cold, dry_run()[0], said.group() if said else "nothing"
