# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` do all set-up on a fresh Debian machine with Python 3.11 or newer, as root or as an
# ordinary user; a second run installs nothing.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Answers recorded from Calico, where they lie beside the project (docs/design.md, section 7).
VECTORS := $(abspath $(firstword $(wildcard ../shared/vectors)))
PERCALE_VECTORS ?= $(VECTORS)
ifneq ($(PERCALE_VECTORS),)
export PERCALE_VECTORS
endif

.PHONY: help demo test lint bench soak fuzz format clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(VENV)/.runtime: pyproject.toml constraints.txt
	@tools/venv "$(PYTHON)" "$(VENV)" "agent"
	@touch $@

$(VENV)/.develop: pyproject.toml constraints.txt
	@tools/venv "$(PYTHON)" "$(VENV)" "dev"
	@touch $@ $(VENV)/.runtime

$(VENV)/.packages: tools/packages
	@mkdir -p $(VENV)
	@tools/packages
	@touch $@

demo: $(VENV)/.runtime  ## the main job on this machine: real packets through real policy, in private namespaces
	@$(BIN)/percale demo

lint: $(VENV)/.develop  ## formatting, lint, types and the floors of the house
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.develop $(VENV)/.packages lint  ## everything that CI checks
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.develop  ## the workloads behind every figure of the manual
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.develop  ## the same tests, much longer
	PERCALE_SOAK=1 $(BIN)/python -m pytest -m "slow or kernel" $(ARGS)

FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.develop  ## search for inputs that the parsers and rules do not survive, FUZZ_SECONDS each
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[fuzz]"
	@for target in documents plain selectors stored checks; do \
		PYTHONPATH=src:. $(BIN)/python -m tests.fuzz $$target $(FUZZ_SECONDS) || exit 1; done

format: $(VENV)/.develop  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## remove what the targets above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
