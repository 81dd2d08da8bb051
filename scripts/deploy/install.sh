#!/bin/sh
# Installs the trader as a service of systemd, or upgrades it. It tells what it
# will do and asks before it does it; a second run finds nothing to do. What you
# wrote into /etc/robotrader is never overwritten, and the data folder is made by
# the service itself.
#
#   sudo ./install.sh                  from an unpacked archive of a release
#   sudo ./install.sh --yes            do not ask
#   sudo ./install.sh --no-start       leave the service as it runs, or not
#   ./install.sh --root DIR --yes      into a folder, for a package or an image:
#                                      nothing of this machine is touched
set -u
umask 022

say() { printf 'install.sh: %s\n' "$*"; }
fail() {
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
root=''
yes=no
start=yes
while [ $# -gt 0 ]; do
	case $1 in
	--yes) yes=yes ;;
	--no-start) start=no ;;
	--root)
		[ $# -ge 2 ] || fail "--root needs a folder"
		root=${2%/}
		[ -n "$root" ] || fail "--root $2 is this machine: leave it out"
		start=no
		shift
		;;
	-h | --help)
		sed -n '2,12s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*)
		printf 'install.sh: unknown argument %s; see --help\n' "$1" >&2
		exit 2
		;;
	esac
	shift
done

# Where the files come from: an unpacked archive, or a checkout with bin/ built.
from=$here
configs=$here/configs
doc=$here/README.md
if [ ! -f "$from/start_trader" ]; then
	from=$(CDPATH='' cd -- "$here/../.." && pwd)/bin
	configs=${from%/bin}/configs
	doc=${from%/bin}/README.md
fi
[ -f "$from/start_trader" ] || fail "no start_trader beside this script: unpack a release's archive, and run it from there"
"$from/start_trader" --version >/dev/null 2>&1 ||
	fail "$from/start_trader does not run here: this is $(uname -s) $(uname -m); take the archive for it"

bin=$root/usr/local/bin
unit=$root/etc/systemd/system/robotrader.service
etc=$root/etc/robotrader
share=$root/usr/local/share/doc/robotrader

plan=''
differs() { ! cmp -s "$1" "$2"; }
# want TEXT: one line of the plan.
want() { plan="$plan
  $1"; }

for p in start_trader traderctl gatewaysim; do
	differs "$from/$p" "$bin/$p" || continue
	if [ -f "$bin/$p" ]; then want "replace $bin/$p (the old one becomes $p.previous)"; else want "put $bin/$p in place"; fi
done
differs "$here/robotrader.service" "$unit" && want "write $unit"
[ -e "$etc/trader.yaml" ] || want "write $etc/trader.yaml (a first configuration: the simulated gateway)"
[ -e "$etc/trader.env" ] || want "write $etc/trader.env (for secrets; mode 0600)"
differs "$doc" "$share/README.md" && want "write $share/README.md"

running=no
enabled=no
if [ -z "$root" ] && [ $start = yes ]; then
	command -v systemctl >/dev/null 2>&1 || fail "this machine has no systemctl; use --no-start, or the container"
	systemctl is-active --quiet robotrader.service && running=yes
	systemctl is-enabled --quiet robotrader.service 2>/dev/null && enabled=yes
	[ $enabled = yes ] || want "have systemd start robotrader.service with the machine"
	if [ $running = no ]; then
		want "start it"
	elif [ -n "$plan" ]; then
		want "stop it in order and start it again: working entries end, exits and protective stops stay at the broker (desk.on_stop)"
	fi
fi

if [ -z "$plan" ]; then
	say "nothing to do: everything is in place"
	exit 0
fi
say "this is $("$from/start_trader" --version). It will:$plan"
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "that needs root: run it with sudo"
if [ $yes = no ]; then
	printf 'install.sh: go on? [y/N] '
	answer=no
	read -r answer || true
	case $answer in
	y | Y | yes | Yes) ;;
	*)
		say "nothing was changed"
		exit 1
		;;
	esac
fi

# put SOURCE TARGET MODE: as a whole or not at all, so that a program that runs is
# never half of two.
put() {
	mkdir -p "$(dirname -- "$2")" && cp "$1" "$2.new" && chmod "$3" "$2.new" && mv "$2.new" "$2" ||
		fail "could not write $2"
}

for p in start_trader traderctl gatewaysim; do
	differs "$from/$p" "$bin/$p" || continue
	[ ! -f "$bin/$p" ] || put "$bin/$p" "$bin/$p.previous" 755
	put "$from/$p" "$bin/$p" 755
done
differs "$here/robotrader.service" "$unit" && put "$here/robotrader.service" "$unit" 644
differs "$doc" "$share/README.md" && put "$doc" "$share/README.md" 644
[ -e "$etc/trader.env" ] || put "$here/.env.example" "$etc/trader.env" 600
if [ ! -e "$etc/trader.yaml" ]; then
	put "$configs/sim.yaml" "$etc/trader.yaml" 644
	say "read $etc/trader.yaml: it trades AAPL against the simulated gateway until you say otherwise; examples for a paper and a live account are in $configs"
fi

if [ -z "$root" ] && [ $start = yes ]; then
	systemctl daemon-reload || fail "systemctl daemon-reload failed"
	systemctl enable --quiet robotrader.service || fail "systemctl enable failed"
	# Returns when it serves, or says why it does not.
	systemctl restart robotrader.service || {
		systemctl --no-pager --lines=20 status robotrader.service
		say "it does not start; the lines above say why"
		[ ! -f "$bin/start_trader.previous" ] || say "the program before this one is $bin/start_trader.previous"
		exit 1
	}
	systemctl --no-pager --lines=0 status robotrader.service
	say "it serves; look with: sudo traderctl --data /var/lib/robotrader status"
fi
say "done"
