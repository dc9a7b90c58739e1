#!/bin/sh
# Test: public suites for msync, mmap, mlock and munmap pass on msyncfs with the hook loaded
# Cases: hook opts_msync opts_mmap opts_munmap opts_mlock opts_mlockall opts_munlock opts_munlockall selftests stress fsck unload
# Timeout: 400
# Brings: conformance-suites.sh
#
# Every file that the suites make lies on msyncfs: it is their /tmp, their
# working directory and, for the Open POSIX Test Suite, their /dev/shm.
#
# Some tests of the suites ask for what no filesystem on Linux gives, or test
# nothing.  They are listed below, each with the result that it must have, and
# must then have the same result on ext4; they are not counted as passed.
. /tests/lib.sh

SUITES=/conformance
HOOK=/sys/kernel/livepatch/msyncfs_hook
REF=/mnt-ref	# ext4

# known NAME: the result that it has on Linux, and why
known() {
	case $1 in
	opts/mmap/11-[45])
		echo "FAIL a store past the end of the file stays in its last page until that is written (mmap(2), BUGS)" ;;
	opts/mmap/21-1)
		echo "FAIL takes 3 for a wrong flag: that is MAP_SHARED_VALIDATE" ;;
	opts/mmap/23-1)
		echo "FAIL wants ENODEV for the writing end of a pipe, which gives EACCES as it cannot be read" ;;
	opts/mmap/27-1)
		echo "UNTESTED for systems without MAP_FIXED, PROT_READ or PROT_WRITE" ;;
	opts/mmap/28-1)
		echo "FAIL wants ENXIO for a mapping past the end: POSIX has SIGBUS on access for that" ;;
	opts/mmap/31-1)
		echo "FAIL wants EOVERFLOW for a length that no address space holds: ENOMEM comes first" ;;
	*)	return 1 ;;
	esac
}

# in_dir DIR SHM CMD...: with DIR/tmp as /tmp, DIR/work as the working directory and
# SHM (if any) as /dev/shm, seen by this command alone; killed when it hangs.
in_dir() {
	# shellcheck disable=SC2016 # expands in that shell
	unshare -m sh -c 'mount --bind "$1/tmp" /tmp || exit 125
		[ -z "$2" ] || mount --bind "$2" /dev/shm || exit 125
		cd "$1/work" || exit 125
		shift 2
		exec "$@"' sh "$1" "$2" timeout -s KILL $((60 * SLOW)) ${3+"$@"}
}

dirs() {
	mkdir -p "$1/tmp" "$1/shm" "$1/work"
	chmod 1777 "$1/tmp" "$1/shm" "$1/work"
	cp -r $SUITES/opts/conformance "$1/work/"
}
