#!/usr/bin/env bash
# Generates code from the contract and the API documents. With --check it
# leaves the tree alone and fails when something generated is not fresh.
source "$(dirname "$0")/lib.sh"
generated=(proto/gen edge/web/openapi.json console/web/openapi.json edge/web/src/api/schema.d.ts console/web/src/api/schema.d.ts)

fingerprint() { for g in "${generated[@]}"; do find "$g" -type f -print0 | sort -z | xargs -0 sha256sum; done; }
if [ "${1:-}" = --check ]; then
	before=$(mktemp -d)
	cp -a --parents "${generated[@]}" "$before"
	# Also when a generator fails and leaves half a file.
	trap 'cp -a "$before/." . && rm -rf "$before"' EXIT
	was=$(fingerprint)
fi

# Built by asking for their versions.
go_tool protoc-gen-go --version >/dev/null
go_tool protoc-gen-connect-go --version >/dev/null
(cd proto && go_tool buf generate)
go run -tags nomsgpack ./edge/cmd/obedio-hub openapi >edge/web/openapi.json
go run -tags nomsgpack ./console/cmd/obedio-console openapi >console/web/openapi.json
npm run --silent generate:api

if [ "${1:-}" = --check ]; then
	now=$(fingerprint)
	[ "$was" = "$now" ] || {
		echo "generated files are not fresh: run make generate"
		diff <(echo "$was") <(echo "$now") || true
		exit 1
	}
fi
