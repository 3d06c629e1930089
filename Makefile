# Everything starts here: each target makes .venv first if it is not there or not up to date.
.DEFAULT_GOAL := help
.PHONY: help run test lint docs ui serve bench lock clean distclean

# No library calls home. The values matter: MLflow wants the word `true`, Evidently's older part the digit 1.
export DO_NOT_TRACK := true
export KEDRO_DISABLE_TELEMETRY := true
export MLFLOW_DISABLE_TELEMETRY := true
export ITERATIVE_DO_NOT_TRACK := 1
export EVIDENTLY_DISABLE_TELEMETRY := 1
# A Python to make .venv with, if not the newest one found: make PYTHON=python3.12
export PYTHON

BIN := .venv/bin
INSTALLED := .venv/.installed
DOCS_INSTALLED := .venv/.docs_installed
UV ?= uv

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1	/p' Makefile | awk -F '\t' '{printf "%-15s %s\n", $$1, $$2}'

$(INSTALLED): requirements.lock pyproject.toml tools/bootstrap.sh
	@tools/bootstrap.sh

run: $(INSTALLED) ## the whole lifecycle on the housing data, from raw file to drift timeline
	@$(BIN)/kedro rai demo

test: $(INSTALLED) ## the tests, without the slow ones and those that need a browser
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not browser"

lint: $(INSTALLED) ## ruff, formatting, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

$(DOCS_INSTALLED): $(INSTALLED) requirements-docs.lock
	@tools/bootstrap.sh docs

docs: $(DOCS_INSTALLED) ## the documentation site, in build/docs; every warning is an error, dead links and anchors too
	@$(BIN)/python -m sphinx -q -E -a -W --keep-going -d build/doctrees docs build/docs
	@echo "The documentation is in build/docs/index.html."

ui: $(INSTALLED) ## MLflow, Evidently and Kedro-Viz in the browser; Ctrl-C stops them (other ports: UI="--mlflow-port 5001")
	@$(BIN)/python -m rai_kedro.ui $(UI)

serve: $(INSTALLED) ## a shared MLflow server with login, for --env prod; Ctrl-C stops it (another port: SERVE="--port 5001")
	@$(BIN)/python -m rai_kedro.server $(SERVE)

bench: $(INSTALLED) ## how long the stages and a fairness assessment take, and how much memory; how often the intervals hold
	@$(BIN)/python benchmarks/commands.py
	@$(BIN)/python benchmarks/lifecycle.py
	@$(BIN)/python benchmarks/fairness_speed.py
	@$(BIN)/python benchmarks/coverage.py
	@$(BIN)/python benchmarks/monitor.py
	@$(BIN)/python benchmarks/monitor_fairness.py
	@$(BIN)/python benchmarks/estimates.py --quick
	@$(BIN)/python benchmarks/evidence.py

lock: ## resolve the dependencies anew for Python 3.11-3.14 on Linux and macOS (needs uv)
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-annotate \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --extra dev --group build pyproject.toml -o requirements.lock
	@$(UV) pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-annotate \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --group docs --constraints requirements.lock -o requirements-docs.lock

clean: ## delete what runs have made (data/02-08, MLflow, caches), not raw data, tracked files or .venv
	@find data/0[2-8]_* -type f ! -name .gitkeep -delete 2>/dev/null || true
	@find data/0[2-8]_* -mindepth 1 -type d -empty -delete 2>/dev/null || true
	@rm -rf mlflow.db mlflow.db-* mlruns mlartifacts emissions.csv .viz build dist htmlcov .coverage docs/reference/python
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## the same, and .venv too
	@rm -rf .venv
