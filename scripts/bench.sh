#!/bin/sh
# Builds the programs and prints the figures that the project holds itself to,
# beside their limits: ./scripts/bench.sh [--quick] [--only SECTION] (--help lists
# the sections).
# A limit that is missed is printed as MISSED; only a figure that could not be
# taken makes it fail. It takes about six minutes; give it a quiet machine.
set -u
. "$(dirname -- "$0")/tools.sh"
need_go

if [ ! -f websocket/web/dist/index.html ]; then
	say "the dashboard is not built (./scripts/web.sh): memory is measured with the placeholder page"
fi
say "building"
CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/... || exit 1
CGO_ENABLED=0 go build -trimpath -o bin/bench ./scripts/bench || exit 1
exec bin/bench "$@"
