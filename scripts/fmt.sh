#!/bin/sh
# Formats the Go code. With --check it changes nothing and fails on what is
# not formatted.
set -u
. "$(dirname -- "$0")/tools.sh"

tool gofumpt mvdan.cc/gofumpt "$gofumpt_version"
if [ "${1:-}" = --check ]; then
	bad=$("$tool_path" -l broker cmd configs runner scripts services websocket) || exit 1
	[ -z "$bad" ] && exit 0
	say "not formatted (mend: ./scripts/fmt.sh):"
	printf '%s\n' "$bad" >&2
	exit 1
fi
"$tool_path" -l -w broker cmd configs runner scripts services websocket
