#!/bin/sh
# Runs the built trader for a simulated day against the built gatewaysim while all
# goes wrong that goes wrong in days, and judges what it holds: memory,
# descriptors, goroutines, sockets, files, differences between the books. It ends
# with code 1 and the name of what was broken, when something is.
#
#   ./scripts/soak.sh                24 simulated hours, 15 minutes
#   ./scripts/soak.sh --hours 72     three days
#   ./scripts/soak.sh --quick        half a minute, as CI has it
#   ./scripts/soak.sh --help         --speed, --seed, --sessions new_york, --keep
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
bin=$root/bin/soak
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -o "$bin/" ./cmd/start_trader ./cmd/gatewaysim ./scripts/examples/go/dip ./scripts/soak || exit 1
exec "$bin/soak" -bin "$bin" "$@"
