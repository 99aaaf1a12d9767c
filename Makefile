# Each target installs what it needs on a Debian-like machine with Go, Node and
# npm. What is longer than a line is a script of the same name.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO_FLAGS := -trimpath -tags nomsgpack -ldflags "-s -w $(if $(VERSION),-X github.com/obedio/obedio/shared/program.version=$(VERSION))"

.PHONY: help run test check bench generate build web release

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## the whole product: console, hub yacht-1, 40 simulated devices; Ctrl-C stops all
	@scripts/run.sh

test: build ## all tests, with the race detector, real binaries and a real browser
	@scripts/test.sh

check: ## format, vet, lint, generated code, import rules, cross builds, known vulnerabilities
	@scripts/check.sh

bench: build ## measure beside the peers on this machine; writes scripts/bench/RESULTS.md
	@scripts/bench.sh

generate: web ## everything that is generated from something else
	@scripts/generate.sh

web: node_modules/.installed ## build both user interfaces
	@npm run --silent build

build: web ## obedio-hub, obedio-console and obedio-sim into bin/
	@mkdir -p bin
	@CGO_ENABLED=0 go build $(GO_FLAGS) -o bin/ ./edge/cmd/obedio-hub ./console/cmd/obedio-console ./firmware-sim/cmd/obedio-sim

release: web ## archives for arm64, armv7 and amd64 into bin/release/
	@scripts/release.sh

node_modules/.installed: package.json package-lock.json shared/web/package.json edge/web/package.json console/web/package.json
	@npm ci --no-audit --no-fund
	@touch $@
