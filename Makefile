# `make` lists the targets. The set-up that they share is in tools/.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help app test lint format bench gpu-check image clean venv test-venv

IN_VENV := .venv/bin/python
# The types of the packages that are pinned for Python 3.10 are older, and others.
TYPES := $(IN_VENV) -c 'import sys; sys.exit(sys.version_info >= (3, 11))' || $(IN_VENV) -m mypy
# Each worker takes whole files, so that what the tests of a file share (a trained network, the running app) is made once.
WORKERS ?= 2
# What builds images; podman does as well.
DOCKER ?= docker
# What to hand to pytest, for example: make test PYTEST="-k scores"
PYTEST ?=

help: ## list the targets
	@echo "ReCAM Lab. Start with: make app"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

app: venv ## start the lab in the browser (PORT=8600 chooses the port, HOST=0.0.0.0 lets the network in: docs/hosting.md)
	@exec $(IN_VENV) tools/start_app.py

test: test-venv ## check style, formatting and types, then run every test (PYTEST="-k scores" runs some)
	@bash tools/browser.sh
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	.venv/bin/oxlint
	$(TYPES)
	$(IN_VENV) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST)

lint: test-venv ## check style, formatting and types only
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	.venv/bin/oxlint
	$(TYPES)

format: test-venv ## put style and formatting right
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

bench: venv ## run every benchmark; each prints its ratios
	@for script in benchmarks/*.py; do \
	  echo "== $$script"; PYTHONPATH=. $(IN_VENV) "$$script" || exit 1; \
	done

gpu-check: test-venv ## on a machine with a CUDA GPU: its tests and benchmarks, and their table for docs/results.md
	@PYTHONPATH=. $(IN_VENV) tools/gpu_check.py

image: ## build the container image recam-lab, which compose.yaml runs (see docs/hosting.md)
	$(DOCKER) build --build-arg TORCH_INDEX="$(TORCH_INDEX)" -t recam-lab .

clean: ## delete .venv and caches (runs/ and downloaded data stay)
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@bash tools/venv.sh requirements.txt

test-venv:
	@bash tools/venv.sh requirements.txt requirements-test.txt
	@bash tools/venv.sh requirements-crf.txt || echo "Without a C++ compiler the tests of the dense CRF are skipped."
