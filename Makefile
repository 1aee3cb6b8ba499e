# Every target sets up what it needs; a machine needs only Python (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
COMPAT = $(VENV)/.compat
COMPILED = src/audit_mw/_native.pyx src/audit_mw/policy/_names.pyx \
  src/audit_mw/trail/_lines.pyx
SLOW = tests/benchmarks tests/test_linear.py
# tests/compat needs more than Python: see test-compat.
QUICK = -m "not long and not torture" --ignore=tests/compat
# The tests wait for disks and for processes: three workers keep two cores at work.
CORES := $(shell nproc 2>/dev/null || echo 2)
EFFORT ?= 1
ROUNDS ?= 8
WORKERS ?= $(shell expr $(CORES) \* 3 / 2)
# What passed leaves no files: else gigabytes would be written to the disk.
PYTEST = -n $(WORKERS) -q -o tmp_path_retention_policy=failed
# The mode shows what is not closed. It would also fill and check each block of memory,
# for half of the time in all; that finds faults of C:
# `make test MODE=PYTHONDEVMODE=1 TESTS=tests/compiled` looks for ours. Without written
# bytecode each process of a test would compile the package again.
MODE = PYTHONDEVMODE=1 PYTHONMALLOC=pymalloc PYTHONDONTWRITEBYTECODE=
# What one Python tells for all, because data, disks, kernel or servers decide it.
ALIKE = torture entries examples console/test_servers.py console/test_processes.py \
  edges/test_servers.py test_canary.py test_demo.py test_documents.py test_floors.py \
  test_fuzz.py trail/test_deaths.py trail/test_instants.py upkeep/test_close.py

.PHONY: demo test test-long test-slow test-compat test-load test-peers test-pythons torture nightly bench check fmt format lint types floors cover serve-fastapi serve-flask clean

demo: $(READY)          ## serve both examples for real, attack them, show the trail
	$(BIN)/python examples/demo.py

test: $(READY)          ## all tests but the long ones
	$(MODE) $(BIN)/pytest $(PYTEST) $(QUICK) $(TESTS)

# EFFORT=8 has eight times as much tried.
test-long: $(READY)     ## fuzzing and load at length
	EFFORT=$(EFFORT) PYTHONDONTWRITEBYTECODE= $(BIN)/pytest $(PYTEST) -m long --ignore=tests/compat \
	  $(SLOW:%=--ignore=%)

test-slow: $(READY)     ## the long forms of what measures, and of hostile requests
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest $(PYTEST) -m long $(SLOW)

# Elsewhere the same is drawn each time: what fails there tells of the change.
.PHONY: explore
explore: export EXPLORE = 1
explore: $(READY)       ## what is drawn at random, drawn anew ROUNDS times
	for round in $$(seq $(ROUNDS)); do \
	  $(MODE) $(BIN)/pytest $(PYTEST) -m "hypothesis and not long" --ignore=tests/compat \
	    $(TESTS) || exit 1; \
	done

# What takes too long for each change: two hours or so.
nightly: export EXPLORE = 1
nightly: test-peers test-load test-slow torture explore
	$(MAKE) --no-print-directory test-long EFFORT=8

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

# BENCH="--server uvicorn --workload get" has less of it; --help says what there is.
bench: $(READY)         ## the middleware beside its peers: benchmarks/REPORT.md
	$(BIN)/python -m benchmarks.report $(BENCH)

# What each of these prints, and how to read it: benchmarks/MICRO.md.
.PHONY: bench-micro bench-compare bench-scale bench-memory

bench-micro: $(READY)   ## each part: instructions and time of a call
	$(BIN)/python -m benchmarks.micro $(BENCH)

bench-compare: $(READY) ## each part against a revision: BASE=main
	$(BIN)/python -m benchmarks.compare $(or $(BASE),main) $(BENCH)

bench-scale: $(READY)   ## how cost grows with workers, connections, params, the trail
	$(BIN)/python -m benchmarks.scale --svg benchmarks/charts $(BENCH)

bench-memory: $(READY)  ## memory of a worker, of a request, through a large upload
	$(BIN)/python -m benchmarks.memory $(BENCH)

# Every other Python from 3.11 on that the machine has: what may differ between them.
test-pythons: $(READY)
	@own=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	for version in 3.11 3.12 3.13 3.14; do \
	  [ $$version = $$own ] && continue; \
	  python=$$(sh tests/find_python.sh $$version) || continue; \
	  echo "--- Python $$version"; \
	  $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$$version \
	    TESTS="$(ALIKE:%=--ignore=tests/%)" || exit 1; \
	done

# What goes the compiled road otherwise.
.PHONY: test-pure
test-pure: $(READY)     ## edges, voice and integrations without the compiled road
	AUDIT_MW_COMPILED=off $(MODE) $(BIN)/pytest $(PYTEST) $(QUICK) \
	  tests/edges tests/voice tests/integrations tests/detectors

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
	$(MODE) $(BIN)/coverage run -m pytest $(PYTEST) $(QUICK)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

fmt: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve-fastapi: $(READY)
	$(BIN)/uvicorn --app-dir examples fastapi_app.app:app --port 8000 --no-proxy-headers

serve-flask: $(READY)
	PYTHONPATH=examples $(BIN)/gunicorn flask_app.app:app --bind 127.0.0.1:8001

$(READY): pyproject.toml $(COMPILED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e ".[dev]"
	touch $(READY)

$(COMPAT): $(READY)
	$(BIN)/pip install -q -e ".[dev,compat]"
	touch $(COMPAT)

clean:
	rm -rf build src/*.egg-info src/audit_mw/*.so src/audit_mw/*/*.so $(COMPILED:.pyx=.c)
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
