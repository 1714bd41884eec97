# The handbook: every task of this repository is a target here, with one line of help. `make` alone prints them.
# Only `deps` and `debs` use the network, and only when something is missing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Node 20 ends by joining V8's compiler thread, and now and then for ever (nodejs/node#54918): without that thread it always ends.
# The program itself guards against it in src/cli/leave.ts.
NODE := node --no-concurrent-recompilation

# Which tests `make test` runs, as in `make test TESTS=dist/test/log`.
TESTS ?= dist/test
# The timeout, per file, is for hangs only.
TEST_FLAGS := --test-timeout=600000 --test-reporter=spec
# Floods and counts of what is lost need the machine for themselves: these run one at a time, the others two.
ALONE := /test/(e2e|lab|operate|bench)/|/test/record/(netlink|main|table|replay|ring)/|/(kernel|disk-faults|stranger|recorder)\.test\.js

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: deps
deps: node_modules/.package-lock.json ## npm packages, when they are missing or older than the lock file

node_modules/.package-lock.json: package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: debs
debs: ## Debian packages that demo and tests use (nftables, conntrack, trafgen, ...), when they are missing
	@test/lab/install-debs.sh

.PHONY: build
build: deps ## compile TypeScript to dist/, then make one file of each program and worker
	@npm run --silent build

.PHONY: package
package: deps ## ctrecorder-VERSION.tgz, which npm install --global takes
	@npm pack --silent

.PHONY: demo
demo: debs build ## real connections through a NAT gateway in namespaces, recorded, listed, searched; within a minute
	@$(NODE) dist/bench/demo.js

.PHONY: test
test: debs deps ## build and run all tests; as root also those on the real kernel, in network namespaces
	@rm -rf dist/test
	npm run --silent build
	files=$$(find $(TESTS) -name '*.test.js' | sort)
	test -n "$$files"
	together=$$(grep -vE '$(ALONE)' <<< "$$files" || true)
	alone=$$(grep -E '$(ALONE)' <<< "$$files" || true)
	if [ -n "$$together" ]; then $(NODE) --test --test-concurrency=2 $(TEST_FLAGS) $$together; fi
	if [ -n "$$alone" ]; then $(NODE) --test --test-concurrency=1 $(TEST_FLAGS) $$alone; fi

# Parts of it only, as in `make soak SOAK=kills`: fuzz, kills, flood.
SOAK ?=

.PHONY: soak
soak: debs build ## what takes longer than make test may: 200 times kill -9, a flood of a minute, long fuzzing; a quarter of an hour
	@$(NODE) dist/test/soak/main.js $(SOAK)

.PHONY: lint
lint: deps ## format, lint and the floors of src, without changing anything
	@node_modules/.bin/biome ci --colors=off .
	node .floors.mjs

.PHONY: format
format: deps ## format and mend what can be mended
	@node_modules/.bin/biome check --write .

.PHONY: check
check: lint test ## what CI runs: format, lint, types, tests

# KEEP=1 writes results to be committed, else they are local. BENCH has options, as in `make bench BENCH="--rounds 1"`.
BENCH ?=
BENCH_FLAGS = $(if $(KEEP),--keep) $(BENCH)

.PHONY: bench-debs
bench-debs: debs ## Debian packages of the programs that bench compares with, when they are missing
	@test/lab/install-debs.sh ulogd=ulogd2 '/usr/lib/*/ulogd/ulogd_output_JSON.so=ulogd2-json' natlog=natlog

.PHONY: bench
bench: bench-debs build ## side by side with ulogd2, conntrack, natlog, ANCESTOR=PATH and the floor: loss, CPU, disk, kill -9; eleven minutes
	@node dist/bench/side-by-side.js $(BENCH_FLAGS)

.PHONY: bench-flood
bench-flood: debs build ## this recorder alone on a flood of 500,000 connections: events lost, CPU and bytes per event
	@node dist/bench/flood.js $(BENCH)

.PHONY: bench-buffers
bench-buffers: debs build ## rate x -b x -B with bursts and stalls: what is lost, how full the ring becomes; ten minutes
	@node dist/bench/buffers.js $(BENCH_FLAGS)

.PHONY: bench-generators
bench-generators: debs build ## every flood generator alone: its rate, and its list against the kernel's table
	@node dist/bench/generators.js $(BENCH)

.PHONY: bench-scale
bench-scale: debs build ## cost by rate, by core and by thread, and over a replay of BENCH="--events 100M"; two minutes
	@node dist/bench/scale.js $(BENCH_FLAGS)

.PHONY: bench-squeeze
bench-squeeze: build ## bytes per event, recorded and squeezed, beside xz of the ancestor's files; two minutes
	@node dist/bench/squeeze.js $(BENCH_FLAGS)

.PHONY: bench-startup
bench-startup: build ## how long -h, -V and -L of a small file take beyond an empty program
	@node dist/bench/startup.js $(BENCH_FLAGS)

.PHONY: bench-micro
bench-micro: build ## micro-benchmarks of decoder, ring, columns, codec, hashes and listing
	@node dist/bench/micro/main.js $(BENCH_FLAGS)

.PHONY: bench-compare
bench-compare: build ## the last bench-micro against the kept base
	@node dist/bench/micro/compare-main.js

.PHONY: clean
clean: ## remove what was built (not node_modules)
	@rm -rf dist ctrecorder-*.tgz
