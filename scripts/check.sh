#!/usr/bin/env bash
# Everything that can be said about the source without running it.
source "$(dirname "$0")/lib.sh"

say "format"
unformatted=$(git ls-files -co --exclude-standard '*.go' | grep -v '/gen/' | xargs gofmt -l)
[ -z "$unformatted" ] || { echo "run gofmt -w on:"; echo "$unformatted"; exit 1; }
(cd proto && go_tool buf format --diff --exit-code)

say "web: lint and types"
make --no-print-directory web
npm run --silent lint
npm run --silent typecheck

say "modules build alone, and are tidy"
for m in "${MODULES[@]}"; do
	(cd "$m" && GOWORK=off go mod tidy -diff && GOWORK=off go build -tags nomsgpack ./...)
done

say "vet"
go vet -tags nomsgpack $(printf './%s/... ' "${MODULES[@]}")

say "lint"
for m in "${MODULES[@]}"; do
	[ "$m" = proto ] || (cd "$m" && go_tool golangci-lint run --config "$ROOT/.golangci.yml" ./...)
done
(cd proto && go_tool buf lint)
newest=$(git tag --list 'v*' --sort=-version:refname | head -n 1)
if [ -n "$newest" ]; then
	(cd proto && go_tool buf breaking --against "$ROOT/.git#tag=$newest,subdir=proto")
else
	echo "buf breaking: no release tag yet, so nothing to break"
fi

say "import rules"
(cd scripts/tools && GOWORK=off go test ./imports)

say "generated code is fresh"
scripts/generate.sh --check

say "deploy"
scripts/check-deploy.sh

say "cross builds"
built=$(mktemp)
trap 'rm -f "$built"' EXIT
for arch in arm64 arm; do
	for program in edge/cmd/obedio-hub firmware-sim/cmd/obedio-sim; do
		CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=7 go build -trimpath -tags nomsgpack -ldflags "-s -w" -o "$built" "./$program"
		printf '%-12s linux/%-6s %8d bytes\n' "$(basename "$program")" "$arch" "$(stat -c %s "$built")"
	done
done

say "known vulnerabilities"
for m in "${MODULES[@]}"; do
	if out=$(cd "$m" && go_tool govulncheck -tags nomsgpack ./... 2>&1); then
		echo "$m: none found"
	elif grep -qiE 'dial tcp|no such host|Forbidden|connection refused|fetching vulnerabilities|timeout|unexpected status' <<<"$out"; then
		echo "WARNING: NOT CHECKED: the vulnerability database cannot be reached from here ($m)"
		break
	else
		echo "$out"
		exit 1
	fi
done
say "check passed"
