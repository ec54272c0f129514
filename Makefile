# Three environments: .venv-base is what a user gets (no PyTorch), .venv-serve has the web page and the API as well,
# .venv has all extras and the development tools. All come from pinned, hashed requirements (docs/decisions/0003-pinned-requirements.md).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_INSTALL = -m pip install --quiet --no-input
IMAGE ?=
ARGS ?=
export IMAGE

.PHONY: help run setup test check fix bench docs wheel lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

# Which environment `run` needs is known before any is made: that of the page is 150 MB larger.
ifeq ($(IMAGE),)
run: .venv-serve/installed ## open the web page; or classify an image: make run IMAGE=photo.jpg (a file or a folder)
	@exec .venv-serve/bin/dermalens serve --open $(ARGS)
else
run: .venv-base/installed
	@exec .venv-base/bin/dermalens predict "$$IMAGE"
endif

setup: .venv/installed ## create .venv: all extras and development tools

# The tests share the cores.
test: export OMP_NUM_THREADS := 1
test: .venv/installed ## run the whole suite, or a part: make test ARGS="tests/core -x"
	.venv/bin/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

check: .venv/installed ## style, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

fix: .venv/installed ## mend what ruff can mend
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/installed ## measure speed and memory, write benchmarks/results
	@test -f benchmarks/run.py || { echo 'There is no benchmarks/run.py in this checkout.' >&2; exit 2; }
	.venv/bin/python -m benchmarks.run $(ARGS)

docs: .venv/installed ## write the generated pages of docs anew
	@test -f docs/generate.py || { echo 'There is no docs/generate.py in this checkout.' >&2; exit 2; }
	.venv/bin/python docs/generate.py

wheel: .venv/installed ## build the wheel into dist
	rm -rf dist
	.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lock: .venv/installed ## compile requirements/*.txt anew, with the newest versions: make lock ARGS=--upgrade
	@lock() { UV_CUSTOM_COMPILE_COMMAND='make lock' .venv/bin/uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes $(ARGS) "$$@"; }; \
	lock --all-extras --group dev --output-file requirements/dev.txt pyproject.toml; \
	lock --constraint requirements/dev.txt --output-file requirements/base.txt pyproject.toml; \
	lock --constraint requirements/dev.txt --extra serve --output-file requirements/serve.txt pyproject.toml; \
	lock --constraint requirements/dev.txt --group build --output-file requirements/build.txt

clean: ## remove the environments and all caches
	rm -rf .venv .venv-base .venv-serve dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# An environment is made in three steps, each with a stamp, so that a changed pyproject.toml costs seconds.
.venv/bin/python .venv-base/bin/python .venv-serve/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'DermaLens needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...' >&2; exit 2; }
	$(PYTHON) -m venv $(@D:/bin=)

.venv/requirements: requirements/dev.txt | .venv/bin/python
	@echo 'Installing all extras and development tools into .venv (about 7 GB, a few minutes) ...'
	.venv/bin/python $(PIP_INSTALL) --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

.venv-base/requirements: requirements/base.txt requirements/build.txt | .venv-base/bin/python
	@echo 'Installing the base package into .venv-base (about half a minute) ...'
	.venv-base/bin/python $(PIP_INSTALL) --require-hashes -r requirements/base.txt -r requirements/build.txt
	@touch $@

.venv-serve/requirements: requirements/serve.txt requirements/build.txt | .venv-serve/bin/python
	@echo 'Installing the web page and the API into .venv-serve (about a minute) ...'
	.venv-serve/bin/python $(PIP_INSTALL) --require-hashes -r requirements/serve.txt -r requirements/build.txt
	@touch $@

.venv/installed .venv-base/installed .venv-serve/installed: %/installed: %/requirements pyproject.toml
	$*/bin/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
