# Each target builds what it needs. Only Python 3.11+ and make are required.
PYTHON ?= python3
# How much `make reliability` does: change (minutes, for every change) or full (for a whole issue).
SIZE ?= change
VENV := .venv
BIN := $(VENV)/bin
NEXT := .venv-next
CLIENTS := .venv-mcp1/.installed .venv-fastmcp/.installed .venv-agent/.installed
NODE := tests/clients/node_modules
BUILD := .venv-build
MCPB := tests/packaging/node_modules
QUICK := tests/*.py tests/flows tests/catalogue tests/downloads tests/sandbox/*.py \
  tests/processes/test_shutdown.py --ignore=tests/flows/test_cancellation.py

# If the caller names a Python (make test PYTHON=...) and another version made the environment, it
# is made again. Without a name, an existing environment is used as it is.
ifeq ($(origin PYTHON),file)
MADE := $(BIN)/python
else
MADE := $(VENV)/.python-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

.PHONY: demo test test-next check fix clients hosts conformance reliability package mcpb clean

demo: $(VENV)/.runtime
	@$(BIN)/python examples/quickstart.py

test: $(VENV)/.dev $(CLIENTS)
	scripts/check
	scripts/test -n auto --dist loadfile

# The quick tests on a newer Python, which warns where the oldest supported one does not. The other
# tests start many processes, render, or cancel at every step: they take minutes, for the same code.
test-next: $(NEXT)/.dev
	VENV=$(NEXT) scripts/test -q -n auto --dist loadfile $(QUICK)

check: $(VENV)/.dev
	scripts/check

fix: $(VENV)/.dev
	scripts/fix

# Every client, including those in Node. A missing client fails here; `make test` skips it.
clients: $(VENV)/.dev $(CLIENTS) $(NODE)/.installed
	scripts/test tests/clients --every-client -n auto --dist worksteal

# Real AI hosts, and what their models receive: all, or HOSTS="codex claude". They take 2 GB in the
# user's cache folder, or in HOSTS_FOLDER; see tests/hosts.
hosts: $(VENV)/.dev
	PYTHONPATH=tests:src $(BIN)/python -m hosts $(HOSTS)

conformance: $(VENV)/.dev $(NODE)/.installed
	$(BIN)/python tests/conformance

reliability: $(VENV)/.dev
	scripts/reliability $(SIZE)

# The wheel and the source distribution, in dist.
package: $(BUILD)/.installed
	rm -rf dist
	$(BUILD)/bin/python -m build
	$(BUILD)/bin/python -m twine check --strict dist/*

# The MCP bundle of that wheel, in dist; the official tool checks it and packs it.
mcpb: package $(MCPB)/.installed
	$(BUILD)/bin/python scripts/mcpb dist/*.whl build/mcpb
	$(MCPB)/.bin/mcpb validate build/mcpb/manifest.json
	$(MCPB)/.bin/mcpb pack build/mcpb dist/geekai-video-mcp.mcpb

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/it") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $(VENV)/.python-$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

$(VENV)/.runtime: pyproject.toml $(MADE)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(MADE)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(VENV)/.runtime $@

$(NEXT)/.dev: pyproject.toml scripts/next-python
	@python="$$(scripts/next-python)" && "$$python" -m venv --clear $(NEXT)
	@$(NEXT)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Versions 1 and 2 of the SDK cannot be installed in one environment, and LangChain's adapters
# need version 1.
.venv-mcp1/.installed: Makefile
	@$(PYTHON) -m venv .venv-mcp1
	@.venv-mcp1/bin/python -m pip install --quiet --disable-pip-version-check 'mcp>=1.30,<2' 'langchain-mcp-adapters>=0.3.1,<0.4'
	@touch $@

# Only FastMCP's client: its server installs three times as much.
.venv-fastmcp/.installed: Makefile
	@$(PYTHON) -m venv .venv-fastmcp
	@.venv-fastmcp/bin/python -m pip install --quiet --disable-pip-version-check 'fastmcp-slim[client]>=4.2,<5'
	@touch $@

# The agent of examples/agent.py.
.venv-agent/.installed: Makefile
	@$(PYTHON) -m venv .venv-agent
	@.venv-agent/bin/python -m pip install --quiet --disable-pip-version-check 'pydantic-ai-slim[mcp]>=2.68,<3'
	@touch $@

# Installs its own Node: the Inspector and the conformance suite need Node 22, and many systems
# have an older one.
$(NODE)/.installed: tests/clients/package.json
	@cd tests/clients && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

$(BUILD)/.installed: Makefile
	@$(PYTHON) -m venv $(BUILD)
	@$(BUILD)/bin/python -m pip install --quiet --disable-pip-version-check 'build>=1.3,<2' 'twine>=6.2,<7'
	@touch $@

$(MCPB)/.installed: tests/packaging/package.json
	@cd tests/packaging && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf $(VENV) $(NEXT) .venv-mcp1 .venv-fastmcp .venv-agent $(NODE) $(BUILD) $(MCPB) dist build .coverage* .ruff_cache .hypothesis
