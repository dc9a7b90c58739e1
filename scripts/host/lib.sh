# shellcheck shell=bash
# Sourced by the end-to-end tests that direct the guest from the host
# (scripts/host/NAME.sh, an executable bash script with the same header as a
# guest test).  $OUT is the test's own directory; crash.sh and vm.sh find the
# kernel and the initramfs with module and tools in the environment.
# Cases are reported as in a guest: t_case, t_fail, t_die, t_info.
#
# Guest scripts that such tests need live in scripts/host/guest/.

. "$SCRIPTS/guest/lib.sh"
set -o pipefail
# Without this a test that runs out of time would end with the status of its
# last command, and pass.
trap 't_fail "out of time"; exit 124' TERM

# h_disk NAME SIZE: a blank sparse disk image; prints its path
h_disk() {
	rm -f "$OUT/$1.raw"
	truncate -s "$2" "$OUT/$1.raw"
	echo "$OUT/$1.raw"
}
