#!/bin/sh
# Runs every fuzz target for a while: ./scripts/fuzz.sh [SECONDS each, 5].
# A package's test binary is built once, with the fuzzer's instrumentation, and
# runs all its targets: go test would link it again for each. A package with
# more than 50 targets, which are as many small decoders, gets half the time for
# each, at least a second, so that `fuzz.sh 1` stays under 4 minutes on two
# cores. New inputs are kept where go test keeps them.
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
seconds=${1:-5}
failed=0
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
log=$tmp/log
module=$(go list -m) || exit 1
cache=$(go env GOCACHE)/fuzz/$module

# once PKG TARGET SECONDS: one run.
once() {
	mkdir -p "$cache/$1"
	(cd "$1" && "$tmp/fuzz.test" -test.run='^$' -test.fuzz="^$2\$" -test.fuzztime="$3s" \
		-test.fuzzminimizetime=10x -test.fuzzcachedir="$cache/$1") >"$log" 2>&1
}
deadline_only() {
	grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"
}

# attempt PKG TARGET SECONDS: Go's fuzzer sometimes fails with nothing but its own
# deadline when the time is up in the middle of an input, the more often the
# busier the machine. That is no finding, which names its input's file, so it is
# tried up to three times more; a target that hangs fails each time.
attempt() {
	for _ in 1 2 3 4; do
		once "$@" && return 0
		deadline_only || return 1
	done
	return 1
}

for pkg in $(grep -rl --include='*_test.go' '^func Fuzz' broker cmd configs runner services websocket | xargs -n1 dirname | sort -u); do
	targets=$(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$pkg"/*_test.go | sed 's/^func //' | sort -u)
	each=$seconds
	if [ "$(printf '%s\n' "$targets" | wc -l)" -gt 50 ] && [ "$each" -gt 1 ]; then
		each=$((each / 2))
	fi
	# -fuzz asks for the instrumentation; the expression itself is not used.
	if ! go test -c -fuzz=. -o "$tmp/fuzz.test" "./$pkg" >"$log" 2>&1; then
		say "$pkg does not build"
		cat "$log" >&2
		failed=1
		continue
	fi
	for target in $targets; do
		say "$pkg $target for $each s"
		attempt "$pkg" "$target" "$each" || {
			failed=1
			cat "$log" >&2
		}
		if grep -q 'without coverage guidance' "$log"; then
			say "$pkg was built without the fuzzer's instrumentation"
			failed=1
		fi
	done
done
exit $failed
