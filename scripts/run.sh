#!/usr/bin/env bash
# The whole product on this machine: a console, the hub yacht-1 enrolled at it,
# and 40 simulated devices. Data are in .run/ and kept; Ctrl-C stops all.
source "$(dirname "$0")/lib.sh"
RUN=$ROOT/.run
mkdir -p "$RUN"
HTTP_HUB=${HTTP_HUB:-8080} HTTP_CONSOLE=${HTTP_CONSOLE:-8090}

pids=()
stop() {
	trap - EXIT INT TERM
	# The simulator first, so that its devices say goodbye.
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		kill "${pids[i]}" 2>/dev/null || true
		wait "${pids[i]}" 2>/dev/null || true
	done
	rm -f "$RUN"/*.ready.json
}
trap stop EXIT
trap 'echo; echo stopping; exit 0' INT TERM

# start NAME COMMAND…: runs a program with its log in .run/NAME.log.
start() {
	local name=$1
	shift
	rm -f "$RUN/$name.ready.json"
	# In a session of its own: Ctrl-C reaches this script alone, which then ends
	# the programs one by one.
	setsid "$@" >"$RUN/$name.log" 2>&1 &
	pids+=($!)
	echo $! >"$RUN/$name.pid"
}

# ready NAME: waits for the ready file.
ready() {
	for _ in $(seq 150); do
		[ -s "$RUN/$1.ready.json" ] && return
		kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null || break
		sleep 0.1
	done
	echo "$1 did not start; the end of .run/$1.log:" >&2
	tail -n 5 "$RUN/$1.log" >&2
	exit 1
}

listener() { node -p "JSON.parse(require('fs').readFileSync('$RUN/$1.ready.json')).listeners['$2']"; }
password() { # one password per data directory, made at the first run
	[ -s "$RUN/$1.password" ] || node -p "require('crypto').randomBytes(9).toString('base64url')" >"$RUN/$1.password"
	chmod 600 "$RUN/$1.password"
	cat "$RUN/$1.password"
}

run_console() {
	start console bin/obedio-console serve --data "$RUN/console" --http "127.0.0.1:$HTTP_CONSOLE" --hublink 127.0.0.1:8444 \
		--ready-file "$RUN/console.ready.json"
	ready console
}
run_console
start hub bin/obedio-hub serve --data "$RUN/hub" --site yacht-1 --site-name "M/Y Aurelia" \
	--http "127.0.0.1:$HTTP_HUB" --https 127.0.0.1:8443 --mqtt 127.0.0.1:1883 --mqtts 127.0.0.1:8883 --mqtt-ws 127.0.0.1:9001 \
	--metrics 127.0.0.1:9100 \
	--uplink-state-every 2s --uplink-retry-first 2s --uplink-retry-most 5s --ready-file "$RUN/hub.ready.json"
ready hub

user() { node -p "JSON.stringify({username: '$1', password: require('fs').readFileSync('$RUN/$2.password', 'utf8').trim()})"; }
hub_password=$(password hub) console_password=$(password console)
[ -e "$RUN/hub.setup" ] || { user captain hub | bin/obedio-hub setup --data "$RUN/hub" >/dev/null && touch "$RUN/hub.setup"; }
[ -e "$RUN/console.setup" ] || { user owner console | bin/obedio-console setup --data "$RUN/console" >/dev/null && touch "$RUN/console.setup"; }
if [ ! -e "$RUN/enrolled" ]; then
	bin/obedio-console site add yacht-1 --name "M/Y Aurelia" --data "$RUN/console" >/dev/null
	bin/obedio-console site claim yacht-1 --data "$RUN/console" >"$RUN/claim.json"
	bin/obedio-hub enroll --data "$RUN/hub" --claim "$RUN/claim.json" >/dev/null
	touch "$RUN/enrolled"
fi
[ -s "$RUN/sim.token" ] || (umask 077 && bin/obedio-hub token create --data "$RUN/hub" --name simulator --role admin --json |
	node -p "JSON.parse(require('fs').readFileSync(0)).token" >"$RUN/sim.token")
# The devices join with keys of their own; later runs find them in sim.json.
start sim bin/obedio-sim run demo --devices 40 --hub "http://$(listener hub http)" --token-file "$RUN/sim.token" --state "$RUN/sim.json"

cat <<TXT

  Hub of M/Y Aurelia   http://$(listener hub http)   user captain   password $hub_password
  Fleet console        http://$(listener console http)   user owner     password $console_password

  40 simulated devices press, answer and report. MQTT is at $(listener hub mqtt), with TLS at
  $(listener hub mqtts). Logs are in .run/.
  Cut the shore off:   kill \$(cat .run/console.pid)      (the console is started again after 20 s)
  Ctrl-C stops everything.

TXT
# The console may be stopped to see that nothing on board changes; it comes back.
while sleep 1; do
	for name in hub sim; do
		kill -0 "$(cat "$RUN/$name.pid")" 2>/dev/null || { echo "$name has ended; the end of .run/$name.log:"; tail -n 5 "$RUN/$name.log"; exit 1; }
	done
	kill -0 "$(cat "$RUN/console.pid")" 2>/dev/null && continue
	echo "console has stopped; starting it again in 20 s"
	sleep 20 &
	wait $!
	run_console
	echo "console is back"
done
