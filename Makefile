# "make demo" and "make test" need Python 3.11 or newer, and see to everything else themselves.
#
#   make PYTHON=python3.12 test       with another interpreter
#   make SECONDS=20 demo              ends by itself
#   make WORKERS=8 test               more tests at a time
#   make TESTS=tests/ranges unit     fewer of them
#   make ARGS=objects bench           one group of benchmarks

VENV ?= .venv
WORKERS ?= 2
TESTS ?= tests
PYTHON ?=
# Where the unit tests, and those of the ways to run it, are repeated by "make test".
OTHERS ?= /usr/bin/python3 3.13
SECONDS ?=
ARGS ?=

export VENV PYTHON
# Debian keeps nginx where only root looks for programs.
export PATH := $(PATH):/usr/sbin:/sbin

PY = $(VENV)/bin/python
PYTEST_ARGS = -n $(WORKERS) --dist loadfile --hypothesis-profile ci
PYTEST = $(PY) -m pytest $(PYTEST_ARGS)
OTHER_TESTS = $(filter-out %/end_to_end %/conftest.py %/__pycache__,$(wildcard tests/*)) \
	tests/end_to_end/test_run_forms.py
SERVERS = prometheus:prometheus victoria-metrics:victoria-metrics nginx-light:nginx chromium:chromium redis-server:redis-server
BENCHED = prometheus:prometheus nginx-light:nginx varnish:varnishd wrk:wrk

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help:
	@echo "make demo    a demonstration, with nothing else installed; Ctrl-C ends it (or SECONDS=20)"
	@echo "make test    everything that has to pass: lint, types, all tests"
	@echo "make check   the same without the tests that need real servers"
	@echo "make bench   the benchmarks"
	@echo "make soak    mixed load for ten minutes (or SECONDS=60), and what it leaves"
	@echo "make reference   what docs/ says of settings, reasons, metrics, endpoints, made anew"
	@echo "make docs    the documentation, in docs/_build/html"
	@echo "make cover   which lines the unit tests reach"
	@echo "make lock    the newest releases of what is needed, into requirements/"
	@echo "make clean   away with all that was made"

.PHONY: demo
demo: run-environment
	@$(PY) -m demo $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

.PHONY: test
test: servers lint types all-tests other-pythons

.PHONY: check
check: lint types unit

.PHONY: lint
lint: environment
	$(PY) -m ruff check .
	$(VENV)/bin/lint-imports
	$(PY) docs/_writers --check
	$(PY) -m towncrier build --draft --version next >/dev/null

.PHONY: types
types: environment
	$(PY) -m mypy

.PHONY: unit
unit: environment
	$(PYTEST) --ignore tests/end_to_end $(TESTS)

# With the servers in place, a test that cannot find its server is a failure.
.PHONY: all-tests
all-tests: servers environment
	TRICKSTER_REQUIRE_SERVERS=1 $(PYTEST) $(TESTS)

.PHONY: other-pythons
other-pythons: environment
	@scripts/other_pythons.sh "$(OTHERS)" pytest $(PYTEST_ARGS) -q $(OTHER_TESTS)

.PHONY: bench
bench: environment
	@scripts/debian_packages.sh $(BENCHED)
	$(PY) -m bench $(ARGS)

.PHONY: soak
soak: servers environment
	$(PY) -m bench.soak $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

# The parts of the pages that the code itself knows; they are committed.
.PHONY: reference
reference: environment
	$(PY) docs/_writers

.PHONY: docs
docs: reference
	$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

.PHONY: cover
cover: environment
	$(PY) -m coverage run -m pytest -q --hypothesis-profile ci --ignore tests/end_to_end $(TESTS)
	$(PY) -m coverage combine -q
	$(PY) -m coverage report

.PHONY: servers
servers:
	@scripts/debian_packages.sh $(SERVERS)

.PHONY: environment
environment:
	@scripts/environment.sh dev

.PHONY: run-environment
run-environment:
	@scripts/environment.sh

.PHONY: lock
lock: environment
	scripts/lock.sh $(VENV)/bin/uv

.PHONY: clean
clean:
	rm -rf $(VENV) .venv-* build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache .coverage* _trial_temp* *.egg-info
	find trickster tests twisted bench demo examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
