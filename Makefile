# Two commands set up everything: `make rehearse` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup rehearse test kill-all sticks check bench docs screenshots lock clean

help:
	@echo "make rehearse   a whole practice ceremony on this machine"
	@echo "make test       every check and test"
	@echo "make kill-all   kill -9 at every point of a ceremony, and what comes of it"
	@echo "make sticks     udisks2 itself mounts a stick, as root on a Linux with loop devices"
	@echo "make bench      measurements, beside the OpenSSL recipe"
	@echo "make docs       the table of control codes, from assets/codes.toml"
	@echo "make screenshots  pictures of the wizard, for assets/screenshots"
	@echo "make setup      the virtual environment only"

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or later is needed\nhint: set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else 0'
	@echo "setup: creating $(VENV) from requirements.lock"
	@$(PYTHON) -m venv $(VENV) || { echo "hint: install the venv module: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.ready tests/requirements.lock
	@echo "setup: adding the test tools"
	@$(PIP) install --require-hashes --no-deps -r tests/requirements.lock
	@touch $@

rehearse: setup
	@sh assets/softhsm.sh
	@$(BIN)/ceremony rehearse

test: $(VENV)/.tested
	@sh assets/softhsm.sh
	@sh tests/parts.sh
	$(MAKE) check
	$(BIN)/python -m pytest

kill-all: $(VENV)/.tested
	@sh assets/softhsm.sh
	@$(BIN)/python tests/stories/kill_all.py

sticks: $(VENV)/.tested
	@$(BIN)/python -m tests.offline.real_sticks

check: $(VENV)/.tested
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.tested
	@sh assets/softhsm.sh
	@$(BIN)/python tests/bench.py
	@$(BIN)/python tests/bench_devices.py

docs: setup
	@$(BIN)/python tests/house/codes.py

screenshots: $(VENV)/.tested
	@sh assets/softhsm.sh
	@$(BIN)/python tests/screenshots.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
