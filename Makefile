# `make demo` and `make test` set up their own environment. A second call installs nothing, needs no
# network, and goes straight to the demo or the tests.
PYTHON ?= python3
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
VENV ?= .venv
TORCH := torch==2.13.0
# The tests are many small steps: threads that wait for one another only slow them down.
export OMP_NUM_THREADS ?= 1
# Processes that share the tests, a file at a time.
WORKERS ?= auto

.PHONY: demo test lint js format clean

demo: $(VENV)/.demo
	$(VENV)/bin/attnviz demo

test: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# The explorer's JavaScript: only who changes it needs Node (20 or newer).
JS := attnviz/explorer/js
js: $(JS)/node_modules/.package-lock.json
	cd $(JS) && npm run --silent lint && npm test --silent && npm run --silent build
	git diff --exit-code -- attnviz/explorer/explorer.js attnviz/explorer/explorer.css

$(JS)/node_modules/.package-lock.json: $(JS)/package-lock.json
	cd $(JS) && npm ci --no-audit --no-fund

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info demo-output

$(VENV)/.torch:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "attnviz needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) cannot make a virtual environment; install its venv module (Debian: python3-venv)."; exit 1; }
	$(VENV)/bin/pip install --no-deps --timeout 15 --retries 0 --index-url $(TORCH_INDEX) $(TORCH) || \
	  $(VENV)/bin/pip install --no-deps $(TORCH)
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml constraints.txt
	$(VENV)/bin/pip install -c constraints.txt -e '.[torch]'
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml constraints.txt
	$(VENV)/bin/pip install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.demo
