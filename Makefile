# Few recipes, each one line of real commands. CI runs the same.
.PHONY: help setup check test bench demo docs lock clean
PY ?= python3
BIN = .venv/bin

help:           ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/ready: pyproject.toml requirements-dev.lock
	$(PY) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.lock -e .
	@touch .venv/ready

setup: .venv/ready ## the development environment, in .venv

check: setup    ## lint, types, import rules
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/basedpyright && $(BIN)/lint-imports

test: setup     ## everything that CI runs
	$(BIN)/python -m pytest -n auto --dist loadgroup

.demo/ready: pyproject.toml
	$(PY) -m venv .demo/venv
	.demo/venv/bin/python -m pip install --quiet .
	@touch .demo/ready

demo: .demo/ready ## the wine example on a server of its own, in .demo
	.demo/venv/bin/python examples/demo.py

bench: setup    ## the budgets, beside floors and peers
	$(BIN)/python -m bench

lock:           ## renew the lock file from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group lint --group test --group oracle pyproject.toml -o requirements-dev.lock

clean:          ## remove what the recipes made
	rm -rf .venv .demo .pytest_cache .ruff_cache .hypothesis
