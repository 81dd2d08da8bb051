#!/bin/sh
# All checks, as CI runs them: format, static checks, architecture rules, the
# dashboard's build and tests, unit and property tests with the race detector,
# short fuzzing, end-to-end and browser tests. It makes its own set-up; the
# only thing it installs on the machine is chromium, on Debian as root.
#
#   ./scripts/test.sh            everything
#   FUZZ_SECONDS=30 ./scripts/test.sh
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
start=$(date +%s)
failed=''

stage() {
	name=$1
	shift
	say "== $name"
	began=$(date +%s)
	if "$@"; then
		say "== $name: passed in $(($(date +%s) - began)) s"
	else
		say "== $name: FAILED after $(($(date +%s) - began)) s"
		failed="$failed $name"
	fi
}

browser() {
	for b in chromium chromium-browser google-chrome; do
		command -v "$b" >/dev/null 2>&1 && return 0
	done
	if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
		say "installing chromium for the browser tests"
		{ apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 && return 0
	fi
	say "no chromium: install it (Debian: apt-get install chromium)"
	return 1
}

stage format ./scripts/fmt.sh --check
stage web ./scripts/web.sh --check
stage lint ./scripts/lint.sh
stage chromium browser
stage foreign-client ./scripts/interop.sh --install
# The end-to-end and browser tests build the binary themselves; they are
# told to fail, not to skip, where a browser is missing; so are those that drive
# the foreign client.
stage tests env REQUIRE_BROWSER=1 REQUIRE_INTEROP=1 go test -race -timeout 20m ./...
stage damage go test -count=1 -run 'Flip|Truncation|PowerLoss|Fault' ./services/journal # too slow for the detector
stage fuzz ./scripts/fuzz.sh "${FUZZ_SECONDS:-2}"
stage smoke ./scripts/smoke.sh

if [ -n "$failed" ]; then
	say "FAILED:$failed (after $(($(date +%s) - start)) s)"
	exit 1
fi
say "all passed in $(($(date +%s) - start)) s"
