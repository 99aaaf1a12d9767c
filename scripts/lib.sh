# Sourced by the other scripts: where things are, and how to install what is
# missing. Debian's packages only; nothing is downloaded from elsewhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
MODULES=(proto shared edge console firmware-sim)

say() { printf '\n== %s\n' "$*"; }

go_tool() { go tool -modfile="$ROOT/scripts/tools/go.mod" "$@"; }

# need COMMAND PACKAGE: installs a Debian package if its command is missing.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	say "installing $2"
	local sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	command -v apt-get >/dev/null 2>&1 || {
		echo "$1 is missing, and this is not a Debian-like machine: install it and try again" >&2
		return 1
	}
	"${sudo[@]}" apt-get update -qq
	DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$2" >/dev/null
}
