# Everything a developer, CI and an operator run. `make help` lists it. Needs Python 3.11-3.13, Node and make; no more.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
REQUIREMENTS := requirements.txt requirements-dev.txt constraints.txt
# What was installed, so that the second time is offline and quick. Contents, not times: a checkout changes times.
STAMP := $(VENV)/installed-requirements.txt
# Two workers unless told: the suite starts engines of its own, and small machines have two cores.
WORKERS ?= 2
PYTEST := $(PY) -m pytest -q -n $(WORKERS) --dist loadgroup
STAGE ?= prod
KILLS ?= 100
MINUTES ?= 120
WORDS ?= 1000

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings: PORT=8000 PARLEY_DATA=.local PARLEY_SEED=none (run), PYTHON=python3.x (first set-up), WORKERS=2 (tests),"
	@echo "  REGION=eu1 STAGE=prod (package), KILLS=100 (kill), WORDS=1000 (regions),"
	@echo '  MODULE="core/cursor auth/totp" MINUTES=120 AGAIN=1 (mutants: some modules, at most so long, what survived last time)'

# The first Python that really runs (a version manager's shim may not) and is of a version we test.
.PHONY: venv
venv:
	@if ! $(PY) -c '' 2>/dev/null; then \
	  found=; \
	  for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	    if $$candidate -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	    then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No usable Python: Parley needs 3.11, 3.12 or 3.13 with its venv module" \
	      "(Debian: apt-get install python3-venv). Choose one with: make PYTHON=/path/to/python" >&2; exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$($$found --version)"; \
	  rm -rf $(VENV) && $$found -m venv $(VENV); \
	fi
	@if ! cat $(REQUIREMENTS) | cmp -s - $(STAMP); then \
	  echo "Installing Python packages"; \
	  $(PY) -m pip install --disable-pip-version-check -q -r requirements-dev.txt -c constraints.txt && cat $(REQUIREMENTS) > $(STAMP); \
	fi

.PHONY: setup
setup: venv ## Install what is missing (every other command does it too)
	@$(PY) -m local.setup

.PHONY: run
run: setup ## Run Parley on this machine, with demo data, until Ctrl-C
	@exec $(PY) -m local

.PHONY: check
check: setup ## The quick gate: format, lint, types, dependency rule, unit and route tests
	@$(PY) -m ruff format --check --quiet . || { echo "Not formatted. Run: make format" >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(PYTEST) -m "not stack and not packaging and not crashes"

.PHONY: test
test: check ## The whole gate, as CI runs it: check, then packaging tests and tests against the running stack
	@$(PYTEST) -m "stack or packaging"

.PHONY: browser-test
browser-test: setup ## Open fifty hostile files in Chromium (part of `test` where Chromium is installed)
	@command -v chromium >/dev/null || { echo "Chromium is missing. Debian: apt-get install chromium" >&2; exit 1; }
	@$(PYTEST) -m stack tests/files/test_served.py

.PHONY: format
format: venv ## Format the code and fix what lint can fix
	@$(PY) -m ruff check --fix --quiet --exit-zero .
	@$(PY) -m ruff format .

.PHONY: bench
bench: setup ## Measure: latency at size, CPU per request, import cost, package size
	@exec $(PY) -m bench

.PHONY: cost
cost: setup ## Measure what acts take of AWS, and write docs/cost.md from that and bench/cost/prices.toml
	@exec $(PY) -m bench.cost

.PHONY: cost-page
cost-page: venv ## Write docs/cost.md again, after new prices, assumptions or templates
	@exec $(PY) -m bench.cost --page

.PHONY: kill
kill: setup ## Kill the whole stack under load, again and again (KILLS=100), and look for what was lost
	@exec $(PY) -m bench.kill --kills $(KILLS)

.PHONY: crashes
crashes: setup ## Every fault at every call of every write, and all pairs of them in a message, a webhook and a hook of Stripe
	@$(PYTEST) -m crashes tests/crashes

.PHONY: billing-histories
billing-histories: setup ## 10,000 made-up histories of a subscription: what we know ends as what Stripe has
	@PARLEY_EXAMPLES=10 $(PYTEST) tests/billing/test_histories.py

.PHONY: fuzz
fuzz: setup ## 100,000 made-up requests by eight principals: no 5xx, no answer that is not documented
	@PARLEY_FUZZ=105000 $(PYTEST) tests/fuzz/test_requests.py

.PHONY: mutants
mutants: setup ## Change the code of log-in, table and cursors in thousands of ways: tests must notice (MODULE=core/cursor)
	@exec nice -n 19 $(PY) -m bench.mutants --workers $(WORKERS) --minutes $(MINUTES) $(if $(AGAIN),--again) $(MODULE)

.PHONY: regions
regions: setup ## Run two regions side by side: search each for the other's data, lose one and restore it (WORDS=1000)
	@exec $(PY) -m bench.regions --words $(WORDS)

.PHONY: package
package: venv ## Build what is deployed, in dist/<region>-<stage>/ (REGION="eu1 us1" STAGE=prod; all regions unless told)
	@$(PY) -m infra.package --stage $(STAGE) $(if $(REGION),--region $(REGION))

DEPLOY = $(PY) -m infra.deploy $@ --region $(or $(REGION),$(error Which region? REGION=eu1)) --stage $(STAGE)

.PHONY: deploy
deploy: package ## Deploy a stage to a region: REGION=eu1 STAGE=prod; shows what would change, and asks (YES=1: doesn't)
	@$(DEPLOY) $(if $(YES),--yes)

.PHONY: diff
diff: package ## Tell what a deploy would change
	@$(DEPLOY)

.PHONY: destroy
destroy: venv ## Delete a stage's application stack; with DATA=1, and its name typed, the data stack. The data stays
	@$(DEPLOY) $(if $(DATA),--data)

.PHONY: clean
clean: ## Remove the local stack's data (.local/), build output and caches; keep what was installed
	@if [ -e .local/lock ] && $(PY) -c '' 2>/dev/null && \
	  ! $(PY) -c 'import fcntl; fcntl.flock(open(".local/lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; \
	then echo "A stack is running on the data in .local/. Stop it first: Ctrl-C where it runs." >&2; exit 1; fi
	@rm -rf .local dist .chalice/deployments .mutants .mypy_cache .pytest_cache .hypothesis .ruff_cache .import_linter_cache
	@find . \( -name .venv -o -name .venv-ministack -o -name node_modules -o -name .wheels -o -name .git \) -prune \
	  -o -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## clean, and remove everything that was installed
	@rm -rf .venv .venv-ministack .wheels local/node_modules
