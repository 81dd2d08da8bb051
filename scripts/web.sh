#!/bin/sh
# Builds the dashboard into websocket/web/dist, from where the binary embeds
# it. With --check it also runs the type check and the unit tests.
set -u
. "$(dirname -- "$0")/tools.sh"
need node "install Node 20 or newer (https://nodejs.org), or start with --headless"
need npm "npm comes with Node: install Node 20 or newer, or start with --headless"
cd websocket/web || exit 1

stamp=node_modules/.installed
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
	say "installing the dashboard's build tools (npm ci)"
	npm ci --no-audit --no-fund --loglevel=error || exit 1
	touch "$stamp"
fi
if [ "${1:-}" = --check ]; then
	say "type check"
	npm run --silent check || exit 1
	say "unit tests"
	npm run --silent test || exit 1
fi
say "building the dashboard"
rm -rf dist/assets dist/index.html # of an older build; the placeholder stays
npm run --silent build || exit 1
