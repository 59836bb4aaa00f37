#!/bin/sh
# Plays Lockstep's VST3 bundle in hosts that others wrote: pedalboard, DawDreamer, Ardour.
#
#   tests/hosts/foreign/run.sh FILE [pedalboard|dawdreamer|ardour]...
#
# FILE is Lockstep.vst3, or the library itself (target/debug/liblockstep_plugin.so), of which a bundle is made. Without
# names all three hosts run. `cargo xtask test --only foreign` installs them and names their Python in LOCKSTEP_PYTHON.
# They are peers to test against, under the GPL; nothing of them is linked or shipped.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$here/../../../target/foreign
mkdir -p "$work"
work=$(cd "$work" && pwd)
file=$(realpath "${1:?usage: run.sh FILE [pedalboard|dawdreamer|ardour]...}")
shift
[ $# -gt 0 ] || set -- pedalboard dawdreamer ardour

# A room must not be joined here: the checks compare with a plugin that is alone.
unset LOCKSTEP_INVITE
# What nice-plug has to say; its debug builds note every event that Ardour sends at a block's very end.
export NICE_LOG="$work/plugin.log"

if [ -d "$file" ]; then
	bundle=$file
else
	bundle=$work/Lockstep.vst3
	rm -rf "$bundle"
	mkdir -p "$bundle/Contents/$(uname -m)-linux"
	cp "$file" "$bundle/Contents/$(uname -m)-linux/Lockstep.so"
fi

python_host() {
	"${LOCKSTEP_PYTHON:?names the Python that has pedalboard, dawdreamer and numpy}" "$here/$1_host.py" "$bundle"
}

ardour_host() {
	library=/usr/lib/ardour7
	if [ ! -x $library/luasession ]; then
		echo "Ardour 7 is not there" >&2
		return 1
	fi
	# Ardour keeps its scans, settings and sessions in a home of its own.
	home=$work/ardour
	rm -rf "$home"
	mkdir -p "$home/.vst3"
	cp -r "$bundle" "$home/.vst3/Lockstep.vst3"
	# A scan counts only if it is younger than the library by a second or more.
	find "$home/.vst3" -type f -exec touch -d '1 hour ago' {} +
	export HOME="$home" XDG_CONFIG_HOME="$home/.config" XDG_CACHE_HOME="$home/.cache"
	# What Ardour's own start script sets.
	export LD_LIBRARY_PATH=$library ARDOUR_DLL_PATH=$library ARDOUR_DATA_PATH=/usr/share/ardour7
	export ARDOUR_CONFIG_PATH=/etc/ardour7 VAMP_PATH=$library/vamp
	$library/ardour-vst3-scanner -f "$home/.vst3/Lockstep.vst3"
	timeout -s KILL 180 stdbuf -oL $library/luasession "$here/ardour_host.lua" "$home/session"
}

failed=
for host in "$@"; do
	echo "== $host"
	case $host in
	pedalboard | dawdreamer) (python_host "$host") || failed="$failed $host" ;;
	ardour) (ardour_host) || failed="$failed $host" ;;
	*)
		echo "no host called $host" >&2
		exit 2
		;;
	esac
done
if [ -n "$failed" ]; then
	echo "failed:$failed" >&2
	exit 1
fi
echo "all foreign hosts: ok"
