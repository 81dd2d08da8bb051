#!/bin/sh
# Proves that orders are never lost, never doubled and never beyond the limits:
# a seeded world of the desk with faults and crashes, the journal on a disk that
# loses power, fails and lies, and a real trader that is killed under load. It prints counts, durations and percentiles, and ends with
# another code than 0 when one promise is broken.
#
#   ./scripts/proof.sh            as CI has it: 1,000 seeds, samples of the disk's faults, 50 kills
#   ./scripts/proof.sh --long     10,000 seeds twice each, every fault, 5,000 kills; two or three hours
#   SEEDS=200 KILLS=20 LANES=1 ./scripts/proof.sh
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
case ${1-} in
--long) seeds=${SEEDS:-10000} twice=${SEEDS:-10000} steps=400 kills=${KILLS:-5000} each=${EACH:-50} lanes=${LANES:-3} judge=3s long=-journal.long ;;
'') seeds=${SEEDS:-1000} twice=40 steps=100 kills=${KILLS:-50} each=${EACH:-2} lanes=${LANES:-2} judge=0 long='' ;;
*)
	say "unknown argument $1; want none, or --long"
	exit 2
	;;
esac
start=$(date +%s)
failed=''

say "== the seeded world: $seeds seeds of $steps steps, $twice of them twice"
go test ./broker/desk -run '^TestWorld' -timeout 12h -count 1 -v \
	-world.seeds="$seeds" -world.twice="$twice" -world.steps="$steps" || failed="$failed world"

say "== the journal on a disk that loses power, fails, lies, flips bits and is cut off ${long:-(samples)}"
go test ./services/journal -run 'PowerLoss|Fault|Flip|Truncation' -timeout 6h -count 1 -v $long || failed="$failed journal"

say "== kill -9: $kills at random instants, $each at each boundary"
bin=$root/bin/proof
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/start_trader ./cmd/gatewaysim ./scripts/proof &&
	CGO_ENABLED=0 go build -trimpath -tags crashpoints -o "$bin/start_trader_crash" ./cmd/start_trader &&
	"$bin/proof" -bin "$bin" -kills "$kills" -each "$each" -lanes "$lanes" -judge "$judge" || failed="$failed kills"

if [ -n "$failed" ]; then
	say "BROKEN:$failed (after $(($(date +%s) - start)) s)"
	exit 1
fi
say "all held, in $(($(date +%s) - start)) s"
