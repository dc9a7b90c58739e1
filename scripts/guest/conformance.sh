#!/bin/sh
# Test: public suites for msync, mmap, mlock and munmap pass on msyncfs with the hook loaded
# Cases: hook opts_msync opts_mmap opts_munmap opts_mlock opts_mlockall opts_munlock opts_munlockall selftests stress fsck unload
# Timeout: 600
# Brings: conformance-suites.sh
#
# All files of the suites are on msyncfs: their /tmp, their working directory and, for
# the Open POSIX Test Suite, their /dev/shm.
#
# Some tests of the suites require a result that no filesystem on Linux gives. Some
# other tests check nothing. The function known() lists all these tests with their
# expected results. A listed test must have its expected result on msyncfs and on ext4.
# A listed test does not count as passed.
. /tests/lib.sh

SUITES=/conformance
REF=/mnt-ref	# where ext4 is mounted, for comparison

# known NAME: if the test is listed, print its expected result and the reason
known() {
	case $1 in
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
	selftests/mdwe_test)
		echo "SKIP-4 parts that are about the machine arm64" ;;
	selftests/mkdirty)
		# Debian's 6.12 allows it.
		case $(uname -r) in
		6.*) known_debug "$1" ;;
		*) echo "FAIL 2 parts that write to read-only memory through /proc, which needs ptrace" ;;
		esac ;;
	*)	known_debug "$1" ;;
	esac
}

# known_debug NAME: if the test needs a feature that the test kernel lacks, print its
# expected result and the reason
known_debug() {
	case $(uname -r):$1 in
	*-msyncfs-test:selftests/mkdirty) echo "SKIP-2 parts that need NUMA" ;;
	*-msyncfs-test:selftests/mseal_test) echo "SKIP-2 parts that need protection keys" ;;
	*-msyncfs-test:selftests/soft-dirty) echo "SKIP for kernels without soft-dirty bits" ;;
	*)	return 1 ;;
	esac
}

# kmsg TEXT: write TEXT to the kernel's log. The text helps the reader of the log, and
# it shows the host that the guest is alive
kmsg() { echo "msyncfs-test: $*" >/dev/kmsg; }

# in_dir DIR SHM CMD...: run CMD with DIR/tmp as /tmp, DIR/cwd as the working directory
# and SHM (if not empty) as /dev/shm; kill CMD if it hangs
in_dir() {
	dir=$1 shm=$2
	shift 2
	# shellcheck disable=SC2016 # the inner shell expands $1 and so on
	timeout -s KILL $((120 * SLOW)) unshare -m sh -c 'mount --bind "$1/tmp" /tmp || exit 125
		[ -z "$2" ] || mount --bind "$2" /dev/shm || exit 125
		cd "$1/cwd" || exit 125
		shift 2
		exec "$@"' sh "$dir" "$shm" "$@"
}

