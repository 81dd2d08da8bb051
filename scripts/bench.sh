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
case " $* " in
*" --only deploy "*)
	# What is installed is what a release holds, so one is built for this machine.
	here=$(go env GOOS)/$(go env GOARCH)
	pages=''
	[ ! -f websocket/web/dist/index.html ] || pages=--pages-as-built
	rm -rf bin/release
	./scripts/release.sh $pages --platform "$here" --out bin/release || exit 1
	set -- "$@" --archive "$(echo bin/release/robotrader_*.tar.gz)"
	;;
esac
exec bin/bench "$@"
