# Everything a newcomer needs: `make train` and `make test` set themselves up.
# Another Python: make PYTHON=/path/to/python3.12 train

VENV := .venv
BIN := $(VENV)/bin
PICTURES := accuracy loss learning-rate network samples mistakes
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
TOOLS := $(VENV)/tools
# A file's tests stay together, so that what they share is made once; tests/conftest.py says which go first.
PYTEST := python -m pytest -n auto --dist loadfile --no-loadscope-reorder
NEWEST := .venv-newest
# The lists hold all that is needed, so pip looks for nothing else; it refuses a file whose hash is not in them.
PIP := python -m pip --disable-pip-version-check install --quiet --no-deps
PINNED := --require-hashes -r
# On Linux the index has torch for CUDA, which with CUDA's libraries takes 5 GB more than the CPU build. So that
# is tried first where there is no GPU of NVIDIA's; pip finds it where --find-links or an extra index has it.
HAS_GPU := nvidia-smi -L
CUDA_BUILD := $(BIN)/python -c 'import sys; from importlib.metadata import requires; sys.exit("nvidia" not in str(requires("torch")))'

# As the package itself does, for scripts that start ONNX Runtime before it.
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help train test check newest browser office results records tables worksheet-pictures map pins audit clean
help:
	@echo "make train   set up, train our model on MNIST, print what it reached"
	@echo "make test    set up, then lint, types and the whole test suite"
	@echo "make check   lint and types alone"
	@echo "make newest  the test suite with the newest versions of all dependencies instead of the pinned ones"
	@echo "make results train all six models with three seeds, renew results/, pictures and tables (an hour)"
	@echo "make records measure speed, accuracy, size, digits of strangers and more anew, with nothing else running (two hours)"
	@echo "make tables  rebuild the tables of README and docs from results/"
	@echo "make worksheet-pictures  draw the pictures of docs/worksheet.md with LibreOffice and Chromium"
	@echo "make map     print the packages with their lines and purpose, and renew the table in README"
	@echo "make pins    renew requirements/ after a change of pyproject.toml; ARGS=--upgrade for newest versions"
	@echo "make audit   look every pinned version up in the list of known vulnerabilities (needs the internet)"
	@echo "make clean   remove the virtual environment and caches"

train: $(VENV)/run-ready
	@$(BIN)/mnist-adder train $(ARGS)

test: check browser office
	@$(BIN)/$(PYTEST)

# Programs of the system that tests use: $(call program,its commands,what is tested,its name,its package).
# Root gets what is missing; anybody else is told what is skipped. In CI nothing is.
define program
@for name in $(1); do command -v $$name >/dev/null && exit 0; done; \
  if [ "$$(id -u)" = 0 ]; then \
    echo "Installing $(3), for the tests of the $(2) ..." >&2; \
    { apt-get update && apt-get install -y --no-install-recommends $(4); } >$(VENV)/$(4).log 2>&1 && exit 0; \
    why=" and could not be installed (why: $(VENV)/$(4).log)"; \
  fi; \
  missing="$(3) is not here$$why. Install it: apt-get install $(4), as root"; \
  if [ "$$CI" = true ]; then echo "make: the tests of the $(2) cannot be run: $$missing" >&2; exit 1; fi; \
  echo "make: the tests of the $(2) are skipped: $$missing" >&2
endef

browser: $(VENV)/test-ready
	$(call program,chromium chromium-browser google-chrome,page,Chromium,chromium)

office: $(VENV)/test-ready
	$(call program,soffice libreoffice,worksheet,LibreOffice,libreoffice-calc)

# What an install without pins brings today, in an environment of its own. The index of packages has torch for
# CUDA alone on Linux, so without a GPU PyTorch's own index is asked for the CPU build as well.
newest: browser office
	@rm -rf $(NEWEST)
	@$(PYTHON) -m venv $(NEWEST)
	@$(NEWEST)/bin/python -m pip --disable-pip-version-check install --quiet -e '.[all,dev]' hatchling
	@$(NEWEST)/bin/$(PYTEST) -m "not pinned"

