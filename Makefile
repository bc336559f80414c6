SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all clean

READY := .venv/.ready

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(READY)  ## make .venv, install into it, get ESPnet's recipe tree

demo: $(READY)  ## distil the shipped hibari teacher and print the table
	@source .venv/bin/activate; cd egs/hibari/tts1; ./run.sh

test: $(READY)  ## run the tests that are not slow, in some 20 minutes
	@source .venv/bin/activate; OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist loadfile -m "not slow" tests

test-all: $(READY)  ## run every test
	@source .venv/bin/activate; OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist loadfile tests

clean:  ## remove .venv and build products (what recipes made stays)
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): setup.py
	@scripts/setup.sh
	@touch $@
