#!/usr/bin/env bash
# Measures the hub beside its peers under the same load from obedio-sim,
# interleaved, and writes scripts/bench/RESULTS.md:
#   - Mosquitto (Debian's package), alone and with one subscriber of everything;
#   - the pipeline of the seed: Mosquitto, and a Node program that inserts each
#     message into PostgreSQL (scripts/bench/seed-pipeline.mjs).
# Figures are for this machine; the generator shares its cores with what it
# measures. CPU and memory are those of the processes named, from /proc, while
# the clients send.
source "$(dirname "$0")/lib.sh"
need mosquitto mosquitto
need mosquitto_sub mosquitto-clients
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || install_package postgresql
CLIENTS=${CLIENTS:-1000} RATE=${RATE:-10} DURATION=${DURATION:-20s} ROUNDS=${ROUNDS:-3}
# The seed's pipeline does not keep up with more.
SEED_CLIENTS=${SEED_CLIENTS:-200}
# Seconds of the long run; 0 leaves it out. The bar is for SOAK=600.
SOAK=${SOAK:-0}
# Records in the history benchmark. The bar is for 100000000.
HISTORY=${HISTORY:-4000000}

work=$(mktemp -d)
chmod 755 "$work"
pids=()
stop() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

free_port() { node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})"; }
json() { node -p "JSON.parse(require('fs').readFileSync('$1'))$2"; }

say "start the hub, two Mosquittos and the seed's pipeline"
bin/obedio-hub serve --data "$work/hub" --site bench --mqtt 127.0.0.1:0 --mqtts 127.0.0.1:0 --mqtt-ws "" --http 127.0.0.1:0 --https "" \
	--ready-file "$work/ready.json" --log-level warn 2>"$work/hub.log" &
hub=$!
pids+=("$hub")
until [ -s "$work/ready.json" ]; do sleep 0.1; kill -0 "$hub"; done
mqtt=$(json "$work/ready.json" .listeners.mqtt) http=$(json "$work/ready.json" .listeners.http)
bin/obedio-hub token create --data "$work/hub" --name bench --role admin --json >"$work/token.json"
json "$work/token.json" .token >"$work/token"

start_mosquitto() { # PORT: its pid is $!
	printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$1" >"$work/mosquitto-$1.conf"
	mosquitto -c "$work/mosquitto-$1.conf" 2>"$work/mosquitto-$1.log" &
	pids+=("$!")
}
peer=$(free_port)
start_mosquitto "$peer"
peer_pid=$!
seed=$(free_port)
start_mosquitto "$seed"
seed_broker=$!

