# make quickstart               environment, then the whole study in small; no download; about 4 minutes on two cores
# make test                     environment, then the tests; about 8 minutes
# make lint                     environment, then ruff: style and layout of the code; a second
# make environment              only the environment, in .venv (6 GB); one to five minutes
#
# After `source .venv/bin/activate`:
# dvc repro noise               one study: data, training of missing runs, report; hours are in README.md
# dvc exp run -S lcm.alpha=2    an experiment; `dvc metrics diff` shows what it changed
# git restore .                 undoes it, as all uncommitted changes
# dvc repro -s page             all results on one page, reports/index.html; a minute
# lcm compare table.csv --text title body --label stars
#                               which target is best for your own table? --minutes 10 limits it
#
# All results are in git: reports/index.html shows them without any of this.

.DEFAULT_GOAL := help
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# pip leaves compiling to the first import (--no-compile). Where Python may not keep what it compiled, as in many
# containers, every stage of `dvc repro` would compile it again: a second each.
unexport PYTHONDONTWRITEBYTECODE
READY := $(VENV)/.ready

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

quickstart: $(READY)
	@dvc repro quickstart

test: $(READY)
	@python -m pytest -n 2 --dist loadfile

lint: $(READY)
	@ruff check . && ruff format --check .

environment: $(READY)

$(READY): requirements.txt pyproject.toml
	@git --version >/dev/null 2>&1 || { echo "error: git is not installed; install git 2.25 or newer" >&2; exit 1; }
	@git --version | awk '{split($$3, v, "."); if (v[1] * 1000 + v[2] < 2025) {print "error: found git " $$3 ", expected 2.25 or newer; update git" > "/dev/stderr"; exit 1}}'
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "error: this folder is not a git clone, which DVC needs; get it with git clone" >&2; exit 1; }
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "error: found $$(python3 --version 2>/dev/null || echo no Python), expected Python 3.11 or newer; install it, or name one: make PYTHON=/path/to/python3 ..." >&2; exit 1; fi; \
	rm -rf $(VENV) && $$found -m venv $(VENV) || { echo "error: $$found cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@echo "installing the pinned requirements into $(VENV) (about 6 GB, one to five minutes)"
	@if [ -t 1 ]; then quiet=; else quiet=-q; fi; \
	python -m pip install --disable-pip-version-check --no-compile $$quiet -r requirements.txt && \
	python -m pip install --disable-pip-version-check -q --no-build-isolation --no-deps -e .
	@touch $(READY)

.PHONY: help quickstart test lint environment
