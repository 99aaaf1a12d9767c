#!/usr/bin/env bash
# All tests: Go with the race detector (end to end with real programs among
# them), both UIs' own, and a real browser against the real programs.
source "$(dirname "$0")/lib.sh"
need gcc gcc # the race detector is built with C
need_file /usr/include/stdlib.h libc6-dev
need mosquitto_pub mosquitto-clients
need openssl openssl
need_file /usr/include/mbedtls/ssl.h libmbedtls-dev # a device's TLS, for firmware-sim/e2e
need chromium chromium
need_postgres
need redis-server redis-server

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=0

say "Go"
go_tool gotestsum --format pkgname --hide-summary skipped --jsonfile "$results/go.json" -- \
	-race -tags nomsgpack -timeout 20m $(printf './%s/... ' "${MODULES[@]}") || failed=1

go_tool gotestsum --format pkgname --jsonfile "$results/bubble.json" -- -tags nomsgpack ./firmware-sim/e2e/inprocess || failed=1

say "web"
for w in shared/web edge/web console/web; do
	(cd "$w" && npx --no-install vitest run --reporter=default --reporter=json --outputFile="$results/$(dirname "$w" | tr / -).json") || failed=1
done

say "browser"
PLAYWRIGHT_JSON_OUTPUT_FILE="$results/browser.json" npx --no-install playwright test -c firmware-sim/e2e/browser --reporter=list,json || failed=1

node scripts/count-tests.mjs "$results" || failed=1
exit $failed
