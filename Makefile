# `make run` and `make test` need nothing but Python 3.11: whatever comes first builds .venv.
PYTHON ?= python3
BIN := .venv/bin
# Python compiles a module when it first loads it; pip would compile all, most of which nobody loads.
PIP := $(BIN)/pip install --quiet --no-compile
INSTALLED := .venv/.installed
# Where bytecode may not be written, every process compiles each module that it imports, torch's among them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run tasks test test-data test-oracles test-frameworks test-optuna test-browser test-clusters test-docs torture check bench calibrate docs site clean

run: $(INSTALLED)
	$(BIN)/steepest run

test: $(INSTALLED)
	$(BIN)/pytest -n 2 -m "not browser and not docs and not oracles and not data and not clusters and not frameworks and not optuna"

test-data: $(INSTALLED)
	$(BIN)/pytest -m data

# A real Slurm and a real Ray on this machine. Where Slurm is not installed, its tests skip and say how to install it.
test-clusters: .venv/.installed-ray
	$(BIN)/pytest -m clusters -rs tests/clusters

test-oracles: .venv/.installed-oracles
	$(BIN)/pytest -n 2 -m "oracles or proof" --proofs

# Lightning and transformers themselves: their models as tasks, and the code for them in their own Trainers.
test-frameworks: .venv/.installed-frameworks
	$(BIN)/pytest -n 2 -m frameworks -rs tests/coming_from

# Optuna's samplers as searches: a resumed study must get the same trials.
test-optuna: .venv/.installed-optuna
	$(BIN)/pytest -m optuna tests/search

test-browser: .venv/.installed-browser
	$(BIN)/pytest -n 2 -m browser

test-docs: $(INSTALLED)
	$(BIN)/pytest -n 2 -m docs

# Kills, damaged files, full disks and hostile input: the table must end in 0 tracebacks, 0 silently wrong, 0 hung.
# Some hours; SIZE=ci takes under 3 minutes. ONLY="kills disk" for some parts.
torture: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m torture.main --size $(or $(SIZE),full) $(if $(ONLY),--only $(ONLY))

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Every built-in task at a good setting: does it reach its level? Fetches 200 MB; TASKS="line housing" for a part.
tasks: $(INSTALLED)
	$(BIN)/python benchmarks/tasks.py $(TASKS)

# WORKLOADS="mlp-32 cnn" for a part of the table; the studies are on their own: python -m benchmarks.studies
bench: .venv/.installed-bench
	$(BIN)/python -m benchmarks.speed $(WORKLOADS)

# Is a verdict as sure as it says? 200 real studies and simulations, under 30 minutes on 2 cores; goes on where it was.
calibrate: $(INSTALLED)
	$(BIN)/python -m benchmarks.calibrate
	$(BIN)/python -m benchmarks.real_pools
	$(BIN)/python -m benchmarks.real_studies
	$(BIN)/python -m benchmarks.statements

docs: $(INSTALLED)
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/learn/pictures.py

# The documentation as a website, in build/site: broken links, and pages without a place in it, are errors.
site: .venv/.installed-site
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --doctree-dir build/site-cache docs build/site

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "steepest needs Python 3.11 or newer.")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --upgrade pip
	$(PIP) --editable '.[dev]'
	touch $@

.venv/.installed-%: $(INSTALLED)
	$(PIP) --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv
