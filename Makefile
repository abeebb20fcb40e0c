# Two commands for a fresh machine: `make demo` and `make test`. Both set up .venv first.

PYTHON ?= python3
BIN := .venv/bin
IMAGES ?= 10000

.PHONY: demo test lint nightly train results bench clean

demo: .venv/installed
	$(BIN)/radhard demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 -m "not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

nightly: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8
	$(BIN)/python -m benchmarks.speed

train: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/radhard train --out trained

# the zoo's curves; they go on from the store if the run is interrupted
results: .venv/installed
	$(BIN)/radhard sweep fashion-vit fashion-swin fashion-deepvit fashion-cait fashion-resnet18 fashion-resnet20 \
		--images $(IMAGES) --trials 1 --store results/zoo.db \
		--plot results/zoo-sweep.png --csv results/zoo-sweep.csv --json > results/zoo-sweep.json

bench: .venv/installed
	$(BIN)/python -m benchmarks.speed

# the constraints pin a torch that has a CPU build; without them pip may take gigabytes of another
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist
