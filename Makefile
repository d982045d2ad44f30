# `make demo` and `make test` do all the set-up themselves; everything else is optional.
#
#   PYTHON    the interpreter that makes .venv (3.11 to 3.13)
#   PIP_ARGS  more options for pip install
#   HASHED    yes: install only files whose hashes are listed; empty: only pin versions.
#             By default yes on Linux on x86-64, for which they are listed
#   ARGS      more options for the command behind a target: make demo ARGS="boat-lagoon"

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
PIP_ARGS ?=
HASHED ?= $(shell $(PYTHON) -c 'import platform as p; print("yes" if p.libc_ver()[0] == "glibc" \
	and (p.system(), p.machine()) == ("Linux", "x86_64") else "")')
ARGS ?=

# Numba notices a change in a function's own file, not in the files it calls into.
# The tests therefore keep compiled kernels in a folder named after all kernel sources.
KERNELS = $(sort $(shell grep -rl --include='*.py' njit envs proxylab))
KERNEL_CACHE = $(CURDIR)/build/numba/$(shell cat $(KERNELS) /dev/null | cksum | cut -d' ' -f1)
PYTEST = NUMBA_CACHE_DIR=$(KERNEL_CACHE) $(BIN)/python -m pytest

.PHONY: help setup demo test test-slow check bench figures docs clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(STAMP) ## make .venv and install the package with its development tools

PIP = $(BIN)/python -m pip install --quiet $(PIP_ARGS)

$(STAMP): pyproject.toml constraints.txt requirements-ci.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 found: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "Could not make $(VENV): is the venv module of $(PYTHON) installed?"; exit 1; }
ifeq ($(HASHED),yes)
	$(PIP) --no-deps --require-hashes -r requirements-ci.txt
	$(PIP) -c constraints.txt torch
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
else
	$(PIP) -c constraints.txt -e ".[dev]"
endif
	@touch $@

demo: $(STAMP) ## train a misgeneralising agent, catch it, draw the figures
	$(BIN)/proxylab demo $(ARGS)

test: $(STAMP) ## the tests, without the slow ones (fetches the real Procgen where it exists)
	-@$(BIN)/proxylab procgen install >/dev/null
	$(PYTEST) -n $(JOBS) --dist worksteal -m "not slow" $(ARGS)

test-slow: $(STAMP) ## the slow tests: the README's long commands as they stand
	$(PYTEST) -m slow $(ARGS)

check: $(STAMP) ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check

bench: $(STAMP) ## measure speed on this machine
	$(BIN)/proxylab bench $(or $(ARGS),envs)

DEMO_TABLES = $(sort $(wildcard results/tables/demo-*.json))

figures: $(STAMP) ## redraw results/figures from the committed results/tables
	$(if $(DEMO_TABLES),$(BIN)/python -m proxylab.demo.redraw $(DEMO_TABLES) --out results/figures,\
		@echo "No tables are committed yet: nothing to redraw.")
	$(BIN)/python -m proxylab.leaderboard.draw

DOCS_STAMP := $(VENV)/.installed-docs

$(DOCS_STAMP): $(STAMP)
	$(PIP) -c constraints.txt -e ".[dev,docs]"
	@touch $@

docs: $(DOCS_STAMP) ## build the documentation into build/docs; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "Open build/docs/index.html."

clean: ## remove caches and build output; results/ and .venv stay
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
