# shellcheck shell=bash
# The end-to-end tests that run on the host source this file. They start their guests
# themselves. Such a test is scripts/host/NAME.sh, an executable bash script. It has the
# same header as a guest test. $OUT is the directory of the test. The environment has
# the variables that crash.sh and vm.sh need for the kernel and the initramfs. A test
# reports its cases with the functions of a guest test: t_case, t_fail, t_die, t_info.
#
# scripts/host/guest/ has the scripts that these tests run in a guest.

. "$SCRIPTS/guest/lib.sh"
set -o pipefail
# Without this trap, a test that runs out of time would end with the status of its last
# command and could pass.
trap 't_fail "out of time"; exit 124' TERM

# h_disk NAME SIZE: make a blank sparse disk image and print its path
h_disk() {
	rm -f "$OUT/$1.raw"
	truncate -s "$2" "$OUT/$1.raw"
	echo "$OUT/$1.raw"
}
