#!/usr/bin/env bash
# Measures the hub beside Mosquitto (Debian's package) under the same load from
# obedio-sim, interleaved, and writes scripts/bench/RESULTS.md. Figures are for
# this machine; the generator shares its cores with what it measures.
source "$(dirname "$0")/lib.sh"
need mosquitto mosquitto
CLIENTS=${CLIENTS:-200} RATE=${RATE:-10} DURATION=${DURATION:-10s} ROUNDS=${ROUNDS:-3}

work=$(mktemp -d)
pids=()
stop() {
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

bin/obedio-hub serve --data "$work/hub" --site bench --mqtt 127.0.0.1:0 --mqtt-ws "" --http 127.0.0.1:0 \
	--ready-file "$work/ready.json" --log-level warn 2>"$work/hub.log" &
hub=$!
pids+=("$hub")
until [ -s "$work/ready.json" ]; do sleep 0.1; kill -0 "$hub"; done
address() { node -p "JSON.parse(require('fs').readFileSync('$work/ready.json')).listeners['$1']"; }
bin/obedio-hub token create --data "$work/hub" --name bench --role admin --json |
	node -p "JSON.parse(require('fs').readFileSync(0)).token" >"$work/token"

port=$(node -e "const s=require('net').createServer().listen(0,'127.0.0.1',()=>{console.log(s.address().port);s.close()})")
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$port" >"$work/mosquitto.conf"
mosquitto -c "$work/mosquitto.conf" 2>"$work/mosquitto.log" &
mosquitto=$!
pids+=("$mosquitto")
sleep 1

# measure NAME PID ADDRESS LABEL ARGS…: one round; a line of JSON to rounds.
measure() {
	local name=$1 pid=$2 address=$3 label=$4
	shift 4
	local before after
	before=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	bin/obedio-sim load --hub "http://$(address http)" --mqtt "$address" --token-file "$work/token" --log-level error \
		--clients "$CLIENTS" --rate "$RATE" --duration "$DURATION" --json "$@" >"$work/load.json" || true
	after=$(awk '{print $14 + $15}' "/proc/$pid/stat")
	node -p "JSON.stringify({name: '$name', label: '$label', cpu: ($after - $before) / $(getconf CLK_TCK),
		rss: $(awk '/VmRSS/ {print $2}' "/proc/$pid/status") * 1024, load: JSON.parse(require('fs').readFileSync('$work/load.json'))})" >>"$work/rounds"
}
for round in $(seq "$ROUNDS"); do
	say "round $round of $ROUNDS"
	measure hub "$hub" "$(address mqtt)" "heartbeats, QoS 1" --action heartbeat
	measure mosquitto "$mosquitto" "127.0.0.1:$port" "heartbeats, QoS 1" --action heartbeat
	measure hub "$hub" "$(address mqtt)" "presses to receipt, all on disk" --presses
done
node scripts/bench/table.mjs "$work/rounds" "$CLIENTS clients, $RATE messages a second each, $DURATION, $ROUNDS rounds" |
	tee scripts/bench/RESULTS.md
