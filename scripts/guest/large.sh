#!/bin/sh
# Test: on a device of 1 TiB a large set is one record, and bitmap blocks need not stay in memory
# Cases: log memory contiguous scattered apart atomic
# Timeout: 300
. /tests/lib.sh

PAGES=4000	# more than a record takes

# buffers: print the memory with blocks of devices that reclaim cannot drop, in KiB
buffers() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "Buffers:" { print $2 }' /proc/meminfo
}

stat_of() { cat /sys/fs/msyncfs/"${loop#/dev/}"/"$1"; }

# pages FILE KIB: write PAGES pages of a file, one every KIB KiB, and make them durable
pages() {
	awk -v nr=$PAGES -v step="$2" 'BEGIN {
		for (i = 0; i < nr; i++)
			printf "pwrite -q %.0fk 4k\n", i * step
		print "fsync"
	}' | xfs_io "$MNT/$1"
}

# one_record FILE KIB: write the pages twice; each time they must be one record. The
# operation that makes the file has its own record.
one_record() {
	touch "$MNT/$1"
	for t_round in new overwritten; do
		sync
		before=$(stat_of commits)
		t_run pages "$1" "$2"
		t_eq "records, $t_round pages" $(($(stat_of commits) - before)) 1
		t_eq "split sets, $t_round pages" "$(stat_of split_msyncs)" 0
	done
}

# With the default log, a record takes all bitmap blocks of the device. So no set and no
# atomic file has too many of them. One block of a log of this size is enough for 340
# images in the header of a record.
t_case log
t_module
t_run modprobe loop
t_run truncate -s $((1 << 40)) /tmp/large
loop=$(losetup -f)
t_run losetup "$loop" /tmp/large
mkfs.msyncfs -f "$loop" >/tmp/mkfs.out
cat /tmp/mkfs.out
record=$(awk '$1 == "log" { print int($(NF - 1) / 4) }' /tmp/mkfs.out)
groups=$(awk '$1 == "groups" { print $2 }' /tmp/mkfs.out)
t_info "$groups bitmap blocks, a record takes $record blocks"
t_le "bitmap blocks" "$groups" $((record - record / 340 - 1))
t_le "blocks of a record" "$record" $((groups * 11 / 10))

# The bitmaps of the device have 32 MiB.
t_case memory
before=$(buffers)
began=$(t_now)
t_mount "$loop"
t_info "the mount took $(t_now | awk -v a="$began" '{ printf "%.2f", $1 - a }') s"
t_le "KiB more after the mount" $(($(buffers) - before)) 1024

# Background writeback would make a part of a set durable earlier.
centisecs=$(cat /proc/sys/vm/dirty_writeback_centisecs)
echo 0 >/proc/sys/vm/dirty_writeback_centisecs

t_case contiguous
one_record a 4
t_case scattered
one_record b 1024
# Each page has its own map nodes.
t_case apart
one_record c $((2 << 20))
t_case atomic
touch "$MNT/d"
t_run cost atomic "$MNT/d"
one_record d 1024
t_le "KiB more after the test" $(($(buffers) - before)) 4096
echo "$centisecs" >/proc/sys/vm/dirty_writeback_centisecs
t_umount
t_run losetup -d "$loop"
rm /tmp/large
