# The commands of the project; `make` alone lists them. Plain POSIX sh, for GNU make 3.81 (macOS) and newer.
.DEFAULT_GOAL := help
.PHONY: help run test check lint format check-all slow bench audit translations lock clean venv venv-dev

VENV := .venv
PY := $(VENV)/bin/python
# Set it to choose the interpreter: make run PYTHON=python3.12
export PYTHON VENV

# What pip needs at run time: ours, then the product's own.
PACKAGES := requirements.txt requirements-app.txt
# What a newcomer's machine can run: no browser, no server, no long wait.
QUICK := not browser and not postgresql and not mariadb and not structure and not slow
# What `make check` has run already, and no server changes.
DONE := sqlite and $(QUICK)
# The checks use all cores; a test file stays in one process, which builds its fixtures once. By
# default files with few tests come last: those that take longest, with one core idle at the end.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
# How much of the code the tests run, at least; it takes as long to measure as to test. The demo's
# tests run parts of core: without them it is 93 per cent.
COVERAGE := --cov --cov-fail-under=90

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: venv  ## set everything up and serve the site in development
	@$(PY) -m flask setup
	@$(PY) run.py

test: venv  ## run the tests on SQLite; ARGS="-k name" is handed to pytest
	@TEST_DATABASE_URL= $(PY) -m pytest -m "$(QUICK)" $(ARGS)

check: lint  ## check style, types and imports, then run the tests with coverage
	TEST_DATABASE_URL= $(PY) -m pytest $(PARALLEL) $(COVERAGE) -m "$(QUICK) $(BUT)" $(ARGS)

lint: venv-dev  ## check style, types and imports alone
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PY) -m bandit -q -c pyproject.toml -r core app config.py services.py settings.py run.py
	$(PY) -m djlint --quiet --lint core app
	$(PY) -m djlint --check core app
	$(PY) scripts/translations.py --check

# djlint says by its status that it has changed something.
format: venv-dev  ## mend what `make lint` says of style, in Python and in templates
	$(PY) -m ruff format --quiet .
	$(PY) -m ruff check --fix --quiet .
	$(PY) -m ruff format --quiet .
	$(PY) -m djlint --quiet --reformat core app || true

# The last run is everything on PostgreSQL, MariaDB and in the browser; what is the same as in check
# is not run again.
check-all: check  ## check, then every test on PostgreSQL, MariaDB and in a browser
	@$(PY) scripts/databases.py $(PY) -m pytest $(PARALLEL) --no-skips -m "not slow and not ($(DONE))" $(ARGS)

slow: venv-dev  ## what takes minutes: another Python, long tests on every database, Lighthouse
	@TEST_DATABASE_URL= sh scripts/another-python.sh -m pytest $(PARALLEL) --no-skips -m "$(QUICK)" $(ARGS)
	@$(PY) scripts/databases.py $(PY) -m pytest --no-skips -m slow $(ARGS)
	@$(PY) scripts/lighthouse.py

audit: venv-dev  ## look for known vulnerabilities in all pinned packages; needs a network
	@$(PY) scripts/audit.py $(ARGS)

# The peers' packages go into .venv-bench-* when they are first measured.
bench: venv  ## measure the speed on PostgreSQL; ARGS=growth and ARGS=serving measure more
	@$(PY) -m benchmarks $(ARGS)

translations: venv  ## bring the catalogues up to date with the texts; tells what to translate
	@$(PY) scripts/translations.py

lock:  ## pin all packages again after a change of a .in file or a merge, and install the product's; UPGRADE=1 renews them
	@sh scripts/venv.sh
	@UPGRADE=$(UPGRADE) sh scripts/lock.sh
	@sh scripts/venv.sh $(PACKAGES)

clean:  ## remove what these commands made, except .env and the databases
	rm -rf .venv .venv-py* .venv-bench-* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@sh scripts/venv.sh $(PACKAGES)

venv-dev:
	@sh scripts/venv.sh $(PACKAGES) requirements-optional.txt requirements-dev.txt
