# The handbook: every task of this repository is a target here, with one line of help. `make` alone prints them.
# Only `deps` and `debs` use the network, and only when something is missing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Which tests `make test` runs, as in `make test TESTS=dist/test/log`.
TESTS ?= dist/test
# One test file at a time: floods and loss counts need the machine for themselves. The timeout, per file, is for hangs only.
TEST_FLAGS := --test-concurrency=1 --test-timeout=600000 --test-reporter=spec

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

.PHONY: deps
deps: node_modules/.package-lock.json ## npm packages, when they are missing or older than the lock file

node_modules/.package-lock.json: package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: debs
debs: ## Debian packages that demo and tests use (nftables, conntrack, ip, ping), when they are missing
	@test/lab/install-debs.sh

.PHONY: build
build: deps ## compile TypeScript to dist/
	@node_modules/.bin/tsc -p .

.PHONY: demo
demo: debs build ## real connections through a NAT gateway in namespaces, recorded, listed, searched; within a minute
	@node dist/bench/demo.js

.PHONY: test
test: debs deps ## build and run all tests; as root also those on the real kernel, in network namespaces
	@rm -rf dist/test
	node_modules/.bin/tsc -p .
	files=$$(find $(TESTS) -name '*.test.js' | sort)
	test -n "$$files"
	node --test $(TEST_FLAGS) $$files

.PHONY: lint
lint: deps ## format and lint, without changing anything
	@node_modules/.bin/biome ci --colors=off .

.PHONY: format
format: deps ## format and mend what can be mended
	@node_modules/.bin/biome check --write .

.PHONY: check
check: lint test ## what CI runs: format, lint, types, tests

.PHONY: bench
bench: debs build ## a flood of 500,000 connections: events lost, CPU and bytes per event
	@node dist/bench/flood.js

.PHONY: clean
clean: ## remove what was built (not node_modules)
	@rm -rf dist
