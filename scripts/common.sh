# shellcheck shell=bash disable=SC2034
# The scripts that run on the host source this file. It has their common paths and
# helpers.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPTS=$TOP/scripts
BUILD=$TOP/build
CACHE=${MSYNCFS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/msyncfs}
# SERIES is the series of the kernels that are built here, K that of the stock kernel.
SERIES=6.12
export K=${K:-$SERIES}
export LC_ALL=C

# Progress goes to stderr, because some scripts print their result on stdout. The times
# in the output count from the start of the first script.
export MSYNCFS_T0=${MSYNCFS_T0:-$EPOCHSECONDS}
say() { printf '[%4ds] %s\n' $((EPOCHSECONDS - MSYNCFS_T0)) "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

usage() {
	sed -n 's/^# \{0,1\}Usage: /usage: /p' "$0" >&2
	exit 2
}

# run_quietly LOG COUNT-COMMAND CMD...: run CMD with its output in LOG.  Every 15
# seconds, print a line of progress with the output of COUNT-COMMAND.  If CMD fails,
# print the end of LOG.
run_quietly() {
	local log=$1 count=$2 pid rc=0 n=0
	shift 2
	"$@" >"$log" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		n=$((n + 1))
		[ $((n % 75)) -ne 0 ] || say "  ... $(eval "$count")"
	done
	wait "$pid" || rc=$?
	if [ "$rc" -ne 0 ]; then
		tail -n 30 "$log" >&2
		say "failed (exit $rc): $*; all of its output: $log"
	fi
	return "$rc"
}

# with_lock NAME CMD...: run CMD under a lock. Without the lock, two runs at the same
# time could write the same cache entry
with_lock() {
	local name=$1
	shift
	mkdir -p "$CACHE"
	(
		flock -n 9 || { say "waiting for another run that prepares $name"; flock 9; }
		"$@"
	) 9>"$CACHE/.$name.lock"
}

source_version() {
	dpkg-query -W -f '${Version}' "linux-source-$SERIES" 2>/dev/null ||
		die "package linux-source-$SERIES is missing: run scripts/deps.sh kernel"
}
