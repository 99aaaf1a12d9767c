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
need openssl openssl
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || install_package postgresql
CLIENTS=${CLIENTS:-1000} RATE=${RATE:-10} DURATION=${DURATION:-20s} ROUNDS=${ROUNDS:-3}
# The seed's pipeline does not keep up with more.
SEED_CLIENTS=${SEED_CLIENTS:-200}
# Seconds of the long run; 0 leaves it out. The bar is for SOAK=600.
SOAK=${SOAK:-0}
# Records in the history benchmark. The bar is for 100000000.
HISTORY=${HISTORY:-4000000}

# ONLY=tls measures the rows with TLS alone, and prints them.
ONLY=${ONLY:-}

work=$(mktemp -d)
chmod 755 "$work"
pids=()
stop() {
	touch "$work/end"
	for pid in "${pids[@]}" $(cat "$work"/*.pid 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
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
mqtt=$(json "$work/ready.json" .listeners.mqtt) mqtts=$(json "$work/ready.json" .listeners.mqtts) http=$(json "$work/ready.json" .listeners.http)
hub_token() { # DATA FILE
	bin/obedio-hub token create --data "$1" --name bench --role admin --json >"$2.json"
	json "$2.json" .token >"$2"
}
hub_token "$work/hub" "$work/token"

start_mosquitto() { # PORT: its pid is $!
	printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$1" >"$work/mosquitto-$1.conf"
	mosquitto -c "$work/mosquitto-$1.conf" 2>"$work/mosquitto-$1.log" &
	pids+=("$!")
}
peer=$(free_port)
start_mosquitto "$peer"
peer_pid=$!

# With TLS: an authority that Mosquitto trusts, and is under.
ec() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
ec "$work/ca.key" && openssl req -x509 -new -key "$work/ca.key" -subj "/CN=bench" -days 30 -out "$work/ca.crt"
ec "$work/server.key" && openssl req -new -key "$work/server.key" -subj "/CN=mosquitto" -out "$work/server.csr"
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 30 -out "$work/server.crt" \
	-extfile <(echo "subjectAltName=DNS:hub.obedio.internal") 2>/dev/null
cat "$work/ca.crt" "$work/ca.key" >"$work/authority.pem"
chmod 644 "$work"/*.key # Mosquitto drops its rights, and this is nobody's secret
mosquitto_tls() { # PORT, and one without TLS for the subscriber: writes the settings
	printf '%s\n' "per_listener_settings true" "max_queued_messages 0" "listener $1 127.0.0.1" "cafile $work/ca.crt" "certfile $work/server.crt" \
		"keyfile $work/server.key" "require_certificate true" "use_identity_as_username true" "allow_anonymous true" \
		"listener $2 127.0.0.1" "allow_anonymous true" >"$work/mosquitto-$1.conf"
}
peer_tls=$(free_port) peer_ear=$(free_port)
mosquitto_tls "$peer_tls" "$peer_ear"
mosquitto -c "$work/mosquitto-$peer_tls.conf" 2>"$work/mosquitto-$peer_tls.log" &
peer_tls_pid=$!
pids+=("$peer_tls_pid")

# again NAME COMMAND…: runs a program, and once more whenever it has ended. Who is
# watched is the shell around it, whose pid is $!; NAME.pid is to be killed.
again() {
	local name=$1
	shift
	(until [ -e "$work/end" ]; do
		"$@" 2>>"$work/$name.log" &
		echo $! >"$work/$name.pid"
		wait $! || true
	done) &
}
restarted_tls=$(free_port) restarted_http=$(free_port)
again hub2 bin/obedio-hub serve --data "$work/hub2" --site bench --mqtt "" --mqtts "127.0.0.1:$restarted_tls" --mqtt-ws "" --https "" \
	--http "127.0.0.1:$restarted_http" --ready-file "$work/ready2.json" --log-level warn
hub2=$!
until [ -s "$work/ready2.json" ]; do sleep 0.1; kill -0 "$hub2"; done
hub_token "$work/hub2" "$work/token2"
restarted_peer=$(free_port)
mosquitto_tls "$restarted_peer" "$(free_port)"
again peer2 mosquitto -c "$work/mosquitto-$restarted_peer.conf"
peer2=$!
if [ -z "$ONLY" ]; then
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
fi

# measure NAME LABEL WATCH ARGS…: one round; a line of JSON to rounds.
measure() {
	local name=$1 label=$2 watch=$3
	shift 3
	bin/obedio-sim load --log-level error --json --rate "$RATE" --watch "$watch" "$@" >"$work/load.json" || true
	node -e 'const [name, label, file] = process.argv.slice(1)
		console.log(JSON.stringify({ name, label, load: JSON.parse(require("fs").readFileSync(file)) }))' \
		"$name" "$label" "$work/load.json" >>"$work/rounds"
}
# back NAME PROGRAM WATCH ARGS…: the same for the time until all clients are back
# after a restart of a program that runs again and again.
back() {
	local name=$1 program=$2 watch=$3
	shift 3
	rm -f "$work/connected"
	bin/obedio-sim load --log-level error --json --watch "$watch" "${all[@]}" --tls --reconnect 60s --ready-file "$work/connected" "$@" >"$work/load.json" &
	local load=$!
	until [ -s "$work/connected" ]; do sleep 0.1; kill -0 "$load"; done
	kill "$(cat "$work/$program.pid")"
	wait "$load" || true
	node -e 'const [name, label, file] = process.argv.slice(1)
		console.log(JSON.stringify({ name, label, load: JSON.parse(require("fs").readFileSync(file)) }))' \
		"$name" "$CLIENTS mutual-TLS clients back after a restart" "$work/load.json" >>"$work/rounds"
}
# subscribed PORT COMMAND…: runs it while a subscriber takes all that passes the
# peer there.
subscribed() {
	local port=$1
	shift
	mosquitto_sub -p "$port" -q 1 -t '#' >/dev/null &
	local subscriber=$!
	pids+=("$subscriber")
	"$@"
	kill "$subscriber" && wait "$subscriber" 2>/dev/null || true
}
on_hub=(--hub "http://$http" --mqtt "$mqtt" --token-file "$work/token")
on_peer=(--peer --mqtt "127.0.0.1:$peer")
tls_hub=(--hub "http://$http" --tls --mqtts "$mqtts" --token-file "$work/token")
tls_peer=(--peer --tls --mqtts "127.0.0.1:$peer_tls" --authority "$work/authority.pem")
# The devices of a row are the same in each round, as those of a site are.
all=(--clients "$CLIENTS" --duration "$DURATION")
some=(--clients "$SEED_CLIENTS" --duration "$DURATION")
for round in $(seq "$ROUNDS"); do
	say "round $round of $ROUNDS"
	many="$CLIENTS clients"
	few="$SEED_CLIENTS clients"
	measure "hub, live view open" "$many over TLS, mixed" "$hub" "${tls_hub[@]}" "${all[@]}" --prefix tls- --action mixed --live-readers 1
	subscribed "$peer_ear" measure "Mosquitto, one subscriber" "$many over TLS, mixed" "$peer_tls_pid" "${tls_peer[@]}" "${all[@]}" --action mixed
	back "hub" hub2 "$hub2" --hub "http://127.0.0.1:$restarted_http" --mqtts "127.0.0.1:$restarted_tls" --token-file "$work/token2" --prefix back-
	back "Mosquitto" peer2 "$peer2" --peer --mqtts "127.0.0.1:$restarted_peer" --authority "$work/authority.pem"
	[ -z "$ONLY" ] || continue
	measure "hub, live view open" "$many, mixed" "$hub" "${on_hub[@]}" "${all[@]}" --prefix mixed- --action mixed --live-readers 1
	subscribed "$peer" measure "Mosquitto, one subscriber" "$many, mixed" "$peer_pid" "${on_peer[@]}" "${all[@]}" --action mixed
	measure "Mosquitto, no subscriber" "$many, mixed" "$peer_pid" "${on_peer[@]}" "${all[@]}" --action mixed
	measure "hub, live view open" "$many, heartbeats" "$hub" "${on_hub[@]}" "${all[@]}" --prefix beats- --action heartbeat --live-readers 1
	subscribed "$peer" measure "Mosquitto, one subscriber" "$many, heartbeats" "$peer_pid" "${on_peer[@]}" "${all[@]}" --action heartbeat
	measure "hub" "$few, mixed" "$hub" "${on_hub[@]}" "${some[@]}" --prefix few- --action mixed
	measure "the seed's pipeline" "$few, mixed" "$seed_broker,$seed_node,$seed_postgres" --peer --mqtt "127.0.0.1:$seed" "${some[@]}" --action mixed
	measure "hub" "$few, presses only" "$hub" "${on_hub[@]}" "${some[@]}" --prefix press- --presses
done

if [ -n "$ONLY" ]; then
	node scripts/bench/table.mjs "$work" "$CLIENTS" "$RATE" "$DURATION" "$ROUNDS"
	exit
fi

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
