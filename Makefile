# Every target sets up what it needs; a machine needs only Python (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
COMPAT = $(VENV)/.compat
# tests/compat needs more than Python: see test-compat.
QUICK = -m "not long and not torture" --ignore=tests/compat

.PHONY: demo test test-long test-compat test-load test-peers test-pythons torture nightly bench check fmt format lint types floors cover serve-fastapi serve-flask clean

demo: $(READY)          ## serve both examples for real, attack them, show the trail
	$(BIN)/python examples/demo.py

test: $(READY)          ## all tests but the long ones
	PYTHONDEVMODE=1 $(BIN)/pytest -n auto -q $(QUICK)

test-long: $(READY)     ## fuzzing and load at length
	$(BIN)/pytest -n auto -q -m long --ignore=tests/compat

# What takes too long for each change: an hour or so.
nightly: test-peers test-load torture

# Every server, proxy and framework. Needs gcc, and Debian's nginx-light, haproxy,
# apache2, libapache2-mod-wsgi-py3 and openssl: .ci/run installs them.
test-compat: $(COMPAT)
	$(BIN)/pytest -n auto -q -m "not long" tests/compat

# Load and soak: 50,000 mixed requests at two servers, and ten minutes of memory.
test-load: $(COMPAT)
	$(BIN)/pytest -q -m long tests/compat/load

# The suites of Starlette and Flask, bare and with every application wrapped.
test-peers: $(COMPAT)
	$(BIN)/python -m tests.compat.peers.run

# Processes killed 2,000 times, disks that fail, at random: TORTURE="--kills 50 --seed 1"
# has it shorter, and again. Needs gcc and strace; root, for disks of its own.
torture: $(READY)
	$(BIN)/python -m tests.torture.run $(TORTURE)

bench: $(READY)         ## the middleware against the server's own access log
	$(BIN)/python -m benchmarks.servers

# Every other Python from 3.11 on that the machine has.
test-pythons: $(READY)
	@own=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	for version in 3.11 3.12 3.13 3.14; do \
	  [ $$version = $$own ] && continue; \
	  python=$$(sh tests/find_python.sh $$version) || continue; \
	  echo "--- Python $$version"; \
	  $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$$version || exit 1; \
	done

check: format lint types floors cover

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

floors: $(READY)        ## imports point down; the documents show what the code says
	$(BIN)/python -m tests.floors --check
	$(BIN)/python -m tests.generated --check

cover: $(READY)         ## the tests, with branch coverage of the package and of themselves
	rm -f .coverage .coverage.*
	PYTHONDEVMODE=1 $(BIN)/coverage run -m pytest -n auto -q $(QUICK)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

fmt: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve-fastapi: $(READY)
	$(BIN)/uvicorn --app-dir examples fastapi_app.app:app --port 8000 --no-proxy-headers

serve-flask: $(READY)
	PYTHONPATH=examples $(BIN)/gunicorn flask_app.app:app --bind 127.0.0.1:8001

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e ".[dev]"
	touch $(READY)

$(COMPAT): $(READY)
	$(BIN)/pip install -q -e ".[dev,compat]"
	touch $(COMPAT)

clean:
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