# start NAME DIR: run the test as the user and with the limits that it expects
start() {
	prog=$SUITES/$1
	case $1 in
	opts/mlock/speculative/12-1 | opts/mlockall/speculative/15-1)
		# This test needs a user who may lock no memory.
		# shellcheck disable=SC2016
		in_dir "$2" "$2/shm" sh -c 'ulimit -l 0; exec "$0"' "$prog" ;;
	opts/munmap/2-1)
		# This test unmaps a part of the memory that malloc() returned, then
		# uses stdio. If this memory came from the heap, stdio could crash.
		in_dir "$2" "$2/shm" env GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4096:glibc.malloc.top_pad=0 "$prog" ;;
	opts/mmap/18-1)
		# This test needs a user without privileges. At the start of the test,
		# the user may lock any amount of memory.
		# shellcheck disable=SC2016
		in_dir "$2" "$2/shm" sh -c 'ulimit -l unlimited; exec su -s /bin/sh nobody -c "$0"' "$prog" ;;
	opts/*)	in_dir "$2" "$2/shm" "$prog" ;;
	selftests/on-fault-limit)
		in_dir "$2" '' su -s /bin/sh nobody -c "$prog" ;;
	selftests/mremap_test)
		# This test maps memory at an address that it computes, and fails if
		# the random layout of its address space has something there.
		in_dir "$2" '' setarch -R "$prog" ;;
	*)	in_dir "$2" '' "$prog" ;;
	esac
}

# result NAME DIR: run the test and print its result, in the terms of the suite
result() {
	kmsg "$1"
	rc=0
	({ set +x; } 2>/dev/null; start "$1" "$2") >/run/out 2>&1 || rc=$?
	cat /run/out >&2
	case $1:$rc in
	*:0)	# Count skipped parts, as in "# Totals: pass:1 fail:0 [...] skip:2 error:0"
		skip=$(sed -n 's/^# Totals:.* skip:\([0-9]*\).*/\1/p' /run/out)
		if [ "${skip:-0}" -eq 0 ]; then echo PASS; else echo "SKIP-$skip"; fi ;;
	*:137)	echo HUNG ;;
	*:1)	echo FAIL ;;
	opts/*:2) echo UNRESOLVED ;;
	opts/*:4) echo UNSUPPORTED ;;
	opts/*:5) echo UNTESTED ;;
	selftests/*:4) echo SKIP ;;
	*)	echo "status $rc" ;;
	esac
}

# says_what: copy the end of the test's output into the report
says_what() {
	tail -n 8 /run/out >/run/end
	while read -r line; do t_info "| $line"; done </run/end
}

# suite WHAT NAME...: run the tests; each test must pass or have the result that known()
# lists
suite() {
	what=$1
	shift
	passed=0 same=0 says=0 all=$#
	for t; do
		got=$(result "$t" "$MNT")
		last=$(tail -n 1 /run/out)
		want=$(known "$t") || want=PASS
		if [ "$got" != "${want%% *}" ]; then
			t_fail "$t: $got instead of ${want%% *}: $last"
			says_what
		elif [ "$got" = PASS ]; then
			case $t in
			*.sh)	says=$((says + 1)) ;;
			*)	passed=$((passed + 1)) ;;
			esac
		elif ref=$(result "$t" "$REF") && [ "$ref" = "$got" ]; then
			same=$((same + 1))
			t_info "$t: $got, as on ext4: ${want#* }"
		else
			t_fail "$t: $got, but $ref on ext4"
		fi
	done
	[ "$all" -gt 0 ] || t_fail "$what: no tests"
	line="$what: $passed of $all tests passed"
	[ $says -eq 0 ] || line="$line; $says only print which of the others cover them"
	[ $same -eq 0 ] || line="$line; $same do not pass, nor on ext4"
	t_info "$line"
}

# places MOUNTPOINT: make the directories for in_dir
places() {
	mkdir -p "$1/tmp" "$1/shm" "$1/cwd"
	chmod 1777 "$1/tmp" "$1/shm" "$1/cwd"
	cp -r $SUITES/opts/conformance "$1/cwd/"
}

t_case hook
t_module
t_hook
[ -d $SUITES ] || t_die "the suites are not here: scripts/conformance-suites.sh failed"
t_fresh
modprobe ext4 || t_die "this kernel has no ext4"
t_run mkfs.ext4 -q -F "$DISK2"
mkdir -p $REF
t_run mount -t ext4 "$DISK2" $REF
places "$MNT"
places $REF

for g in msync mmap munmap mlock mlockall munlock munlockall; do
	t_case opts_$g
	# shellcheck disable=SC2046 # the names have no blanks
	suite "Open POSIX Test Suite, $g" $(sed -n "s|^$g |opts/|p" $SUITES/opts.list)
done

t_case selftests
# Some parts need huge pages, and some map more memory than the guest has.
echo 16 >/proc/sys/vm/nr_hugepages
echo 1 >/proc/sys/vm/overcommit_memory
# shellcheck disable=SC2046
suite "the kernel's selftests" $(sed 's|^|selftests/|' $SUITES/selftests.list)
echo 0 >/proc/sys/vm/nr_hugepages
echo 0 >/proc/sys/vm/overcommit_memory

# Run stressors that verify their data, as a user who may lock some memory. As root the
# stressors would also try MADV_HWPOISON, which breaks the machine. The second column of
# the list has the number of operations.
t_case stress
passed=0 all=0
while read -r s ops args; do
	all=$((all + 1))
	kmsg "stress-ng --$s $args"
	rc=0
	(
		{ set +x; } 2>/dev/null
		# shellcheck disable=SC2016
		in_dir "$MNT" '' sh -c 'ulimit -l 65536; exec su -s /bin/sh nobody -c "$0"' \
			"exec stress-ng --temp-path . --verify --oomable --timeout $((30 * SLOW)) --$s 2 --$s-ops $ops $args"
	) </dev/null >/run/out 2>&1 || rc=$?
	cat /run/out
	if [ $rc -eq 0 ] && ! grep -E ' (failed|skipped): +[1-9]' /run/out; then
		passed=$((passed + 1))
	else
		t_fail "stress-ng --$s $args: exit status $rc"
		says_what
	fi
done <<EOF
msync 200 --msync-bytes 2m
msyncmany 10
mmap 2 --mmap-bytes 4m --mmap-file
mmap 20 --mmap-bytes 4m --mmap-async
mmapaddr 200
mmapfixed 2
mmapmany 20
mremap 20 --mremap-bytes 2m --mremap-mlock
munmap 20
mlock 200
remap 10
fault 500
madvise 5
mincore 50
mprotect 50
stackmmap 10
tlb-shootdown 20
EOF
t_info "stress-ng: $passed of $all stressors passed"

t_case fsck
t_umount
t_umount $REF
t_fsck

t_case unload
t_unhook
t_run rmmod msyncfs
