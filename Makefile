# Everything a person types. Environments are made once and again only when pyproject.toml or constraints.txt change.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo atlas-demo test check format gallery quality bench clean

help:
	@echo 'make demo        install the command line and render six layers and twelve classes into out/demo'
	@echo 'make atlas-demo  a small atlas of the bundled network, as pages that open from disk: out/atlas-site/index.html'
	@echo 'make test        the whole test suite'
	@echo 'make check       lint, format, types and import contracts'
	@echo 'make gallery     a labelled sheet of pictures for every method, into docs/gallery'
	@echo 'make quality     tables and contact sheets of picture quality, into benchmarks/'
	@echo 'make bench       milliseconds per image and step, beside the bare pass and the peers'
	@echo 'make clean       remove environments, caches and out/'

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'phosphene needs Python 3.11 or newer: make PYTHON=/path/to/python3'; exit 1; }
	$(PYTHON) -m venv $(VENV)

# .installed: the package with its command line. .installed-dev: that and everything that tests and checks need, with the
# weights of a face generator, whose declared dependencies are not needed.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[cli]'
	@touch $@

$(VENV)/.installed-atlas: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[cli,atlas]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[dev]'
	$(PIP) install --no-deps gan-face-generate==1.1.1
	@touch $@ $(VENV)/.installed $(VENV)/.installed-atlas

# Threads that wait asleep: where other programs share the cores, torch's busy waiting makes everything up to seven times slower.
demo atlas-demo test gallery: export OMP_WAIT_POLICY := PASSIVE

demo: $(VENV)/.installed
	$(BIN)/phosphene demo -o out/demo

# A second call goes on with what is there, and makes only what is missing.
atlas-demo: $(VENV)/.installed-atlas
	$(BIN)/phosphene atlas build efficientnet_lite0 --out out/atlas --layers blocks.1 --layers blocks.4 --layers blocks.8 \
		--layers blocks.11 --layers blocks.15 --layers classifier --units 0-15 --size 96
	$(BIN)/phosphene atlas export out/atlas -o out/atlas-site

# The pictures of the tests are too small for threads: the cores run tests side by side instead, and one more, as some wait
# for servers and clusters.
test: export OMP_NUM_THREADS := 1
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n $$($(BIN)/python -c 'import os; print(min(8, 1 + os.cpu_count()))') --dist worksteal $(TEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Sheets that are there are kept: make gallery GALLERY_ARGS=--fresh, or "GALLERY_ARGS=--only zoo --fresh".
gallery: $(VENV)/.installed-dev
	$(BIN)/python examples/gallery.py --output docs/gallery $(GALLERY_ARGS)

# quality and bench live beside what they measure.
-include benchmarks/benchmarks.mk

clean:
	rm -rf $(VENV) .venv-* out build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
