# The verbs of the project. `make run` and `make test` work on a fresh machine; all others need only what these set up.
SHELL := /bin/bash
.DEFAULT_GOAL := help

NODES ?= 5
FEEDS ?= BTC / USD,ETH / USD,EUR / USD
ROUNDS ?= 0
JSON ?=
BENCH ?=
PY := .venv/bin/python
UV := python3 scripts/run_uv.py

.PHONY: help setup run test test-node test-image chainlink-node check campaign bench helm monitoring-programs browser gen contracts lock clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: ## install the pinned dependencies (done by every other verb)
	@scripts/setup

run: setup ## run the whole mesh here: NODES=5 FEEDS="BTC / USD,…" or all, ROUNDS=0 JSON=1
	@exec .venv/bin/feedmesh run --profile embedded --nodes "$(NODES)" --feeds "$(FEEDS)" --rounds "$(ROUNDS)" $(if $(JSON),--json)

test: setup ## run all tests (T="path or -k expression" for some)
	@$(PY) -m pytest $(T)

test-image: setup ## build the container image and run it, as root, with buildah and podman (installed where they are missing)
	@scripts/image/requirements
	@$(PY) -m pytest -m image --override-ini addopts='--strict-config --strict-markers' --timeout 600 -n 0 tests/image

test-node: setup ## run the tests of nodes against Chainlink's own program: CHAINLINK_BIN=path, or what chainlink-node has built
	@$(PY) -m pytest -m chainlink_node --override-ini addopts='--strict-config --strict-markers' --timeout 900 -n 0 $(if $(T),$(T),tests/node tests/mesh/test_templates.py)

chainlink-node: ## build a real chainlink node for test-node and test-image, once (needs Go and gcc; 10 minutes)
	@scripts/image/chainlink-node "$${FEEDMESH_IMAGE_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/feedmesh/image}"

campaign: setup ## run the long campaigns (fault injection, soak)
	@$(PY) -m pytest -m campaign --override-ini addopts='--strict-markers' --timeout 3600 -v

bench: setup ## run the benchmarks: BENCH=name for one
	@$(PY) -m tests.bench $(BENCH)

check: setup ## ruff, mypy, buf, generated code, import rules, lock files
	@scripts/check

helm: ## build the pinned helm with Go, outside the tree; without it the tests of the chart are skipped
	@scripts/helm_tool

monitoring-programs: ## unpack Debian's Prometheus, Pushgateway and VictoriaMetrics outside the tree; without them their tests are skipped
	@scripts/monitoring_programs

browser: ## unpack Debian's headless Chromium outside the tree; without it the page's tests are skipped
	@scripts/browser

gen: setup ## regenerate gen/ from protos/ and the generated documentation
	@scripts/gen

contracts: setup ## compile contracts/ with the pinned solc
	@node contracts/compile.js

lock: setup ## resolve pyproject.toml and package.json anew into the lock files
	@$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.lock
	@$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -c requirements.lock --group dev pyproject.toml -o requirements-dev.lock
	@$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header -c requirements-dev.lock --group build -o requirements-build.lock
	@npm install --package-lock-only --loglevel=error --omit-lockfile-registry-resolved=false
	@$(PY) scripts/strip_resolved.py package-lock.json

clean: ## remove what setup made (not the mesh's data)
	rm -rf .venv .setup node_modules
