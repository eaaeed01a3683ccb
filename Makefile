# Each target first makes .venv from the lock with hashes, when it is missing or older than what it is made from.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench evaluate faults docs lock venv clean services

BIN := .venv/bin
DEMO := .venv/.demo-installed
DEV := .venv/.dev-installed
ARGS :=
COMPILED = $(BIN)/python requirements/extension.py

help:  ## what can be made; more arguments for a command: make test ARGS="-k resume"
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO)  ## the whole platform on this machine, with a sample district and simulated providers
	@$(COMPILED)
	@$(BIN)/roundtrip demo $(ARGS)

test: check services  ## the checks, then all tests, with the servers they need
	$(COMPILED) --required
	$(BIN)/pytest $(ARGS)

check: $(DEV)  ## ruff, mypy, the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(DEV)  ## the benchmarks
	@$(COMPILED)
	$(BIN)/python -m tests.bench $(ARGS)

DATA := ../shared/data

evaluate: $(DEMO)  ## how good the models are, beside known figures: make evaluate DATA=DIR
	@$(COMPILED)
	@$(BIN)/roundtrip evaluate known --data $(DATA) $(ARGS)

N := 20
SEED := 1

faults: $(DEV)  ## fault schedules against real processes: make faults N=200 SEED=1
	@$(COMPILED)
	$(BIN)/python -m tests.faults --count $(N) --seed $(SEED) $(ARGS)

docs: $(DEV)  ## the generated pages of docs/
	$(BIN)/python -m infra.runtime.reference docs

services:
	@sh tests/services.sh

venv: $(DEV)  ## the virtual environment, with all that development needs

$(DEMO): requirements/demo.txt requirements/bootstrap.txt requirements/venv.sh pyproject.toml
	@sh requirements/venv.sh demo

$(DEV): requirements/dev.txt requirements/bootstrap.txt requirements/venv.sh pyproject.toml
	@sh requirements/venv.sh dev

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: $(DEV)  ## the locks again, from pyproject.toml; newer versions: make lock ARGS=--upgrade
	$(COMPILE) $(ARGS) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE) $(ARGS) pyproject.toml --extra local --extra postgres --group build --group dev -o requirements/dev.txt
	$(COMPILE) $(ARGS) pyproject.toml --extra local --extra postgres --group build -c requirements/dev.txt -o requirements/demo.txt

clean:  ## all that the other targets made, but not the demo's data (.roundtrip)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist tests/bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find ingest schemas streams -name '_*.so' -delete
