#!/bin/sh
# Runs every fuzz target for a while: ./scripts/fuzz.sh [SECONDS each, 5].
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
seconds=${1:-5}
failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# once PKG TARGET: one run. Go's fuzzer sometimes fails with nothing but its
# own deadline when the time is up in the middle of an input; that is no
# finding, so it is tried once more. A finding names its input's file.
once() {
	go test "./$1" -run='^$' -fuzz="^$2\$" -fuzztime="${seconds}s" -fuzzminimizetime=10x >"$log" 2>&1
}
deadline_only() {
	grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"
}

for pkg in $(grep -rl --include='*_test.go' '^func Fuzz' broker cmd configs runner services websocket | xargs -n1 dirname | sort -u); do
	for target in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$pkg"/*_test.go | sed 's/^func //' | sort -u); do
		say "$pkg $target for $seconds s"
		once "$pkg" "$target" || { deadline_only && once "$pkg" "$target"; } || {
			failed=1
			cat "$log" >&2
		}
	done
done
exit $failed
