# The daily commands; `just` lists them.

bin := ".venv/bin"

_default:
    @just --list

# Make the environment and install everything for development.
setup:
    python3 -m venv .venv
    {{ bin }}/pip install --quiet --editable '.[dev]'

# Run tests: all of them, or what pytest is given.
test *arguments:
    {{ bin }}/python -m pytest -q {{ arguments }}

# Check style, types and imports.
lint:
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check .
    {{ bin }}/mypy
    {{ bin }}/lint-imports

# Write the code in the formatter's style.
format:
    {{ bin }}/ruff check --fix .
    {{ bin }}/ruff format .

# Build the documentation, warnings as errors.
docs:
    {{ bin }}/sphinx-build -W --keep-going -q docs build/docs

# Check this project's own prompts.
prompts:
    {{ bin }}/promptstore check --code promptstore
    {{ bin }}/promptstore format --check
    {{ bin }}/promptstore stubs --check --output tests/data/prompts.pyi

# Run all that a change must pass, in this environment.
check: lint prompts docs test

# Measure against other libraries; takes minutes.
bench *arguments:
    {{ bin }}/python -m tests.benchmarks {{ arguments }}
