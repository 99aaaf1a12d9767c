# Sourced by the other scripts: where things are, and how to install what is
# missing. Debian's packages only; nothing is downloaded from elsewhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
MODULES=(proto shared edge console firmware-sim)

say() { printf '\n== %s\n' "$*"; }

# go_tool NAME ARGS…: runs a tool that scripts/tools/go.mod pins. It is built
# first, since "go tool -modfile" does not work inside the workspace that most
# tools are to look at.
declare -A TOOL_PACKAGES=(
	[buf]=github.com/bufbuild/buf/cmd/buf
	[golangci-lint]=github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	[gotestsum]=gotest.tools/gotestsum
	[govulncheck]=golang.org/x/vuln/cmd/govulncheck
	[protoc-gen-go]=google.golang.org/protobuf/cmd/protoc-gen-go
	[protoc-gen-connect-go]=connectrpc.com/connect/cmd/protoc-gen-connect-go
)
go_tool() {
	local name=$1
	shift
	(cd "$ROOT/scripts/tools" && GOWORK=off go build -o "$ROOT/bin/tools/$name" "${TOOL_PACKAGES[$name]}")
	"$ROOT/bin/tools/$name" "$@"
}

# need COMMAND PACKAGE: installs a Debian package if its command is missing.
need() { command -v "$1" >/dev/null 2>&1 || install_package "$2"; }

# need_file FILE PACKAGE: the same by a file.
need_file() { [ -e "$1" ] || install_package "$2"; }

# need_postgres: a server for tests, from Debian's package, unless one is given.
# Its cluster is not used: the tests make their own.
need_postgres() {
	[ -z "${OBEDIO_TEST_POSTGRES:-}" ] || return 0
	command -v initdb >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install_package postgresql
}

install_package() {
	say "installing $1"
	local sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	command -v apt-get >/dev/null 2>&1 || {
		echo "$1 is missing, and this is not a Debian-like machine: install it and try again" >&2
		return 1
	}
	"${sudo[@]}" apt-get update -qq
	DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}
