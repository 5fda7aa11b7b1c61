# Each target builds what it needs. Only Python 3.11+ and make are assumed.
PYTHON ?= python3
# How much `make reliability` does: change (minutes, for every change) or full (once, for an issue).
SIZE ?= change
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-mcp1/.installed .venv-fastmcp/.installed
NODE := tests/clients/node_modules

.PHONY: demo test check fix clients conformance reliability clean

demo: $(VENV)/.runtime
	@$(BIN)/python examples/quickstart.py

test: $(VENV)/.dev $(CLIENTS)
	scripts/check
	scripts/test -n auto --dist loadfile

check: $(VENV)/.dev
	scripts/check

fix: $(VENV)/.dev
	scripts/fix

# Every client, those in Node too; what is missing fails here, where `make test` skips it.
clients: $(VENV)/.dev $(CLIENTS) $(NODE)/.installed
	scripts/test tests/clients --every-client -n auto --dist worksteal

conformance: $(VENV)/.dev $(NODE)/.installed
	$(BIN)/python tests/conformance

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

# The first major line of the SDK cannot stand beside the second in one environment, and
# LangChain's adapters want the first.
.venv-mcp1/.installed: Makefile
	@$(PYTHON) -m venv .venv-mcp1
	@.venv-mcp1/bin/python -m pip install --quiet --disable-pip-version-check 'mcp>=1.30,<2' 'langchain-mcp-adapters>=0.3.1,<0.4'
	@touch $@

# FastMCP's client alone; its server brings three times as much.
.venv-fastmcp/.installed: Makefile
	@$(PYTHON) -m venv .venv-fastmcp
	@.venv-fastmcp/bin/python -m pip install --quiet --disable-pip-version-check 'fastmcp-slim[client]>=4.2,<5'
	@touch $@

# With a Node of its own: the Inspector and the conformance suite want 22, and systems have less.
$(NODE)/.installed: tests/clients/package.json
	@cd tests/clients && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf $(VENV) .venv-mcp1 .venv-fastmcp $(NODE) dist build .coverage* .ruff_cache .hypothesis
