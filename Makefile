# `make` lists the targets. Every target depends on `setup`, which does nothing once its work is done.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CARTWRIGHT := .venv/bin/cartwright
PYTHON_SOURCES := scripts tests services benchmarks conftest.py
# A short command that is compiled anew at each start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.ready ## install the Python environment in .venv and, as root on Debian, the needed packages

.venv/.ready: requirements.lock pyproject.toml $(wildcard services/*/pyproject.toml) tools/debian-packages.toml tools/setup.sh
	@tools/setup.sh
	@touch $@

.PHONY: up
up: setup ## start the embedded cluster with Argo CD and deploy the shop; ends when all is Synced and Healthy
	@$(CARTWRIGHT) up

.PHONY: down
down: setup ## stop the embedded cluster and remove its data
	@$(CARTWRIGHT) down

.PHONY: status
status: setup ## show what runs where: sync, health, version
	@$(CARTWRIGHT) status

.PHONY: demo
demo: setup ## place an order over HTTP through the running shop and print it back from PostgreSQL
	@$(CARTWRIGHT) demo order

.PHONY: open
open: setup ## print the address of everything that has a page
	@$(CARTWRIGHT) open

.PHONY: demo-promotion
demo-promotion: setup ## show a release pass every gate from dev to prod, and a rollback, on its own cluster
	@$(CARTWRIGHT) demo promotion

.PHONY: check
check: setup ## render, validate and check every environment
	@$(CARTWRIGHT) check

.PHONY: test
test: setup lint ## run every test that this machine can, and list those that it can't
	@$(CARTWRIGHT) tools build --tier test > /dev/null
	@.venv/bin/pytest -q --numprocesses=logical --dist=loadgroup

.PHONY: quick
quick: setup lint ## run lint and every fast test that needs no server
	@.venv/bin/pytest -q --numprocesses=logical --dist=loadgroup \
	  -m "not (cluster or node or images or services or registry or browser or slow)"

.PHONY: lint
lint: setup ## ruff, mypy, the order of imports, dead code, opa fmt and opa check, generated files current
	@.venv/bin/ruff check $(PYTHON_SOURCES)
	@.venv/bin/ruff format --check --quiet $(PYTHON_SOURCES)
	@$(MAKE) --no-print-directory types
	@.venv/bin/vulture
	@.venv/bin/lint-imports --no-logo > .venv/imports.txt || { cat .venv/imports.txt; exit 1; }
	@$$($(CARTWRIGHT) tools build opa | cut -d' ' -f3) fmt --fail --list policies
	@$$($(CARTWRIGHT) tools build opa | cut -d' ' -f3) check --strict policies/lib policies/rules policies/conftest policies/gatekeeper
	@$(CARTWRIGHT) networkpolicies --check
	@$(CARTWRIGHT) policy build --check
	@$(CARTWRIGHT) policy docs --check

.PHONY: types
types: setup ## mypy --strict over the command and every service
	@MYPYPATH=$$(echo scripts services/*/src | tr ' ' ':') .venv/bin/mypy

.PHONY: format
format: setup ## rewrite Python and Rego in their standard form
	@.venv/bin/ruff check --fix --quiet $(PYTHON_SOURCES) || true
	@.venv/bin/ruff format --quiet $(PYTHON_SOURCES)
	@$$($(CARTWRIGHT) tools build opa | cut -d' ' -f3) fmt --write policies

.PHONY: generate
generate: setup ## rewrite generated files: NetworkPolicies, Gatekeeper's files, the rules' pages
	@$(CARTWRIGHT) networkpolicies
	@$(CARTWRIGHT) policy build
	@$(CARTWRIGHT) policy docs

.PHONY: tools
tools: setup ## get every pinned tool: from CARTWRIGHT_TOOLS if it has it, else built
	@$(CARTWRIGHT) tools build

.PHONY: images
images: setup ## build the services' images, and stand-ins for images of others
	@$(CARTWRIGHT) images build --stand-ins

.PHONY: bench
bench: setup ## print the figures that the docs quote
	@.venv/bin/python -m benchmarks.check
	@.venv/bin/python -m benchmarks.policies
	@.venv/bin/python -m benchmarks.promote
	@.venv/bin/python -m benchmarks.releases
	@.venv/bin/python -m benchmarks.tools
	@.venv/bin/python -m benchmarks.up

.PHONY: lock
lock: setup ## resolve the Python dependencies again into requirements.lock
	@tools/lock.sh
