#!/bin/sh
# Test: on dm-crypt, a full thin pool and md-raid1 with a failing leg, nothing acknowledged is lost
# Cases: crypt crypt_error thin raid1 raid1_alone
# Programs: mdadm
# Timeout: 300
. /tests/lib.sh

export DM_DISABLE_UDEV=1
ACKS=/tmp/acks

# write_records [N [COMMAND...]]: write numbered records, until there are N or a call fails.
# Run COMMAND after the first ten records. Set $acked to the number of the last record that
# msync has acknowledged.
write_records() {
	limit=${1:-1000000}
	[ $# -eq 0 ] || shift
	: >$ACKS
	/examples/numbered "$MNT/records" $ACKS 2>/tmp/error &
	writer=$!
	n=0
	while kill -0 $writer 2>/dev/null && [ "$(wc -l <$ACKS)" -lt "$limit" ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || t_die "the writer hangs"
		if [ $# -gt 0 ] && [ "$(wc -l <$ACKS)" -ge 10 ]; then
			"$@"
			limit=$(($(wc -l <$ACKS) + 20))
			set --
		fi
		sleep 0.1
	done
	kill -9 $writer 2>/dev/null || :
	wait $writer 2>/dev/null || :
	acked=$(sed -n 's/^ack //p' $ACKS | tail -n 1)
	[ -n "$acked" ] || t_die "no record was acknowledged: $(cat /tmp/error)"
}

# check_records: fail if a record that was acknowledged is not there
check_records() {
	last=$(/examples/numbered -c "$MNT/records")
	[ "$last" -ge "$acked" ] || t_die "record $last, but $acked was acknowledged"
}

# dm NAME TABLE: make a device of the device mapper, or give it another table
dm() {
	if [ -e "/dev/mapper/$1" ]; then
		t_run dmsetup suspend --noflush --nolockfs "$1"
		t_run dmsetup load "$1" --table "$2"
		t_run dmsetup resume "$1"
	else
		t_run dmsetup create "$1" --table "$2"
	fi
}

MIB=2048
size=$((256 * MIB))
KEY=$(printf '%064d' 7)

t_module
for m in dm_crypt dm_thin_pool raid1 dm_flakey; do t_run modprobe $m; done

t_case crypt
dd if=/dev/zero of="$DISK" bs=1M count=64 2>/dev/null	# text of other tests
dm below "0 $size linear $DISK 0"
dm crypt "0 $size crypt aes-xts-plain64 $KEY 0 /dev/mapper/below 0"
t_mkfs /dev/mapper/crypt
t_mount /dev/mapper/crypt
write_records 20
t_remount /dev/mapper/crypt
check_records
! dd if="$DISK" bs=1M count=64 2>/dev/null | strings | grep -q msyncfs || t_fail "the disk has plain text"

# The disk fails in the middle of commits. The caller gets EIO, and the next mount has all
# acknowledged records.
t_case crypt_error
write_records 1000000 dm below "0 $size error"
grep -q 'Input/output error' /tmp/error || t_fail "the error was not EIO: $(cat /tmp/error)"
t_umount
dm below "0 $size linear $DISK 0"
t_mount /dev/mapper/crypt
check_records
t_umount
t_fsck /dev/mapper/crypt
t_run dmsetup remove crypt
t_run dmsetup remove below

# A thin volume promises more blocks than its pool has. Writes fail as soon as the pool is
# full. After the pool has grown, all acknowledged files are there.
t_case thin
dm meta "0 $((4 * MIB)) linear $DISK 0"
dm data "0 $((48 * MIB)) linear $DISK $((8 * MIB))"
dd if=/dev/zero of=/dev/mapper/meta bs=4096 count=1 2>/dev/null
pool() { echo "0 $1 thin-pool /dev/mapper/meta /dev/mapper/data 128 0 1 error_if_no_space"; }
dm pool "$(pool $((48 * MIB)))"
t_run dmsetup message /dev/mapper/pool 0 "create_thin 0"
dm thin "0 $size thin /dev/mapper/pool 0"
t_mkfs -l 8M /dev/mapper/thin
t_mount /dev/mapper/thin
acked=0
while [ $acked -lt 200 ] && head -c 1048576 /dev/urandom >/tmp/file &&
	dd if=/tmp/file of="$MNT/$acked" bs=1M conv=fsync 2>/tmp/error; do
	md5sum </tmp/file >"/tmp/sum.$acked"
	acked=$((acked + 1))
done
t_info "thin pool of 48 MiB: $acked files of 1 MiB acknowledged, then: $(tail -n 1 /tmp/error)"
[ $acked -ge 10 ] && [ $acked -lt 48 ] || t_die "$acked files"
grep -qE 'Input/output error|No space|Read-only' /tmp/error || t_fail "the error: $(cat /tmp/error)"
umount "$MNT" || t_die "cannot unmount"
dm data "0 $size linear $DISK $((8 * MIB))"
dm pool "$(pool $size)"
t_mount /dev/mapper/thin
n=0
while [ $n -lt $acked ]; do
	t_eq "file $n" "$(md5sum <"$MNT/$n")" "$(cat /tmp/sum.$n)"
	n=$((n + 1))
done
t_run cp /tmp/file "$MNT/more"
t_run sync
t_umount
t_fsck /dev/mapper/thin
for d in thin pool data meta; do t_run dmsetup remove $d; done

# One leg of a mirror fails: nobody notices. Then the other leg has everything.
t_case raid1
dm leg "0 $size linear $DISK2 0"
dm first "0 $size linear $DISK 0"
yes | mdadm --create /dev/md7 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean --run \
	/dev/mapper/first /dev/mapper/leg >/tmp/mdadm 2>&1 || t_die "mdadm: $(cat /tmp/mdadm)"
t_mkfs /dev/md7
t_mount /dev/md7
write_records 10
write_records 1000000 dm leg "0 $size error"
[ ! -s /tmp/error ] || t_fail "the writer saw an error: $(cat /tmp/error)"
grep -q '\[2/1\]' /proc/mdstat || t_fail "md has not noticed: $(tail -n 4 /proc/mdstat | head -n 2)"
t_umount
t_run mdadm --stop /dev/md7

t_case raid1_alone
t_run mdadm --assemble --run /dev/md7 /dev/mapper/first
t_mount /dev/md7
check_records
t_umount
t_fsck /dev/md7
t_run mdadm --stop /dev/md7
t_run dmsetup remove first
t_run dmsetup remove leg
