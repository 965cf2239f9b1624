# Benchmarks: their own environment, .venv-bench, with the peers and phosphene itself. Included by the Makefile at the top.
#
# The peers are installed without their declared dependencies: these ask for old versions that no longer fit together (kornia <= 0.4.1)
# and for test tools. requirements-peers.txt lists what they really import.
BENCH_VENV := .venv-bench
BENCH_PYTHON := $(BENCH_VENV)/bin/python
BENCH_PIP := $(BENCH_PYTHON) -m pip --disable-pip-version-check
BENCH_REQUIREMENTS := benchmarks/requirements-peers.txt benchmarks/requirements-peers-nodeps.txt

.PHONY: bench quality quality-quick explore holdout evolution evolution-quick blocks atlas-bench

$(BENCH_VENV)/.installed: pyproject.toml constraints.txt $(BENCH_REQUIREMENTS)
	@test -n '$(PYTHON)' || { echo 'phosphene needs Python 3.11 or newer: make PYTHON=/path/to/python3'; exit 1; }
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_PIP) install -c constraints.txt -e .
	$(BENCH_PIP) install -c constraints.txt -r benchmarks/requirements-peers.txt
	$(BENCH_PIP) install --no-deps -r benchmarks/requirements-peers-nodeps.txt
	@touch $@

bench: $(BENCH_VENV)/.installed
	OMP_NUM_THREADS=2 $(BENCH_PYTHON) benchmarks/speed.py $(BENCH_ARGS)

quality: $(BENCH_VENV)/.installed
	OMP_NUM_THREADS=2 $(BENCH_PYTHON) benchmarks/quality.py $(QUALITY_ARGS)

quality-quick: $(BENCH_VENV)/.installed
	OMP_NUM_THREADS=2 $(BENCH_PYTHON) benchmarks/quality.py --quick $(QUALITY_ARGS)

explore: $(BENCH_VENV)/.installed
	OMP_NUM_THREADS=2 $(BENCH_PYTHON) benchmarks/explore.py $(EXPLORE_ARGS)

holdout: $(BENCH_VENV)/.installed
	OMP_NUM_THREADS=2 $(BENCH_PYTHON) benchmarks/holdout.py

# Evolution needs no peers but pycma and cmaes, which the development environment has. One thread: codes and small pictures are too little
# for more. Runs that are there are kept.
evolution evolution-quick: export OMP_NUM_THREADS := 1
evolution: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/evolution.py $(EVOLUTION_ARGS)
	$(BIN)/python benchmarks/evolution_noise.py
	$(BIN)/python benchmarks/evolution_cost.py

evolution-quick: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/evolution.py --quick
	$(BIN)/python benchmarks/evolution_cost.py --quick

blocks: export OMP_NUM_THREADS := 1
blocks: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/activation_grid.py
	$(BIN)/python benchmarks/collection.py

# What an atlas costs beside rendering, what it survives, and its pages at 100,000 units. Wants quiet cores; an hour.
atlas-bench: export OMP_NUM_THREADS := 1
atlas-bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/atlas_speed.py
	$(BIN)/python benchmarks/atlas_faults.py
	$(BIN)/python benchmarks/atlas_paper.py
	$(BIN)/python benchmarks/atlas_site.py
