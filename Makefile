# Every target sets itself up in .venv; nothing but git, Python 3.11+ and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n 2 --dist worksteal
STAMP := $(VENV)/.ready
# Compiled files save every process of the tests two seconds; git ignores them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run chat test check bench format clean
.DEFAULT_GOAL := run

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Smileline needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

run: $(STAMP)  ## everything that is configured; with no token, the local chat page
	$(BIN)/smileline run

chat: $(STAMP)  ## the same conversation in the terminal
	$(BIN)/smileline chat

test: $(STAMP)  ## all tests; a third worker, for many of them wait for a process that was killed
	$(PYTEST) -n 3

check: $(STAMP)  ## format, lint, types, fast tests; a minute or so
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow" --hypothesis-profile quick

bench: $(STAMP)  ## speed and accuracy, beside what one would use instead; BENCH=--full takes hours
	$(BIN)/pip install --quiet --disable-pip-version-check scikit-learn
	$(BIN)/python -m benchmarks $(BENCH)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
