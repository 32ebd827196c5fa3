# Two commands matter: `make lab` opens the notebooks, `make test` checks everything.
#
#   make lab ARGS="--port 9999 --no-browser"    Jupyter's own options
#   make test PYTHON=python3.13                 another Python, for the first set-up

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: setup lab test lint notebooks pack claims clean

setup: $(READY)

# The stamp is younger than both files as long as nothing has to be installed again.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || \
		{ echo "make: $(PYTHON) was not found; install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $$($(PYTHON) -V 2>&1) is too old; name a Python 3.11 or newer: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) cannot make virtual environments; install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[lab,volume,test]'
	@touch $@

lab: $(READY)
	$(BIN)/cdseg-teach lab $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# On the CPU, also where a GPU is: notebooks compare what they print, and its last digits differ.
test: lint
	$(BIN)/pytest
	$(if $(NOTEBOOKS),CUDA_VISIBLE_DEVICES= $(BIN)/pytest --nbval --nbval-current-env $(NOTEBOOKS),@echo "no notebooks yet")

# Run the text sources notebooks/*.py and store what they show in the .ipynb beside them.
notebooks: $(READY)
	$(BIN)/python data_scripts/run_notebooks.py

# Build what is missing or stale in the lecture pack: hours on two cores; interrupt it as you like.
pack: $(READY)
	$(BIN)/cdseg-teach pack build

# Compute what the recorded claims rest on again, and print it: four hours on two cores.
claims: $(READY)
	@mkdir -p artifacts/ge_to_swi artifacts/mr_to_ct artifacts/ct_to_mr
	$(BIN)/cdseg-teach table --task brain --seeds 0,1,2,3,4,5,6,7 --out artifacts/claims.csv
	$(BIN)/cdseg-teach sweep --task brain --alphas 0,1 --seeds 0,1,2,3,4 --out artifacts/claims_alpha.csv
	$(BIN)/cdseg-teach table --task brain --methods all --out artifacts/ge_to_swi/results.csv
	$(BIN)/cdseg-teach table --task heart --direction mr_to_ct --methods all --out artifacts/mr_to_ct/results.csv
	$(BIN)/cdseg-teach table --task heart --direction ct_to_mr --methods all --out artifacts/ct_to_mr/results.csv

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache artifacts build *.egg-info
