#!/usr/bin/env bash
# Static programs for the machines that they run on, with checksums.
source "$(dirname "$0")/lib.sh"
out=bin/release
rm -rf "$out" && mkdir -p "$out"
ldflags="-s -w${VERSION:+ -X github.com/obedio/obedio/shared/program.version=$VERSION}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in amd64 arm64 arm; do
	programs=(edge/cmd/obedio-hub firmware-sim/cmd/obedio-sim)
	[ "$target" = arm ] || programs+=(console/cmd/obedio-console) # its store wants 64 bits
	dir=$work/$target
	mkdir "$dir"
	for p in "${programs[@]}"; do
		CGO_ENABLED=0 GOOS=linux GOARCH=$target GOARM=7 go build -trimpath -tags nomsgpack -ldflags "$ldflags" -o "$dir/" "./$p"
	done
	tar --sort=name --owner=0 --group=0 --numeric-owner -C "$dir" -czf "$out/obedio-linux-$target.tar.gz" .
done
(cd "$out" && sha256sum ./*.tar.gz | tee SHA256SUMS)
