# All targets run in the virtual environment that local/bootstrap.py creates.
SHELL := /bin/bash
STACK ?= local
CLUSTER ?=
RUN := @python3 local/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help up preview rehearsal env down clean test test-unit bench drill events lint format schema lock

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## Start the local stack and deploy to it (CLUSTER=<context>: another cluster; STACK=<stack>)
	$(RUN) local up --stack '$(STACK)' --cluster '$(CLUSTER)'

preview: ## Show what `make up` would change and the effect on traffic (STACK=, CLUSTER=)
	$(RUN) local preview --stack '$(STACK)' --cluster '$(CLUSTER)'

rehearsal: ## Test production's stack file on this machine: emulated AWS and the local cluster
	$(RUN) local up
	$(RUN) pytest tests/integration/aws/test_rehearsal.py

env: ## Print the variables of pulumi, kubectl and docker as shell commands (see README)
	$(RUN) local env

down: ## Stop the local stack; keep its data and everything that was built
	$(RUN) local down

clean: ## Stop the local stack and delete everything: data, images, tools
	$(RUN) local clean

test: lint test-unit ## Run all tests; start the local stack if necessary
	$(RUN) local up
	$(RUN) pytest tests/integration tests/e2e

test-unit: ## Run the tests that need nothing running; print the coverage of the unit tier
	$(RUN) coverage run -m pytest tests/unit -m 'not slow'
	$(RUN) coverage report
	$(RUN) pytest tests/unit tests/contract -m slow

bench: ## Run the benchmarks on the local stack (40 min) and write bench/RESULTS.md
	@eval "$$($(MAKE) -s env)" && python3 local/bootstrap.py bench bench $(NAMES)

drill: ## Run the long tests under load, with killed processes (1 h), and write bench/RESULTS.md
	@eval "$$($(MAKE) -s env)" && python3 local/bootstrap.py bench drill $(NAMES)
	@CREDENTIALS_UPDATES=20 python3 local/bootstrap.py pytest tests/e2e/test_credentials.py

events: ## Print the events of the local stack until interrupted
	$(RUN) watcher.tail_events

lint: ## Check style, types and import rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports

format: ## Format the code and apply the fixes of ruff
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

schema: ## Generate stacks/schema.json
	$(RUN) components.config

lock: ## Pin the dependencies with hashes and without addresses (needs uv)
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header -o requirements.txt requirements.in
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --override requirements-overrides.txt -o requirements-dev.txt requirements-dev.in
	for folder in harness/python watcher; do \
	  uv pip compile -q --generate-hashes --no-emit-index-url --no-header -o $$folder/requirements.txt $$folder/requirements.in; \
	done
