#!/bin/sh
# Test: the filesystem does what programs expect of a local filesystem
# Cases: create dirs rename links symlinks nodes tmpfile times owners statfs readdir large_dir flags chattr unsupported freeze sync truncate mmap sparse seek fallocate fiemap append direct vectors splice walk options remount_ro busy fsck
# Timeout: 300
. /tests/lib.sh

# prog PROGRAM TEST: run the test. If it fails, the last line of its output is the
# reason.
prog() {
	t_rc=0
	"$1" "$MNT" "$2" >/tmp/out 2>&1 || t_rc=$?
	cat /tmp/out
	[ $t_rc -eq 0 ] || t_fail "exit status $t_rc: $(tail -n 1 /tmp/out)"
	[ "$2" != large_dir ] || while read -r line; do t_info "$line"; done </tmp/out
}

# progs PROGRAM TEST...: run each test as a case
progs() {
	p=$1
	shift
	for c; do
		t_case "$c"
		prog "$p" "$c"
	done
}

t_fresh
progs fsops create dirs rename links symlinks nodes tmpfile
progs fsattr times owners statfs
progs fsops readdir large_dir
progs fsattr flags
t_case chattr
echo text >"$MNT/f"
t_run chattr +id "$MNT/f"
t_eq lsattr "$(lsattr "$MNT/f" | cut -d ' ' -f 1 | tr -d -)" id
t_fails rm -f "$MNT/f"
t_run chattr -i "$MNT/f"
t_fails chattr +c "$MNT/f"
t_remount
t_eq lsattr "$(lsattr "$MNT/f" | cut -d ' ' -f 1 | tr -d -)" d
rm "$MNT/f"
progs fsattr unsupported freeze sync
progs fsdata truncate mmap sparse seek fallocate fiemap append direct vectors splice
progs fswalk walk

t_case options
t_umount
! mount -t msyncfs -o cheese=yes "$DISK" "$MNT" || t_die "mounted with cheese"
t_log cheese
! mount -t msyncfs -o errors=never "$DISK" "$MNT" || t_die "mounted with errors=never"
t_log "Bad value for 'errors'"
for e in remount-ro shutdown panic; do
	t_mount "$DISK" "errors=$e"
	# /proc/mounts does not show the default.
	if [ $e = remount-ro ]; then
		t_fails grep -q " $MNT .*errors=" /proc/mounts
	else
		t_run grep -q " $MNT .*errors=$e" /proc/mounts
	fi
	t_umount
done

! mount -t msyncfs -o norecovery "$DISK" "$MNT" || t_die "mounted writable with norecovery"
t_mount "$DISK" ro,norecovery
t_run grep -q " $MNT .*norecovery" /proc/mounts
! mount -o remount,rw "$MNT" || t_die "writable after norecovery"
t_umount

t_case remount_ro
t_mount
echo data >"$MNT/f"
t_run mount -o remount,ro "$MNT"
t_fails touch "$MNT/g"
t_eq content "$(cat "$MNT/f")" data
t_run mount -o remount,rw "$MNT"
t_run touch "$MNT/g"
# While a file is open for writing, a remount read-only must fail.
exec 7>>"$MNT/g"
! mount -o remount,ro "$MNT" || t_die "read-only with a file open for writing"
exec 7>&-
t_umount
t_mount "$DISK" ro
t_fails touch "$MNT/h"
t_umount

t_case busy
t_mount
t_fails rmmod msyncfs
t_umount

t_case fsck
t_fsck
