# Two commands are enough on a fresh machine with Python >= 3.11 and make:
#   make mnist     install, then train the MNIST example
#   make test      install, then run all tests
# `make help` lists the rest.

PYTHON ?= python3
VENV   ?= .venv
ORACLE ?= .venv-oracle
JOBS   ?= 2
bin    := $(VENV)/bin
stamp  := $(VENV)/.stamp
pip    := -m pip install --quiet --disable-pip-version-check

# The MNIST folder of a checkout that has one beside it; a user's own TRAINKIT_DATA comes first.
ifneq ($(wildcard ../shared/data/mnist),)
export TRAINKIT_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help mnist test check lint types layers doctest oracle bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

mnist: $(stamp)-datasets ## install, then train the MNIST example to the end
	$(bin)/python examples/mnist/train.py $(ARGS)

test: $(stamp)-dev ## install, then run all tests
	$(bin)/python -m pytest -n $(JOBS) $(ARGS)

check: lint types layers test doctest ## everything that must pass before a change lands

lint: $(stamp)-dev ## ruff: lint and format
	$(bin)/ruff check .
	$(bin)/ruff format --check .

types: $(stamp)-dev ## mypy, strict, on trainkit/
	$(bin)/mypy

layers: $(stamp)-dev ## import-linter: the rooms of docs/architecture.md
	$(bin)/lint-imports

doctest: $(stamp)-dev ## run the examples in the docstrings
	$(bin)/python -m pytest -q --doctest-modules trainkit

oracle: $(ORACLE)/.stamp ## compare with PyTorch and pytorch-ignite, in an environment of their own
	$(ORACLE)/bin/python -m pytest -m oracle -n $(JOBS) $(ARGS)

bench: $(ORACLE)/.stamp ## measure against the peers and write benchmarks/RESULTS.md
	$(ORACLE)/bin/python -m benchmarks $(ARGS)

clean: ## remove the environments and what the tools left
	rm -rf $(VENV) $(ORACLE) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist runs

# One stamp a set of extras: a changed pyproject.toml installs anew, an unchanged one costs nothing.
$(stamp)-%: pyproject.toml | $(bin)/python
	$(bin)/python $(pip) -e '.[$*]'
	@touch $@

$(bin)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "trainkit needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(ORACLE)/.stamp: pyproject.toml
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python $(pip) torch==2.13.0 $(TORCH_INDEX)
	$(ORACLE)/bin/python $(pip) pytorch-ignite==0.5.5 poutyne==1.19.0 -e '.[dev]'
	@touch $@
