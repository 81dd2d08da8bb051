#!/bin/sh
# Starts the trader as a user would, for ten seconds, on ports and a data
# folder of its own, and fails unless it was ready, had a price and stopped in order.
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
price=no
tries=0
# The first start builds the binary; after that, ready takes under a second,
# and the first trade another one or two.
while [ $tries -lt 240 ] && kill -0 $pid 2>/dev/null; do
	curl -fsS --max-time 2 "http://127.0.0.1:$port/readyz" >/dev/null 2>&1 && ready=yes
	case $(curl -fsS --max-time 2 "http://127.0.0.1:$port/api/state" 2>/dev/null) in
	*'"last":"'*) price=yes ;;
	esac
	[ $ready$price = yesyes ] && break
	tries=$((tries + 1))
	sleep 0.5
done
wait $pid
code=$?
if [ $ready != yes ] || [ $code -ne 0 ]; then
	say "not ready, or exit $code instead of 0; its output:"
	cat "$log" >&2
	exit 1
fi
if [ $price != yes ]; then
	say "ready, but no last price came"
	cat "$log" >&2
	exit 1
fi
say "ready, a price, and an orderly stop"
