#!/bin/sh
# Takes away what install.sh put in place. It tells what it will do and asks
# before it does it; a second run finds nothing to do. Your configuration and the
# data folder (journal, token, logs) stay, unless you name them. Open positions,
# their exits and protective stops stay at the broker: "traderctl flatten" first,
# if you want none.
#
#   sudo ./uninstall.sh
#   sudo ./uninstall.sh --yes             do not ask
#   sudo ./uninstall.sh --delete-config   /etc/robotrader, too
#   sudo ./uninstall.sh --delete-data     /var/lib/robotrader, too: for good
#   ./uninstall.sh --root DIR --yes       of a folder, as install.sh has it
set -u

say() { printf 'uninstall.sh: %s\n' "$*"; }
fail() {
	printf 'uninstall.sh: %s\n' "$*" >&2
	exit 1
}

root=''
yes=no
config=keep
data=keep
while [ $# -gt 0 ]; do
	case $1 in
	--yes) yes=yes ;;
	--delete-config) config=delete ;;
	--delete-data) data=delete ;;
	--root)
		[ $# -ge 2 ] || fail "--root needs a folder"
		root=${2%/}
		[ -n "$root" ] || fail "--root $2 is this machine: leave it out"
		shift
		;;
	-h | --help)
		sed -n '2,14s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*)
		printf 'uninstall.sh: unknown argument %s; see --help\n' "$1" >&2
		exit 2
		;;
	esac
	shift
done

unit=$root/etc/systemd/system/robotrader.service
etc=$root/etc/robotrader
# A dynamic user's folder is a link into private/.
link=$root/var/lib/robotrader
state=$root/var/lib/private/robotrader
# What is removed is the list of arguments from here on: names with blanks in them
# stay whole.
set -- "$unit" "$root/usr/local/share/doc/robotrader/README.md"
for p in start_trader traderctl gatewaysim; do
	set -- "$@" "$root/usr/local/bin/$p" "$root/usr/local/bin/$p.previous"
done

plan=''
want() { plan="$plan
  $1"; }
there() { [ -e "$1" ] || [ -L "$1" ]; }

if [ -z "$root" ] && there "$unit"; then
	command -v systemctl >/dev/null 2>&1 && want "stop robotrader.service in order, and start it with the machine no more"
fi
for f; do
	there "$f" && want "remove $f"
done
[ $config = delete ] && there "$etc" && want "remove $etc, your configuration"
if [ $data = delete ]; then
	for d in "$link" "$state"; do
		there "$d" && want "DELETE $d, the data folder with its journal, for good"
	done
fi

kept=''
[ $config = keep ] && there "$etc" && kept="$kept $etc"
if [ $data = keep ]; then
	for d in "$link" "$state"; do there "$d" && kept="$kept $d"; done
fi
[ -z "$kept" ] || say "kept:$kept"
if [ -z "$plan" ]; then
	say "nothing to do: nothing of it is here"
	exit 0
fi
say "it will:$plan"
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "that needs root: run it with sudo"
if [ $yes = no ]; then
	printf 'uninstall.sh: go on? [y/N] '
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

if [ -z "$root" ] && there "$unit" && command -v systemctl >/dev/null 2>&1; then
	systemctl disable --quiet --now robotrader.service || fail "systemctl could not stop the service; nothing was removed"
fi
for f; do
	! there "$f" || rm -f "$f" || fail "could not remove $f"
done
[ ! -d "$root/usr/local/share/doc/robotrader" ] || rmdir "$root/usr/local/share/doc/robotrader" 2>/dev/null || true
[ $config = keep ] || rm -rf "$etc" || fail "could not remove $etc"
if [ $data = delete ]; then
	for d in "$link" "$state"; do rm -rf "$d" || fail "could not remove $d"; done
fi
if [ -z "$root" ] && command -v systemctl >/dev/null 2>&1; then
	systemctl daemon-reload
	systemctl reset-failed robotrader.service 2>/dev/null || true
fi
say "done"
