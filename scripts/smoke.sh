#!/bin/sh
# Starts the trader as a user would, for ten seconds, on ports and a data
# folder of its own, and fails unless it was ready and traded on a moving price.
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
need curl "install curl"

data=$(mktemp -d) || exit 1
log=$data/smoke.log
port=${SMOKE_PORT:-18787}
trap 'rm -rf "$data"' EXIT

./start_trader AAPL --headless --data "$data/d" --http "127.0.0.1:$port" --run-for 15s >"$log" 2>&1 &
pid=$!
ready=no
tries=0
# The first start builds the binary; after that, ready takes under a second.
while [ $tries -lt 240 ] && kill -0 $pid 2>/dev/null; do
	if curl -fsS --max-time 2 "http://127.0.0.1:$port/readyz" >/dev/null 2>&1; then
		ready=yes
		break
	fi
	tries=$((tries + 1))
	sleep 0.5
done
[ $ready = yes ] && state=$(curl -fsS --max-time 2 "http://127.0.0.1:$port/api/state")
wait $pid
code=$?
if [ $ready != yes ] || [ $code -ne 0 ]; then
	say "not ready, or exit $code instead of 0; its output:"
	cat "$log" >&2
	exit 1
fi
case $state in
*'"last":"'*) say "ready, a price, and an orderly stop" ;;
*)
	say "ready, but no last price in /api/state: $state"
	exit 1
	;;
esac
