#!/bin/sh
# Runs every fuzz target for a while: ./scripts/fuzz.sh [SECONDS each, 5].
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
seconds=${1:-5}
failed=0
for pkg in $(grep -rl --include='*_test.go' '^func Fuzz' broker cmd configs runner services websocket | xargs -n1 dirname | sort -u); do
	for target in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$pkg"/*_test.go | sed 's/^func //' | sort -u); do
		say "$pkg $target for $seconds s"
		go test "./$pkg" -run='^$' -fuzz="^$target\$" -fuzztime="${seconds}s" -fuzzminimizetime=10x >"${TMPDIR:-/tmp}/fuzz.$$" 2>&1 || {
			failed=1
			cat "${TMPDIR:-/tmp}/fuzz.$$" >&2
		}
	done
done
rm -f "${TMPDIR:-/tmp}/fuzz.$$"
exit $failed
