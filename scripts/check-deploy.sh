#!/usr/bin/env bash
# What can be said of deploy/ without a container engine: the units as systemd
# reads them, the compose and scrape files against what they may say.
source "$(dirname "$0")/lib.sh"
need systemd-analyze systemd
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for unit in deploy/systemd/*.service; do
	# The program need not be installed where the unit is checked.
	sed -E "s#^(ExecStart=)[^ ]+#\1/bin/true#; /^ExecStart=/s# .*##" "$unit" >"$work/$(basename "$unit")"
	systemd-analyze verify --man=no "$work/$(basename "$unit")"
	systemd-analyze security --offline=true --threshold=25 "$work/$(basename "$unit")" | tail -n 1
done
for timer in deploy/systemd/*.timer; do
	cp "$timer" "$work" # beside the unit that it starts
	systemd-analyze verify --man=no "$work/$(basename "$timer")"
done
(cd scripts/tools && GOWORK=off go test ./deploy)
