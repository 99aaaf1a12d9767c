#!/usr/bin/env bash
# The sync of hub and console, simulated: both ends as pure state machines on a
# link that loses, repeats and delays, with crashes, dropped records and any older
# copy of either end put back. Runs for as long as asked, and prints the seed of a
# failure and how to see it again.
#
#   scripts/simulate.sh [SECONDS]     an hour by default
set -euo pipefail
cd "$(dirname "$0")/../shared"
end=$((SECONDS + ${1:-3600}))
program=$(mktemp)
trap 'rm -f "$program"' EXIT
go test -c -o "$program" ./lane
cd lane
rounds=0
while ((SECONDS < end)); do
  seed=$(od -An -N7 -tu8 /dev/urandom | tr -d ' ')
  if ! "$program" -test.run '^Test(Sync|Traffic)_' -rapid.checks=5000 -rapid.steps=60 -rapid.seed="$seed" -rapid.shrinktime=60s; then
    echo "failed with seed $seed: go test ./lane -run '^Test(Sync|Traffic)_' -rapid.checks=5000 -rapid.steps=60 -rapid.seed=$seed" >&2
    exit 1
  fi
  rounds=$((rounds + 1))
done
echo "$rounds rounds of 5000 stories of each property, no failure"
