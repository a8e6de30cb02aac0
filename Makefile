# `make help` lists the targets. All of them run in one Python environment that local/bootstrap.py makes.
SHELL := /bin/bash
STACK ?= local
CLUSTER ?=
RUN := @python3 local/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help up preview rehearsal env down clean test test-unit bench drill events lint format schema lock

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## From a fresh clone to models that answer (CLUSTER=<context>: on a cluster of yours; STACK=<stack>)
	$(RUN) local up --stack '$(STACK)' --cluster '$(CLUSTER)'

preview: ## What `make up` would change, and what it does to traffic; changes nothing (STACK=, CLUSTER=)
	$(RUN) local preview --stack '$(STACK)' --cluster '$(CLUSTER)'

rehearsal: ## Production's whole stack file on this machine: AWS by moto, Kubernetes by the local stack
	$(RUN) local up
	$(RUN) pytest tests/integration/aws/test_rehearsal.py

env: ## Print what pulumi, kubectl and curl need; the README says how to eval it
	$(RUN) local env

down: ## Stop the local stack and keep what was built
	$(RUN) local down

clean: ## Stop it and delete all of it: state, images, tools
	$(RUN) local clean

test: lint test-unit ## Every test; starts what it needs
	$(RUN) local up
	$(RUN) pytest tests/integration tests/e2e

test-unit: ## The tests that need nothing running
	$(RUN) pytest tests/unit tests/contract

bench: ## Benchmarks on the running local stack, about 40 min; the figures go to bench/RESULTS.md
	@eval "$$($(MAKE) -s env)" && python3 local/bootstrap.py bench bench $(NAMES)

drill: ## The long runs under load, with kills, about an hour; the figures go to bench/RESULTS.md
	@eval "$$($(MAKE) -s env)" && python3 local/bootstrap.py bench drill $(NAMES)

events: ## Follow the events of the running local stack in this terminal
	$(RUN) watcher.follow

lint: ## Style, types, import rules, and whether the schema is fresh
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports

format: ## Let ruff put the style right
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

schema: ## Write stacks/schema.json anew
	$(RUN) components.spec

lock: ## Pin the dependencies anew, with hashes and without addresses (needs uv)
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header -o requirements.txt requirements.in
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --override requirements-overrides.txt -o requirements-dev.txt requirements-dev.in
	for room in harness/python watcher; do \
	  uv pip compile -q --generate-hashes --no-emit-index-url --no-header -o $$room/requirements.txt $$room/requirements.in; \
	done
