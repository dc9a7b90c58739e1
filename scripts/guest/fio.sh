#!/bin/sh
# Test: fio reads back what it has written, with each way of I/O, from ordinary and atomic files
# Cases: psync mmap libaio io_uring mixed atomic_psync atomic_mmap atomic_libaio atomic_io_uring fsck
# Timeout: 240
# Programs: fio
#
# FIO_MIB (default 1): size of each file.
. /tests/lib.sh

# verified OPTION...: two jobs write and read random blocks of two files. Each block has a
# checksum, and fio checks it soon after the write and at the end.
verified() {
	t_rc=0
	fio --directory="$MNT" --size="${FIO_MIB:-1}m" --numjobs=2 --group_reporting --name=job \
		--thread "$@" --rw=randrw --loops=2 --verify=crc32c --verify_fatal=1 \
		--verify_backlog=100 --fsync=40 --randseed="$(date +%s)" >/tmp/out 2>&1 || t_rc=$?
	cat /tmp/out
	[ $t_rc -eq 0 ] || t_die "fio: exit status $t_rc: $(grep -m 1 -E '^(fio|verify)' /tmp/out)"
	t_info "$1: $(grep -E '^ +(read|write): ' /tmp/out | tr -s '\n ' ' ')"
	rm "$MNT"/job*
}

engines() {
	t_case "${1}psync"
	verified --ioengine=psync --bsrange=512-64k --bs_unaligned=1
	t_case "${1}mmap"
	verified --ioengine=mmap --bsrange=4k-64k
	t_case "${1}libaio"
	verified --ioengine=libaio --direct=1 --iodepth=8 --bsrange=512-64k
	t_case "${1}io_uring"
	verified --ioengine=io_uring --direct=1 --iodepth=8 --bsrange=4k-64k
}

# mixed: five jobs share a file, but each has pages of its own. Meanwhile the file grows
# and shrinks again behind these pages. (fio maps a file from its beginning, so the
# mapping must be the first job.)
mixed() {
	t_case mixed
	mib=${FIO_MIB:-1}
	t_run dd if=/dev/zero of="$MNT/shared" bs=1M count=$((5 * mib))
	while :; do
		truncate -s $((6 * mib))M "$MNT/shared"
		dd if=/dev/zero of="$MNT/shared" bs=64k seek=$((80 * mib)) count=$((16 * mib)) \
			conv=notrunc
		truncate -s $((5 * mib))M "$MNT/shared"
	done 2>/dev/null &
	loop=$!
	t_rc=0
	fio --filename="$MNT/shared" --size="${mib}m" --thread --rw=randrw --loops=8 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=100 --bsrange=4k-64k \
		--randseed="$(date +%s)" \
		--name=mmap --ioengine=mmap --fsync=10 \
		--name=libaio --ioengine=libaio --direct=1 --iodepth=32 --offset="${mib}m" \
		--name=io_uring --ioengine=io_uring --direct=1 --iodepth=32 \
		--offset=$((2 * mib))m \
		--name=sync --ioengine=psync --direct=1 --sync=dsync --offset=$((3 * mib))m \
		--name=write --ioengine=psync --fsync=10 --offset=$((4 * mib))m \
		>/tmp/out 2>&1 || t_rc=$?
	kill $loop
	wait $loop 2>/dev/null || :
	cat /tmp/out
	[ $t_rc -eq 0 ] || t_die "fio: exit status $t_rc: $(grep -m 1 -E '^(fio|verify)' /tmp/out)"
	rm "$MNT/shared"
}

t_fresh
engines ''
mixed
t_umount
t_fsck
t_mount "$DISK" atomic
engines atomic_
t_case fsck
t_umount
t_fsck
