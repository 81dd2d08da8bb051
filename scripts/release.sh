#!/bin/sh
# Builds a release into dist/: for each platform the service as one static
# binary with the dashboard inside, an archive with the tools and the installer,
# a list of components (CycloneDX) and, for Linux, a container image. Two builds
# of one commit with one Go version give the same bytes.
#
#   ./scripts/release.sh                           all platforms
#   ./scripts/release.sh --platform linux/arm64    only this one; repeatable
#   ./scripts/release.sh --out DIR --version v1.2.3
#   ./scripts/release.sh --pages-as-built          take websocket/web/dist as it is
#   ./scripts/release.sh --only-service            the service's binary, nothing else
#
# The build time is the commit's, or SOURCE_DATE_EPOCH (seconds) where it is set.
set -u
. "$(dirname -- "$0")/tools.sh"
need_go
need git "install git: version, commit and build time come from the checkout"

cyclonedx_version=v1.10.0 # github.com/CycloneDX/cyclonedx-gomod
out=$root/dist
version=''
platforms=''
pages=build
only=no
while [ $# -gt 0 ]; do
	case $1 in
	--out | --version | --platform)
		[ $# -ge 2 ] || {
			say "$1 needs a value; see the top of scripts/release.sh"
			exit 2
		}
		case $1 in
		--out) out=$2 ;;
		--version) version=$2 ;;
		--platform) platforms="$platforms $2" ;;
		esac
		shift
		;;
	--pages-as-built) pages=keep ;;
	--only-service) only=yes ;;
	*)
		say "unknown argument $1; see the top of scripts/release.sh"
		exit 2
		;;
	esac
	shift
done
platforms=${platforms:-linux/amd64 linux/arm64 darwin/arm64}

commit=$(git rev-parse HEAD) || exit 1
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
built=$(TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)
[ -z "${SOURCE_DATE_EPOCH:-}" ] || built=$(go run ./scripts/release time "$epoch") || exit 1
if [ -z "$version" ]; then
	# A tag, or what Go calls a commit without one.
	version=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null) ||
		version=v0.0.0-$(TZ=UTC0 git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd)-$(git rev-parse --short=12 HEAD)
	[ -z "$(git status --porcelain --untracked-files=no)" ] || version=$version+changes
fi
case $version in
*[!A-Za-z0-9.+_-]*)
	say "version $version: letters, digits and . + _ - only"
	exit 2
	;;
esac

if [ $pages = build ]; then
	./scripts/web.sh || exit 1
elif [ ! -f websocket/web/dist/index.html ]; then
	say "--pages-as-built, but websocket/web/dist has no dashboard: run ./scripts/web.sh first"
	exit 1
fi

stamp=robotrader/services/stamp
flags="-s -w -buildid= -X $stamp.version=$version -X $stamp.commit=$commit -X $stamp.built=$built"
[ $only = yes ] || tool cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod "$cyclonedx_version"
work=$out/.work
rm -rf "$work" && mkdir -p "$work" || exit 1
trap 'rm -rf "$work"' EXIT
for p in $platforms; do
	say "building $version for $p"
	dir=$work/$(echo "$p" | tr / _)
	mkdir -p "$dir" || exit 1
	what=./cmd/...
	[ $only = no ] || what=./cmd/start_trader
	# GOFLAGS and GOAMD64 of the machine must not change the bytes.
	GOFLAGS='' GOAMD64=v1 GOARM64=v8.0 CGO_ENABLED=0 GOOS=${p%/*} GOARCH=${p#*/} \
		go build -trimpath -buildvcs=false -ldflags "$flags" -o "$dir/" "$what" || exit 1
	if [ $only = yes ]; then
		mv "$dir/start_trader" "$out/start_trader_${version}_${p%/*}_${p#*/}" || exit 1
		continue
	fi
	# The licences are read from the modules' own files, as the module cache has them.
	"$tool_path" bin -json -std -licenses -assert-licenses -noserial -notimestamp -version "$version" -output "$dir/modules.json" "$dir/start_trader" 2>"$work/sbom.log" || {
		cat "$work/sbom.log" >&2
		say "the list of components could not be made"
		exit 1
	}
done
[ $only = no ] || exit 0
# shellcheck disable=SC2086 # a list of words
go run ./scripts/release pack --from "$work" --out "$out" --version "$version" --epoch "$epoch" $platforms || exit 1
say "$version ($commit) is in $out"