postgres=$(echo /usr/lib/postgresql/*/bin | awk '{print $NF}')
as_postgres=()
[ "$(id -u)" != 0 ] || as_postgres=(runuser -u postgres --)
mkdir "$work/pg" && { [ "$(id -u)" != 0 ] || chown postgres "$work/pg"; }
cd "$work" # where the server's user may be
"${as_postgres[@]}" "$postgres/initdb" -D "$work/pg/data" -A trust -U bench >"$work/pg.log"
pgport=$(free_port)
"${as_postgres[@]}" "$postgres/postgres" -D "$work/pg/data" -p "$pgport" -k "$work/pg" -c listen_addresses=127.0.0.1 >>"$work/pg.log" 2>&1 &
seed_postgres=$!
pids+=("$seed_postgres")
cd "$ROOT"
sql() { psql -h 127.0.0.1 -p "$pgport" -U bench -d postgres -Atc "$1" 2>/dev/null; }
until sql 'select 1' >/dev/null; do sleep 0.2; kill -0 "$seed_postgres"; done
node scripts/bench/seed-pipeline.mjs "mqtt://127.0.0.1:$seed" "postgres://bench@127.0.0.1:$pgport/postgres" >"$work/pipeline.log" 2>&1 &
seed_node=$!
pids+=("$seed_node")
until grep -q ready "$work/pipeline.log"; do sleep 0.1; kill -0 "$seed_node"; done

# measure NAME LABEL WATCH ARGS…: one round; a line of JSON to rounds.
measure() {
	local name=$1 label=$2 watch=$3
	shift 3
	bin/obedio-sim load --log-level error --json --rate "$RATE" --watch "$watch" "$@" >"$work/load.json" || true
	node -e 'const [name, label, file] = process.argv.slice(1)
		console.log(JSON.stringify({ name, label, load: JSON.parse(require("fs").readFileSync(file)) }))' \
		"$name" "$label" "$work/load.json" >>"$work/rounds"
}
# subscribed COMMAND…: runs it while a subscriber takes all that passes the peer.
subscribed() {
	mosquitto_sub -p "$peer" -q 1 -t '#' >/dev/null &
	local subscriber=$!
	pids+=("$subscriber")
	"$@"
	kill "$subscriber" && wait "$subscriber" 2>/dev/null || true
}
on_hub=(--hub "http://$http" --mqtt "$mqtt" --token-file "$work/token")
on_peer=(--peer --mqtt "127.0.0.1:$peer")
# The devices of a row are the same in each round, as those of a site are.
all=(--clients "$CLIENTS" --duration "$DURATION")
some=(--clients "$SEED_CLIENTS" --duration "$DURATION")
for round in $(seq "$ROUNDS"); do
	say "round $round of $ROUNDS"
	many="$CLIENTS clients"
	few="$SEED_CLIENTS clients"
	measure "hub, live view open" "$many, mixed" "$hub" "${on_hub[@]}" "${all[@]}" --prefix mixed- --action mixed --live-readers 1
	subscribed measure "Mosquitto, one subscriber" "$many, mixed" "$peer_pid" "${on_peer[@]}" "${all[@]}" --action mixed
	measure "Mosquitto, no subscriber" "$many, mixed" "$peer_pid" "${on_peer[@]}" "${all[@]}" --action mixed
	measure "hub, live view open" "$many, heartbeats" "$hub" "${on_hub[@]}" "${all[@]}" --prefix beats- --action heartbeat --live-readers 1
	subscribed measure "Mosquitto, one subscriber" "$many, heartbeats" "$peer_pid" "${on_peer[@]}" "${all[@]}" --action heartbeat
	measure "hub" "$few, mixed" "$hub" "${on_hub[@]}" "${some[@]}" --prefix few- --action mixed
	measure "the seed's pipeline" "$few, mixed" "$seed_broker,$seed_node,$seed_postgres" --peer --mqtt "127.0.0.1:$seed" "${some[@]}" --action mixed
	measure "hub" "$few, presses only" "$hub" "${on_hub[@]}" "${some[@]}" --prefix press- --presses
done

if [ "$SOAK" != 0 ]; then
	say "$SOAK seconds with a slow reader of the live view"
	measure "hub, one slow and one quick reader" "soak, $CLIENTS clients" "$hub" "${on_hub[@]}" --clients "$CLIENTS" --duration "${SOAK}s" --action mixed --live-readers 1 --slow-live-readers 1
fi

say "bytes on disk"
until [ "$(sql 'select count(*) from MQTTTrafficLog')" = "${inserted:=}" ]; do # the pipeline has caught up
	inserted=$(sql 'select count(*) from MQTTTrafficLog')
	sleep 2
done
rows=$(sql 'select count(*) from MQTTTrafficLog')
table=$(sql "select pg_total_relation_size('MQTTTrafficLog')")
kill "$hub" && wait "$hub" || true # it writes what is left
history=$(du -sb "$work/hub/traffic.db" | cut -f1)

say "history, record, rights and gate (Go benchmarks)"
(cd edge && go test -tags nomsgpack ./internal/traffic -run XXX -bench '^Benchmark(Record|Flush)') | tee "$work/traffic.txt"
(cd edge && OBEDIO_TRAFFIC_RECORDS=$HISTORY go test -tags nomsgpack ./internal/traffic -run XXX -bench '^BenchmarkHistory' -benchtime 20x -timeout 60m) | tee -a "$work/traffic.txt"
(cd edge && go test -tags nomsgpack ./internal/broker -run XXX -bench . -benchmem) | tee "$work/gate.txt"
(cd shared && go test ./access -run XXX -bench . -benchmem) | tee "$work/access.txt"
cat "$work"/{traffic,gate,access}.txt | grep '^Benchmark' >"$work/benchmarks.txt" || true

node scripts/bench/table.mjs "$work" "$CLIENTS" "$RATE" "$DURATION" "$ROUNDS" "$rows" "$table" "$history" "$HISTORY" |
	tee "$work/results.md"
cp "$work/results.md" scripts/bench/RESULTS.md # the old ones stay when something has failed
