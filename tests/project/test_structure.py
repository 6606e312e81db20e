"""What linters cannot say of the project."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trainkit
from trainkit import autograd
from trainkit.autograd.op import OPS

ROOT = Path(trainkit.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
MODULES = sorted(m.name for m in pkgutil.walk_packages(trainkit.__path__, "trainkit."))


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("name", ["trainkit", *MODULES])
def test_all_is_complete_and_importable(name: str) -> None:
    module = importlib.import_module(name)
    if name.endswith(".ops"):
        return
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, public) for public in module.__all__)
    defined = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name and callable(value)
    }
    left_out = {key for key in defined - set(module.__all__) if not _is_shared_helper(name, key)}
    assert not left_out, "a public name is in __all__, or begins with an underscore"


def _is_shared_helper(module: str, name: str) -> bool:
    """Tell whether another module of the same room uses the name: public to the room, not to the user."""
    package = module.split(".")[1]
    room = ROOT / package if (ROOT / package).is_dir() else ROOT
    uses = f"import {name}", f", {name}", f"    {name},", f".{name}("
    own = ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return any(any(use in path.read_text() for use in uses) for path in room.rglob("*.py") if path != own)


def imports_of(path: Path) -> set[str]:
    """Return the top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_engine_knows_no_arrays() -> None:
    for path in (ROOT / "engine").glob("*.py"):
        # numpy's global generator is among those that a deterministic engine seeds
        arrays = {"numba"} if path.name == "deterministic.py" else {"numpy", "numba"}
        assert not imports_of(path) & arrays, path


def test_only_the_kernels_import_numba() -> None:
    users = {path.relative_to(ROOT).parts[0] for path in SOURCES if imports_of(path) & {"numba", "llvmlite"}}
    assert users == {"kernels"}


def test_the_public_names_are_those_of_the_rooms() -> None:
    from trainkit.autograd import functions

    assert set(autograd.__all__) | set(functions.__all__) <= set(trainkit.__all__)


def test_type_checkers_see_the_public_names(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import trainkit as tk\nx = tk.stack([tk.zeros(2), tk.linspace(0, 1, 2)]).exp()\ntk.sum(x, 0)\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(script)],
        cwd=ROOT.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_op_has_a_row() -> None:
    from tests.autograd.function_table import ROWS as FUNCTIONS
    from tests.autograd.op_table import ROWS

    ours = {row.name for row in ROWS}
    assert ours <= set(OPS)
    assert not set(OPS) - ours - {row.name.rsplit(".", 1)[-1] for row in FUNCTIONS}


def test_every_public_function_of_tensors_has_a_row() -> None:
    """An alias is covered by the row of the function that it names."""
    from tests.autograd.function_table import ROWS
    from trainkit.autograd import functions

    covered = {id(found) for row in ROWS if (found := public(row.name)) is not None}
    missing = [name for name in functions.__all__ if id(public(name)) not in covered]
    missing += [f"linalg.{name}" for name in trainkit.linalg.__all__ if id(public(f"linalg.{name}")) not in covered]
    missing += [f"special.{name}" for name in trainkit.special.__all__ if id(public(f"special.{name}")) not in covered]
    assert not missing


def public(name: str) -> Any:
    """What users find under a dotted name, or None."""
    found: Any = trainkit
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def test_importing_needs_no_extra_and_no_compiler() -> None:
    """Import in a process where the extras are missing and compiling is an error; time is not asserted here."""
    code = (
        "import sys\n"
        "for name in ('pooch', 'matplotlib', 'tensorboard', 'torch', 'ignite', 'pytest'):\n"
        "    sys.modules[name] = None\n"
        "import trainkit, numba.core.compiler as c\n"
        "def refuse(*a, **k): raise SystemExit('compiled at import')\n"
        "c.compile_extra = refuse\n"
        "import trainkit.trainer\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_classes_stay_small() -> None:
    """No class has more than 20 public methods of its own, but the Tensor, the Module and the hooks of a callback."""
    allowed = {"Tensor", "TensorCasts", "ShapingMethods", "Module", "Callback"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in allowed:
                public = [f for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")]
                assert len(public) <= 20, f"{path}: {node.name}"


def test_errors_are_trainkits_and_a_builtin() -> None:
    from trainkit import errors

    builtin = (RuntimeError, ValueError, IndexError, TypeError, OSError, ImportError)
    for name in errors.__all__:
        cls = getattr(errors, name)
        assert issubclass(cls, errors.TrainkitError)
        assert cls is errors.TrainkitError or issubclass(cls, builtin)
