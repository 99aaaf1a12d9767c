#!/usr/bin/env bash
# The whole product on this machine: a console, the hub yacht-1 enrolled at it
# over a link that can be cut, and 40 simulated devices. Data are in .run/ and
# kept; Ctrl-C stops all. FLEET=200 adds so many synthetic sites, to see the console
# with a fleet. For a second one beside it, RUN_DIR names another directory,
# and the other variables other ports.
source "$(dirname "$0")/lib.sh"
RUN=${RUN_DIR:-.run}
mkdir -p "$RUN"
HTTP_HUB=${HTTP_HUB:-8080} HTTPS_HUB=${HTTPS_HUB:-8443} MQTT_HUB=${MQTT_HUB:-1883} MQTTS_HUB=${MQTTS_HUB:-8883} WS_HUB=${WS_HUB:-9001} METRICS_HUB=${METRICS_HUB:-9100}
HTTP_CONSOLE=${HTTP_CONSOLE:-8090} HUBLINK_CONSOLE=${HUBLINK_CONSOLE:-8444} LINK_PORT=${LINK_PORT:-8445}

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

# start NAME COMMAND…: runs a program with its log in NAME.log.
start() {
	local name=$1
	shift
	rm -f "$RUN/$name.ready.json"
	# In a session of its own: Ctrl-C reaches this script alone, which then ends
	# the programs one by one.
	setsid "$@" >"$RUN/$name.log" 2>&1 </dev/null &
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
	echo "$1 did not start; the end of $RUN/$1.log:" >&2
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
	start console bin/obedio-console serve --data "$RUN/console" --http "127.0.0.1:$HTTP_CONSOLE" --hublink "127.0.0.1:$HUBLINK_CONSOLE" \
		--ready-file "$RUN/console.ready.json"
	ready console
}
run_console
# Between hub and console: a network that can be slow, or away.
start link bin/obedio-sim link --listen "127.0.0.1:$LINK_PORT" --to "127.0.0.1:$HUBLINK_CONSOLE" --control "$RUN/link.sock" --ready-file "$RUN/link.ready.json"
ready link
start hub bin/obedio-hub serve --data "$RUN/hub" --site yacht-1 --site-name "M/Y Aurelia" \
	--http "127.0.0.1:$HTTP_HUB" --https "127.0.0.1:$HTTPS_HUB" --mqtt "127.0.0.1:$MQTT_HUB" --mqtts "127.0.0.1:$MQTTS_HUB" \
	--mqtt-ws "127.0.0.1:$WS_HUB" --metrics "127.0.0.1:$METRICS_HUB" \
	--uplink-state-every 2s --uplink-retry-first 2s --uplink-retry-most 5s --ready-file "$RUN/hub.ready.json"
ready hub

user() { node -p "JSON.stringify({username: '$1', password: require('fs').readFileSync('$RUN/$2.password', 'utf8').trim()})"; }
hub_password=$(password hub) console_password=$(password console)
[ -e "$RUN/hub.setup" ] || { user captain hub | bin/obedio-hub setup --data "$RUN/hub" >/dev/null && touch "$RUN/hub.setup"; }
[ -e "$RUN/console.setup" ] || { user owner console | bin/obedio-console setup --data "$RUN/console" >/dev/null && touch "$RUN/console.setup"; }
# The claim names the console's own address; the hub calls it through the link.
console=https://127.0.0.1:$LINK_PORT
if [ ! -e "$RUN/enrolled" ]; then
	bin/obedio-console site add yacht-1 --name "M/Y Aurelia" --data "$RUN/console" >/dev/null
	touch "$RUN/enrolled"
fi
if [ "$(cat "$RUN/enrolled")" != "$console" ]; then # also after a run of a version without a link
	bin/obedio-console site claim yacht-1 --data "$RUN/console" >"$RUN/claim.json"
	bin/obedio-hub enroll --data "$RUN/hub" --claim "$RUN/claim.json" --console "$console" >/dev/null
	echo "$console" >"$RUN/enrolled"
fi
[ -s "$RUN/sim.token" ] || (umask 077 && bin/obedio-hub token create --data "$RUN/hub" --name simulator --role admin --json |
	node -p "JSON.parse(require('fs').readFileSync(0)).token" >"$RUN/sim.token")
# The devices join with keys of their own; later runs find them in sim.json.
start sim bin/obedio-sim run demo --devices 40 --hub "http://$(listener hub http)" --token-file "$RUN/sim.token" --state "$RUN/sim.json"
others=""
if [ "${FLEET:-0}" != 0 ]; then
	[ -s "$RUN/fleet.token" ] || (umask 077 && bin/obedio-console token create --data "$RUN/console" --name fleet --role owner --json |
		node -p "JSON.parse(require('fs').readFileSync(0)).token" >"$RUN/fleet.token")
	start fleet bin/obedio-sim fleet --sites "$FLEET" --offline 5% --late 3% --console "http://$(listener console http)" --token-file "$RUN/fleet.token" \
		--state "$RUN/fleet"
	others="
  $FLEET synthetic sites are in contact with the console, or on their way."
fi

cat <<TXT

  Hub of M/Y Aurelia   http://$(listener hub http)   user captain   password $hub_password
  Fleet console        http://$(listener console http)   user owner     password $console_password

  40 simulated devices press, answer and report. MQTT is at $(listener hub mqtt), with TLS at
  $(listener hub mqtts). Logs are in $RUN/.$others

  The link to shore:   type  cut, slow, back  and Enter, or from elsewhere
                       bin/obedio-sim link set cut --control $RUN/link.sock
                       (help lists what else it can be; show tells what it has carried)
  Stop the console:    kill \$(cat $RUN/console.pid)      (it is started again after 20 s)
  Ctrl-C stops everything.

TXT
# switch WORD: what was typed.
switch() {
	local profile=$1
	case $1 in
	"") return ;;
	help)
		cat <<-TXT
			cut              nothing reaches the shore, and it shows at once
			half-open        nothing reaches the shore, and nothing says so
			slow             a satellite: 600 ms, 1 Mbit/s, 2 % of packets lost
			flaky            the same in heavy weather
			captive-portal   a marina's Wi-Fi answers in the console's place
			bad-gateway      a proxy does
			back             all is well
			show             what the link has carried
		TXT
		return
		;;
	show)
		bin/obedio-sim link show --control "$RUN/link.sock" | sed -n 1,5p
		return
		;;
	back) profile=lan ;;
	slow) profile=vsat ;;
	esac
	bin/obedio-sim link set "$profile" --control "$RUN/link.sock" || echo "help lists the words"
}
trap '' TTIN # in the background nobody types
# The console may be stopped to see that nothing on board changes; it comes back.
while true; do
	said=0
	read -r -t 1 word 2>/dev/null || said=$?
	if [ "$said" = 0 ]; then
		switch "$word"
	elif [ "$said" -le 128 ]; then # not the second that is over: there is nobody to read from
		sleep 1
	fi
	for name in hub sim link; do
		kill -0 "$(cat "$RUN/$name.pid")" 2>/dev/null || { echo "$name has ended; the end of $RUN/$name.log:"; tail -n 5 "$RUN/$name.log"; exit 1; }
	done
	kill -0 "$(cat "$RUN/console.pid")" 2>/dev/null && continue
	echo "console has stopped; starting it again in 20 s"
	sleep 20 &
	wait $!
	run_console
	echo "console is back"
done
