# Each target first makes .venv from the lock with hashes, when it is missing or older than what it is made from.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs lock venv clean

BIN := .venv/bin
DEV := .venv/.dev-installed

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(DEV)  ## the virtual environment, with all that development needs

.venv/.%-installed: requirements/%.txt requirements/bootstrap.txt requirements/venv.sh pyproject.toml
	@sh requirements/venv.sh $*
