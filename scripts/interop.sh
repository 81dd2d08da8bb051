#!/bin/sh
# Installs the foreign client (@stoqey/ib, pinned) into scripts/interop and
# lets it drive the simulated gateway: ./scripts/interop.sh [--install].
# With --install it only installs.
set -u
. "$(dirname -- "$0")/tools.sh"
need node "install Node 20 or newer (https://nodejs.org)"
need npm "npm comes with Node: install Node 20 or newer"
need_go
cd scripts/interop || exit 1
stamp=node_modules/.installed
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
	say "installing @stoqey/ib (npm ci)"
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || exit 1
	touch "$stamp"
fi
[ "${1:-}" = --install ] && exit 0
REQUIRE_INTEROP=1 exec go test -count=1 -v .
