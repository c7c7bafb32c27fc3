# `make help` lists what there is. Everything runs in .venv, made on first use.

PYTHON ?= python3
RUN := .venv/bin/python
BIN := .venv/bin

# pyright looks for newer versions of itself on the network unless told not to.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# A user's own packages and settings have no part in any of this.
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

EXAMPLES := $(sort $(dir $(wildcard examples/*/main.py)))

.PHONY: help demo test test-kernels check bench examples golden clean python setup setup-test debian

help: ## this list
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.* ## /\1\t/' | \
	    while IFS="$$(printf '\t')" read -r name text; do printf 'make %-13s %s\n' "$$name" "$$text"; done

demo: setup ## generate, type-check and run examples/execsnoop for five seconds
	@$(RUN) tools/demo.py

test: setup-test debian ## make check, then every test
	@$(MAKE) --no-print-directory check
	$(RUN) -m pytest

test-kernels: setup-test debian ## live tests on other kernels, in virtual machines: KERNELS="6.12 5.10"
	@$(RUN) tools/test_kernels.py $(KERNELS) $(if $(LIMIT),--limit $(LIMIT))

check: setup-test ## linters, formatting, types, and that generated files are current
	$(BIN)/ruff check .
	$(BIN)/black --check --quiet .
	$(BIN)/mypy bpfgen runtime/bpfgen_runtime tools bench
	@# The skeletons by name: in a module that it only follows, below an editable install's
	@# directory, mypy reports nothing.
	@set -e; for folder in $(EXAMPLES); do \
	    echo "mypy --strict $$folder"; $(BIN)/mypy --strict --no-error-summary $$folder*.py; done
	$(RUN) tools/gen_uapi.py --check
	$(RUN) tools/build_examples.py --check

bench: setup-test debian ## ours against peers in C: a table and build/bench.json
	@$(RUN) -m bench.run

examples: setup ## compile the examples' objects and generate their skeletons again
	$(RUN) tools/build_examples.py

golden: setup-test ## write the expected modules of tests/golden again
	$(RUN) -m tests.golden.regenerate

clean: ## remove all that is made, .venv included
	rm -rf .venv build dist runtime/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@$(PYTHON) -c 'import sys; v = ".".join(map(str, sys.version_info[:3])); sys.exit(0 if sys.version_info >= (3, 10) else \
	    "bpfgen needs Python 3.10 or newer; $(PYTHON) is " + v + ": make PYTHON=python3.12 ...")'

setup: python
	@$(PYTHON) tools/setup_venv.py

setup-test: python
	@$(PYTHON) tools/setup_venv.py --test

debian: setup-test
	@$(RUN) tools/setup_debian.py
