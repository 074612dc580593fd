# The course's commands. `make` alone lists them.
# make setup PYTHON=/path/to/python3.12         takes another Python than the one that is found
# make test SHARD=pieces                        takes a part of the tests: lessons, classes, pieces
# make site SITE_OPTIONS=--answers              makes the instructor's edition of the pages
# make lab LAB_OPTIONS="--no-browser --port=8890" hands options to JupyterLab

VENV := .venv
BIN := $(VENV)/bin
SHARD := all
READY := $(VENV)/.ready
SITE_READY := $(VENV)/.ready-for-site

.DEFAULT_GOAL := help
.PHONY: help setup lab notebooks test test-quick format train bench bench-grading site site-check

help:  ## list these targets
	@echo "Usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## /  \1:/p' Makefile | while IFS=: read -r name what; do \
		printf '  %-14s %s\n' $$name "$$what"; done

setup: $(READY)  ## set up everything in .venv, the autograder command too
	@grep -qxF "$$(pwd -P)" $(READY) || PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV)
	@echo "Everything is set up in $(VENV)."

# Set up again when what is asked for has changed; otherwise there is nothing to do.
$(READY): pyproject.toml autograder/pyproject.toml constraints.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh $(VENV)

lab: setup  ## open the first lesson in JupyterLab
	@sh scripts/lab.sh $(BIN) $(LAB_OPTIONS)

notebooks: setup  ## build notebooks/ and exercises/ from the lessons and solutions/
	@$(BIN)/python -m course.build

test: setup  ## check style and types, and run all tests
	@echo "Checking style ..."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "Checking types ..."
	@$(BIN)/basedpyright --pythonpath $(BIN)/python --warnings
	@echo "Running the tests ..."
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal --shard=$(SHARD)

test-quick: setup  ## run for a minute the tests nearest to what you changed
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.quick

format: setup  ## put the code into its standard form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

train: setup  ## teach the Transformer to translate numbers (about a minute)
	@$(BIN)/python -m translation

bench: setup  ## measure speed against torch.nn.Transformer (a quarter of an hour)
	@$(BIN)/python -m benchmarks

bench-grading: setup  ## measure how fast a class is graded, beside nbgrader alone (ten minutes)
	@$(BIN)/python -m benchmarks.classroom

site: setup $(SITE_READY)  ## build the course as static pages in build/site (half an hour at first)
	@$(BIN)/python -m website $(SITE_OPTIONS)

site-check: setup $(SITE_READY)  ## look at every page in Chromium: accessibility, other hosts, answers
	@$(BIN)/python -m website.check

$(SITE_READY): $(READY)
	@echo "Installing what makes pages ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ./autograder --editable '.[site]'
	@touch $@
