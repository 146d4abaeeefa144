# What CI runs is what you run. Everything is installed into .venv; only Python 3.11 or newer and pip are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
.DEFAULT_GOAL := help
.PHONY: help demo challenge-demo test test-all system quality bench clean

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "flawscope needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

# What users install, then what developers install on top.
$(VENV)/.train: pyproject.toml | $(BIN)/python
	@echo "installing flawscope[train,elpv] into $(VENV) (some 6 GB with torch, a minute or two)"
	@$(PIP) -e '.[train,elpv]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "installing flawscope[dev] into $(VENV) (some 6 GB with torch, a minute or two)"
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.train $(VENV)/.site

$(VENV)/.site: pyproject.toml | $(BIN)/python
	@echo "installing flawscope[site,pack] into $(VENV) (no torch, a minute)"
	@$(PIP) -e '.[site,pack]'
	@touch $@

demo: $(VENV)/.train ## from real solar cells to a sealed bundle and its report, in at most 10 minutes
	@$(BIN)/flawscope run recipes/demo.yaml --overwrite
	@echo "your own images:            $(BIN)/flawscope new FOLDER"

challenge-demo: $(VENV)/.site ## a running site: a challenge of drawn solar cells, an organiser and two teams; Ctrl-C ends it
	@$(BIN)/flawscope challenge demo

test: $(VENV)/.dev system ## the tests, without the slow ones
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' -n auto -rs

test-all: $(VENV)/.dev system ## all tests
	@$(BIN)/python -m pytest -rs

system:
	@.ci/system

quality: $(VENV)/.dev ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.dev ## measure side by side; results are appended to benchmarks/results
	@$(BIN)/python benchmarks/inspect_speed.py
	@$(BIN)/python benchmarks/explain_cost.py
	@$(BIN)/python benchmarks/rle_speed.py
	@$(BIN)/python benchmarks/large_picture.py
	@$(BIN)/python benchmarks/cpu_training.py
	@$(BIN)/python benchmarks/label_noise.py
	@$(BIN)/python benchmarks/label_noise_two.py
	@$(BIN)/python benchmarks/contract_simulation.py
	@$(PIP) 'mapie>=1.6' && $(BIN)/python benchmarks/contract_mapie.py
	@$(BIN)/python benchmarks/cost_simulation.py
	@$(BIN)/python benchmarks/reliability_simulation.py
	@$(BIN)/python benchmarks/learning_curve_simulation.py
	@$(BIN)/python benchmarks/ladder_attack.py
	@$(BIN)/python benchmarks/coil_exam.py
	@$(BIN)/python benchmarks/court/run_exam.py
	@$(BIN)/python benchmarks/court/real_twins.py
	@$(BIN)/python benchmarks/court/scale.py
	@$(BIN)/python benchmarks/court/reference_sets.py audits
	@$(BIN)/python benchmarks/court/near_pairs.py
	@$(BIN)/python benchmarks/court/dark_ends.py
	@$(BIN)/python benchmarks/metadata_elpv.py
	@$(BIN)/python benchmarks/pointing.py
	@$(BIN)/python benchmarks/copies_leak.py
	@$(BIN)/python benchmarks/judge_kills.py
	@$(BIN)/python benchmarks/challenge_board.py
	@$(BIN)/python benchmarks/site_load.py
	@$(BIN)/python benchmarks/login_timing.py
	@$(BIN)/python benchmarks/tune_solar_multilabel.py
	@$(BIN)/python benchmarks/recipe_variants.py solar-multilabel
	@$(BIN)/python benchmarks/recipe_variants.py magnetic-tile --gate
	@$(BIN)/python benchmarks/mask_variants.py magnetic-tile
	@$(BIN)/python benchmarks/reference_systems.py $(MEASURED)
	@$(BIN)/python benchmarks/reference_systems.py $(MEASURED) --protocol seeds
	@$(BIN)/python benchmarks/reference_systems.py $(filter solar-%,$(MEASURED)) --protocol random
	@$(BIN)/python benchmarks/reference_systems.py $(filter coil%,$(MEASURED)) --protocol easy
	@$(BIN)/python benchmarks/beside_faithful.py runs/bench/solar-multilabel-faithful-seeds-0 \
		runs/bench/solar-multilabel-folds/fold-4 runs/bench/solar-multilabel-seeds-1 \
		runs/bench/solar-multilabel-seeds-2
	@$(BIN)/python benchmarks/beside_faithful.py runs/bench/solar-challenge-resnet18-faithful-seeds-0 \
		runs/bench/solar-challenge-resnet18-seeds-1 runs/bench/solar-challenge-resnet18-seeds-2
	@$(BIN)/python benchmarks/beside_faithful.py runs/bench/solar-challenge-alexnet-faithful-seeds-0 \
		runs/bench/solar-challenge-alexnet-seeds-1 runs/bench/solar-challenge-alexnet-seeds-2
	@$(BIN)/python benchmarks/time_to_number.py
	@$(BIN)/python benchmarks/resunet_time.py
	@$(BIN)/python benchmarks/resunet_time.py --epochs 66
	@$(BIN)/python benchmarks/threshold_cost.py runs/bench/solar-multilabel-folds \
		runs/bench/solar-challenge-resnet18-folds runs/bench/solar-challenge-alexnet-folds \
		runs/bench/solar-multilabel-seeds-0 runs/bench/solar-multilabel-seeds-1 runs/bench/solar-multilabel-seeds-2 \
		runs/bench/solar-challenge-resnet18-seeds-1 runs/bench/solar-challenge-resnet18-seeds-2 \
		runs/bench/solar-challenge-alexnet-seeds-1 runs/bench/solar-challenge-alexnet-seeds-2
	@$(BIN)/python benchmarks/threshold_rules.py runs/bench/solar-multilabel-fitted
	@$(BIN)/python benchmarks/second_reader.py measure runs/bench/solar-multilabel-folds
	@$(BIN)/python benchmarks/contract_resplits.py runs/bench/casting-folds --draws 500 --max-escape 0.1 0.15
	@$(BIN)/python benchmarks/contract_resplits.py runs/bench/casting-folds --pooled --max-escape 0.02 0.05
	@$(BIN)/python benchmarks/contract_resplits.py runs/bench-metadata-elpv-without --pooled --max-escape 0.15 0.2 0.3

# Every recipe but the one that is too small to measure with, and the one that is a search.
MEASURED = $(filter-out demo solar-multilabel-tune,$(basename $(notdir $(wildcard recipes/*.yaml))))

clean: ## remove what the build has made, not the runs
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
