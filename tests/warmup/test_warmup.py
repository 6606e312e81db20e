"""Compiling ahead: the rows need every kernel there is, and what training needs afterwards is there."""

import dis
import importlib
import os
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from trainkit import kernels
from trainkit.kernels.jit import KERNELS
from trainkit.warmup import ROWS
from trainkit.warmup.__main__ import main

# Kernels of float32 alone.
FLOAT32 = {f"activation._activation{end}" for end in ("", "_all", "_grad", "_grad_all")}
FLOAT32 |= {f"winograd.{name}" for name in ("_filters_all", "_convolve_all")}
FLOAT32 |= {"winograd_weight._correlate_all"}
NO_FLOATS = {"fused._measure", "loss._are_classes", "workers.launch", "workers.serve"}

SIGNATURES = """
import sys
from trainkit.kernels.jit import KERNELS
from trainkit.warmup import ROWS, run_row

def signatures():
    return {name: set(map(str, getattr(made, "compiled", made).signatures)) for name, made in KERNELS.items()}

for name in ROWS:
    for dtype in ("float32", "float64"):
        run_row(name, dtype)
before = signatures()
"""

TRAINING = """
import trainkit as tk
from trainkit import nn

tk.manual_seed(0)
x, y = tk.randn(8, 1, 28, 28), tk.randint(0, 10, (8,))
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, stride=2),
    nn.GroupNorm(4, 16), nn.GELU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.LayerNorm(144),
    nn.Linear(144, 10),
)
for size, maker in ((8, tk.optim.Adam), (4, lambda params: tk.optim.SGD(params, 0.01, 0.9))):
    trainer = tk.Trainer(net, maker(net.parameters()), "cross_entropy", ["accuracy"])
    trainer.fit(x, y, epochs=1, batch_size=size, validation_data=(x, y), verbose=0)
net.double()
loss = nn.functional.cross_entropy(net(x.double()), y, label_smoothing=0.1)
loss.backward()
tk.optim.Adam(net.parameters()).step()
new = {name: found - before[name] for name, found in signatures().items() if found - before[name]}
assert not new, new
"""


def classes_of(module):
    return [thing for thing in vars(module).values() if isinstance(thing, type) and thing.__module__ == module.__name__]


def called_from_python():
    """The kernels that a plain function or a method of the room names, and those that only other kernels call."""
    names = {id(made): name for name, made in KERNELS.items()}

    def named(function):
        codes = [function.__code__]
        while codes:
            code = codes.pop()
            codes += [part for part in code.co_consts if isinstance(part, types.CodeType)]
            used = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
            yield from (found for name in used if (found := names.get(id(function.__globals__.get(name)))))

    modules = [
        importlib.import_module(found.name) for found in pkgutil.iter_modules(kernels.__path__, "trainkit.kernels.")
    ]
    holders = [(module, holder) for module in modules for holder in (module, *classes_of(module))]
    plain = [
        function
        for module, holder in holders
        for thing in vars(holder).values()
        for function in [thing.__wrapped__ if hasattr(thing, "cache_info") else thing]
        if isinstance(function, types.FunctionType) and function.__module__ == module.__name__
    ]
    direct = {name for function in plain for name in named(function)}
    within = {name for made in KERNELS.values() for name in named(getattr(made, "compiled", made).py_func)}
    return direct, within


def test_the_rows_need_every_kernel_and_training_needs_no_other():
    direct, within = called_from_python()
    ours = {
        name
        for name, made in KERNELS.items()
        if getattr(made, "compiled", made).py_func.__module__.startswith("trainkit.")  # others are those of tests
    }
    assert direct | within == ours, "a kernel that nobody calls"
    program = SIGNATURES + TRAINING + "print(repr(before))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False,
        env=os.environ | {"TRAINKIT_QUIET": "1", "NUMBA_NUM_THREADS": "4"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    compiled = eval(done.stdout)
    missing = {}
    for name in sorted(direct):
        wanted = set() if name in NO_FLOATS else {"float32"} if name in FLOAT32 else {"float32", "float64"}
        found = " ".join(compiled[name])
        absent = {dtype for dtype in wanted if dtype not in found}
        if absent or not found:
            missing[name] = absent
    assert not missing, "these kernels want a call in trainkit/warmup/rows.py"


def start(cache: Path, *arguments: str, **variables: str):
    """Run the command with a table of one row, so that a cold cache costs seconds and not minutes."""
    program = (
        "import sys\n"
        "from trainkit.warmup import rows, __main__ as command\n"
        "command.ROWS = {'scans': rows.ROWS['scans']}  # what is listed; run_row has the rest\n"
        f"sys.exit(command.main({list(arguments)!r}))\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRAINKIT_")}
    environment |= {"TRAINKIT_CACHE": str(cache), "PYTHONWARNINGS": "error"} | variables
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "trainkit: compil" not in done.stderr, "the command has a progress line of its own"
    return done.stdout.splitlines(), done.stderr


def test_the_command(tmp_path):
    (result, where), progress = start(tmp_path, "--dtype", "float32")
    assert result.startswith("compiled ")
    assert result.endswith("were there)")
    assert where.startswith(f"they lie in {tmp_path / 'kernels'}")
    assert "100%" in progress
    assert "1/1" in progress
    (again, _), _ = start(tmp_path, "--dtype", "float32")
    assert again.startswith("nothing to compile: all ")
    (other, _), _ = start(tmp_path)
    assert other.startswith("compiled "), "float64 is new"


def test_a_cache_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be: not even root can write into it")
    (result, where, advice), _ = start(blocked, "--dtype", "float32", TMPDIR=str(tmp_path))
    assert result.startswith("compiled ")
    assert str(tmp_path / "trainkit-") in where
    assert f"{blocked / 'kernels'}" in advice
    assert "TRAINKIT_CACHE" in advice


def test_the_list_and_wrong_options(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == list(ROWS)
    assert lines[-1].startswith(f"cache: {kernels.cache_info().folder}")
    with pytest.raises(SystemExit) as error:
        main(["--dtype", "float16"])
    assert error.value.code == 2
