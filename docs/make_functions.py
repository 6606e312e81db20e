"""Write docs/functions.md: every function and method of tensors, its name in PyTorch, and what differs.

    python docs/make_functions.py

The names come from the library, the gradients from the table that the tests run, the differences from the docstrings:
lines that begin with "Differs from PyTorch:".
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import trainkit as tk  # noqa: E402
from tests.autograd.function_table import ROWS  # noqa: E402
from trainkit.autograd import functions  # noqa: E402

HEAD = """# Functions of tensors

Written by `python docs/make_functions.py`; a test holds it to the code. Every function stands under PyTorch's name with
PyTorch's arguments: `torch.exp` is `trainkit.exp`. The column *gradient* says how often a function can be
differentiated; *method* and *in place* whether tensors have it as `x.exp()` and `x.exp_()`.

What differs everywhere: there is no `out=`; dtypes are numpy's (`trainkit.float32 == numpy.dtype("float32")`), shapes
print as tuples, the only device is the CPU; complex, quantized and sparse tensors are not there, nor bfloat16. Random
streams repeat with the seed, but are not PyTorch's. Errors are `TrainkitError`s and also the builtins that PyTorch
raises. Adding and multiplying infinities warns as numpy does where it makes NaN.
"""

COLUMNS = """| trainkit | PyTorch | method | in place | gradient | what it does | what differs |
|---|---|---|---|---|---|---|"""


def public(name: str) -> Any:
    """Return what users find under a dotted name."""
    found: Any = tk
    for part in name.split("."):
        found = getattr(found, part)
    return found


def gradients() -> dict[int, str]:
    """Return for each function of the table, by its identity, how often it can be differentiated."""
    found: dict[int, str] = {}
    for row in ROWS:
        times = "no" if not row.differentiable else "twice" if row.twice else "once"
        key = id(public(row.name))
        found[key] = max(found.get(key, "no"), times, key=["no", "once", "twice"].index)
    return found


def differences(thing: Any) -> str:
    """Return what a docstring says of differences, on one line."""
    text = inspect.getdoc(thing) or ""
    parts = re.findall(r"Differs from PyTorch: (.*?)(?:\n\s*\n|\Z)", text, re.DOTALL)
    return " ".join(re.sub(r"\s+", " ", part) for part in parts).strip().replace("|", "\\|")


def first_sentence(thing: Any) -> str:
    """Return the first line of a docstring."""
    return ((inspect.getdoc(thing) or "").split("\n")[0]).replace("|", "\\|")


def line(name: str, known: dict[int, str]) -> str:
    """Return a line of a table."""
    thing, short = public(name), name.rsplit(".", 1)[-1]
    cells = [
        f"`{name}`",
        f"`torch.{name}`",
        "yes" if hasattr(tk.Tensor, short) else "",
        "yes" if hasattr(tk.Tensor, short + "_") else "",
        known.get(id(thing), ""),
        first_sentence(thing),
        differences(thing),
    ]
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """Return the page."""
    known = gradients()
    parts = [HEAD]

    def section(title: str, names: list[str]) -> None:
        parts.append("\n".join([f"## {title}\n", COLUMNS, *[line(name, known) for name in names], ""]))

    for _, module in inspect.getmembers(functions, inspect.ismodule):
        if set(module.__all__) <= set(functions.__all__):
            section(re.split(r"[.:;,](?:\s|$)", (module.__doc__ or "").strip())[0], sorted(module.__all__))
    for space in ("linalg", "special", "nn.functional"):
        members = [name for name in sorted(public(space).__all__) if callable(getattr(public(space), name))]
        section(f"trainkit.{space}", [f"{space}.{name}" for name in members])
    inner = set(dir(tk.autograd.TensorBase)) - {"grad"}
    methods = [name for name in dir(tk.Tensor) if not name.startswith("_") and not name.endswith("_")]
    rest = [f"Tensor.{name}" for name in methods if not hasattr(tk, name) and name not in inner]
    section("Methods and attributes of Tensor that are no functions", rest)
    return "\n".join(parts)


if __name__ == "__main__":
    (ROOT / "docs" / "functions.md").write_text(page(), encoding="utf-8")
