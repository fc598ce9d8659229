# Everything a newcomer needs: `make train` and `make test` set themselves up.
# Another Python: make PYTHON=/path/to/python3.12 train

VENV := .venv
BIN := $(VENV)/bin
DESIGNS := argmax-regression binary-sum exact-sum learned-sum logit-mlp shared-trunk
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: help train test check results tables clean
help:
	@echo "make train   set up, train our design on MNIST, print what it reached"
	@echo "make test    set up, then lint, types and the whole test suite"
	@echo "make check   lint and types alone"
	@echo "make results train all six designs on MNIST, renew results/ and the README's table (half an hour)"
	@echo "make tables  rebuild the README's table from results/"
	@echo "make clean   remove the virtual environment and caches"

train: $(VENV)/run-ready
	@$(BIN)/mnist-adder train $(ARGS)

test: check
	@$(BIN)/python -m pytest

check: $(VENV)/test-ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Every published number, anew: each design once on MNIST, its results.json into results/.
results: $(VENV)/run-ready
	@set -e; for design in $(DESIGNS); do \
	  $(BIN)/mnist-adder train $$design --dataset mnist --run-dir runs/results/$$design; \
	  cp runs/results/$$design/results.json results/$$design.json; \
	done
	@$(BIN)/python docs/tables.py

tables: $(VENV)/run-ready
	@$(BIN)/python docs/tables.py

# The package with exactly pinned dependencies; `test-ready` adds the tools that tests need.
$(VENV)/run-ready: pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "make: there is no python3 here. Install Python 3.11 or newer." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), but mnist-adder needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "Setting up $(VENV): the first time this downloads PyTorch, some hundred megabytes ..." >&2
	@$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@{ $(PIP) hatchling editables && $(PIP) --no-build-isolation -e . ; } >$(VENV)/install.log 2>&1 || { \
	  echo "make: the dependencies could not be installed: $$(grep -m1 ERROR $(VENV)/install.log) (all of it: $(VENV)/install.log)" >&2; exit 1; }
	@touch $@

$(VENV)/test-ready: $(VENV)/run-ready
	@$(PIP) --no-build-isolation -e '.[dev]' >$(VENV)/install.log 2>&1 || { \
	  echo "make: the test tools could not be installed: $$(grep -m1 ERROR $(VENV)/install.log) (all of it: $(VENV)/install.log)" >&2; exit 1; }
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
