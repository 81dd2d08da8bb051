# Sourced by the other scripts: where the root is, which tool versions count,
# and how a tool gets into bin/tools. Nothing outside the checkout is changed.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit 1

gofumpt_version=v0.12.0     # mvdan.cc/gofumpt
staticcheck_version=v0.8.2  # honnef.co/go/tools

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# need TOOL MEND: one clear line when a tool is missing.
need() {
	command -v "$1" >/dev/null 2>&1 && return 0
	say "$1 is missing: $2"
	exit 1
}

need_go() { need go "install Go 1.26 or newer (https://go.dev/dl) and put it on the PATH"; }

# tool NAME MODULE VERSION: builds a pinned tool into bin/tools once a version.
tool() {
	tool_path=$root/bin/tools/$1-$3
	if [ ! -x "$tool_path" ]; then
		say "building $1 $3"
		need_go
		mkdir -p "$root/bin/tools/tmp"
		GOBIN=$root/bin/tools/tmp GOFLAGS='' go install "$2@$3" || exit 1
		mv "$root/bin/tools/tmp/$1" "$tool_path" || exit 1
	fi
}
