# Each target builds what it needs. Only Python 3.11+ and make are assumed.
PYTHON ?= python3
# How much `make reliability` does: change (minutes, for every change) or full (once, for an issue).
SIZE ?= change
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check fix reliability clean

demo: $(VENV)/.runtime
	@$(BIN)/python examples/quickstart.py

test: $(VENV)/.dev .venv-mcp1/.installed
	scripts/check
	scripts/test

check: $(VENV)/.dev
	scripts/check

fix: $(VENV)/.dev
	scripts/fix

reliability: $(VENV)/.dev
	scripts/reliability $(SIZE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/it") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(VENV)/.runtime $@

# The first major line of the SDK cannot stand beside the second in one environment.
.venv-mcp1/.installed: Makefile
	@$(PYTHON) -m venv .venv-mcp1
	@.venv-mcp1/bin/python -m pip install --quiet --disable-pip-version-check 'mcp>=1.30,<2'
	@touch $@

clean:
	rm -rf $(VENV) .venv-mcp1 dist build .coverage* .ruff_cache .hypothesis
