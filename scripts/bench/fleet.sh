#!/usr/bin/env bash
# Measures the console with a large fleet on its engines: SITES sites of DEVICES
# devices are loaded into a store, a console is started on it, and its API is
# asked for the first page of sites and for searches; then states of devices are
# taken for ten seconds. The whole fleet of the bars needs 5 GB of memory, 25 GB
# of disk and, on two cores, about an hour for both engines:
#
#   scripts/bench/fleet.sh                         # 10,000 sites, 10,000,000 devices
#   SITES=1000 ENGINES=badger scripts/bench/fleet.sh
source "$(dirname "$0")/../lib.sh"
need_postgres
SITES=${SITES:-10000} DEVICES=${DEVICES:-1000} ENGINES=${ENGINES:-badger postgres}

cd console
for engine in $ENGINES; do
	say "$engine: $SITES sites of $DEVICES devices"
	OBEDIO_BENCH_SITES=$SITES OBEDIO_BENCH_DEVICES=$DEVICES \
		go test ./internal/console -run '^$' -bench "Fleet/$engine" -benchtime 1x -v -timeout 3h | grep -E 'bench_test|-ms|rows/s|FAIL|^ok'
done
