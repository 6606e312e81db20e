"""The documents: what they show runs, what they link to is there."""

import re
import runpy
from pathlib import Path

import pytest

import trainkit as tk

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]


def test_the_readme_opens_with_the_two_commands() -> None:
    head = (ROOT / "README.md").read_text().split("```")[1].split()
    assert head[:2] == ["make", "mnist"]
    assert "make test" in (ROOT / "README.md").read_text().split("```")[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S):
        exec(compile(block, "README.md", "exec"), scope)
    assert scope["history"][-1]["val_accuracy"] > 0.8  # type: ignore[index]
    assert (tmp_path / "runs" / "first" / "best.safetensors").is_file()


def test_the_code_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "training.md").read_text()
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, "training.md", "exec"), scope)
    for name in re.findall(r"`(\w+)`", text.split("| to | there is |")[1].split("\n\n")[0]):
        assert hasattr(tk.callbacks, name), f"there is no callback {name}"


def test_the_code_of_the_page_on_profiling_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "profiling.md").read_text()
    scope: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        exec(compile(block, "profiling.md", "exec"), scope)
    head = text.split("```\nname")[1].splitlines()[0].split()
    assert ["name", *head] == str(scope["prof"]).splitlines()[0].split()
    assert (tmp_path / "trace.json").is_file()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_target_of_the_makefile_is_described() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"\.PHONY: (.*)", text).group(1).split()  # type: ignore[union-attr]
    assert set(re.findall(r"^([a-z]+):.*## ", text, re.M)) == set(phony)


def test_the_page_of_functions_is_that_of_the_code() -> None:
    make = runpy.run_path(str(ROOT / "docs" / "make_functions.py"))
    assert (ROOT / "docs" / "functions.md").read_text() == make["page"](), "run: python docs/make_functions.py"


def test_the_order_of_hooks_is_that_of_a_run() -> None:
    make = runpy.run_path(str(ROOT / "docs" / "make_hooks.py"))
    assert (ROOT / "docs" / "hooks.md").read_text() == make["page"](), "run: python docs/make_hooks.py"
