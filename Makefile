PYTHON ?= python3
BIN := .venv/bin
SCENE := sample_data/town_rgb.tif

.PHONY: demo test check format bench
.DEFAULT_GOAL := demo

demo: .venv/demo.stamp  ## predict the sample scene with the bundled model
	mkdir -p demo
	$(BIN)/rsmamba predict $(SCENE) --out demo/town_mask.tif --quicklook demo/town_quicklook.png --overwrite

test: .venv/test.stamp  ## run the tests
	$(BIN)/python -m pytest -n auto

check: .venv/check.stamp .venv/doclint/bin/pydoclint  ## lint, format, types, layers, docstrings, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.venv/doclint/bin/pydoclint -q rsmamba cli
	$(BIN)/codespell

format: .venv/check.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench.stamp  ## speed, memory and seams, beside rivals; writes benchmarks/results
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/predict.py

.venv/bin/pip:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"

# Its parser of docstrings is a fork under the name of the one that torchgeo brings.
.venv/doclint/bin/pydoclint: | .venv/bin/pip
	$(PYTHON) -m venv .venv/doclint
	.venv/doclint/bin/pip install --quiet "pydoclint==0.12.0"

.venv/demo.stamp: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/%.stamp: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --editable ".[all]" --group $*
	touch $@