check: $(VENV)/test-ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Every published number, anew: all models with three seeds, and ours once more for its log and its pictures.
# A stopped one resumes when it is called again.
results: $(VENV)/run-ready
	@$(BIN)/mnist-adder compare --dataset mnist
	@test -e runs/exact-sum/results.json || $(BIN)/mnist-adder train --dataset mnist --run-dir runs/exact-sum
	@cp runs/exact-sum/results.json results/exact-sum.json
	@cp runs/exact-sum/metrics.csv results/exact-sum.csv
	@$(BIN)/mnist-adder report runs/exact-sum
	@for name in $(PICTURES); do cp runs/exact-sum/report/figures/$$name.png docs/pictures/; done
	@$(BIN)/python docs/tables.py

# One script a claim; trainings that are there already are not repeated.
records: $(VENV)/run-ready
	@for name in example speedrun accuracy size inference growth serving hands paper; do $(BIN)/python benchmarks/$$name.py || exit 1; done
	@$(BIN)/python docs/tables.py

tables: $(VENV)/run-ready
	@$(BIN)/python docs/tables.py

worksheet-pictures: browser office
	@$(BIN)/python docs/worksheet_pictures.py

map: tables
	@$(BIN)/python docs/code_map.py

pins: $(VENV)/tools-ready
	@$(TOOLS)/bin/python requirements/renew.py $(ARGS)

# pip-audit also ends well where no service answered, so what it says is read. It knows torch's CPU build as torch.
audit: $(VENV)/tools-ready
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  $(addprefix -r ,$(filter-out requirements/cpu.txt,$(wildcard requirements/*.txt))) >$(VENV)/audit.log 2>&1; \
	if grep -q "^No known vulnerabilities" $(VENV)/audit.log; then echo "No known vulnerabilities in requirements/."; \
	elif grep -q "^Found [0-9]* known" $(VENV)/audit.log; then cat $(VENV)/audit.log >&2; exit 1; \
	else echo "make: nothing was audited: the service that knows vulnerabilities did not answer (why: $(VENV)/audit.log). Try again where the internet can be reached." >&2; exit 1; fi

# The package with exactly pinned dependencies; `test-ready` adds the tools that tests need.
$(VENV)/run-ready: pyproject.toml requirements/run.txt requirements/cpu.txt requirements/cuda.txt
	@if [ -z "$(PYTHON)" ]; then echo "make: there is no python3 here. Install Python 3.11 or newer." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1), but mnist-adder needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "Setting up $(VENV): the first time this downloads PyTorch, some hundred megabytes ..." >&2
	@$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@{ $(HAS_GPU) || $(BIN)/$(PIP) $(PINNED) requirements/cpu.txt; } >$(VENV)/cpu.log 2>&1 || \
	  echo "No separate CPU build of torch is to be had here (why: $(VENV)/cpu.log): installing the index's." >&2
	@{ $(BIN)/$(PIP) $(PINNED) requirements/run.txt && \
	  { ! $(CUDA_BUILD) || $(BIN)/$(PIP) $(PINNED) requirements/cuda.txt; } && \
	  $(BIN)/$(PIP) --no-build-isolation -e . ; } >$(VENV)/install.log 2>&1 || { \
	  echo "make: the dependencies could not be installed: $$(grep -m1 ERROR $(VENV)/install.log) (all of it: $(VENV)/install.log)" >&2; exit 1; }
	@touch $@

$(VENV)/test-ready: $(VENV)/run-ready requirements/test.txt
	@$(BIN)/$(PIP) $(PINNED) requirements/test.txt >$(VENV)/install.log 2>&1 || { \
	  echo "make: the test tools could not be installed: $$(grep -m1 ERROR $(VENV)/install.log) (all of it: $(VENV)/install.log)" >&2; exit 1; }
	@touch $@

# Apart from the package's environment, which they must not change.
$(VENV)/tools-ready: $(VENV)/run-ready requirements/tools.txt
	@{ $(PYTHON) -m venv $(TOOLS) && $(TOOLS)/bin/$(PIP) $(PINNED) requirements/tools.txt; } >$(VENV)/install.log 2>&1 || { \
	  echo "make: uv and pip-audit could not be installed: $$(grep -m1 ERROR $(VENV)/install.log) (all of it: $(VENV)/install.log)" >&2; exit 1; }
	@touch $@

clean:
	rm -rf $(VENV) $(NEWEST) .mypy_cache .ruff_cache .pytest_cache .hypothesis
