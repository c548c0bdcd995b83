# `make demo` and `make test` set up .venv on first use; later calls find it ready.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test test-slow test-notebooks lint clean

demo: .venv/ready
	$(BIN)/python pipelines/demo.py

test: .venv/ready
	$(BIN)/python -m pytest -n auto

test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow

test-notebooks: .venv/ready
	$(BIN)/python -m pytest -m "" tests/test_notebooks.py

lint: .venv/ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check asr benchmarks pipelines tests && $(BIN)/mypy && $(BIN)/lint-imports

clean:
	rm -rf .venv demo build *.egg-info

.venv/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
