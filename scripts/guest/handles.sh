#!/bin/sh
# Test: file handles lead to their files and to nothing else, also through the NFS server
# Cases: follow deleted crash race overlay nfs fsck
# Timeout: 300
. /tests/lib.sh

# opens WANT: follow the handles in /tmp/h; the results must be the lines of WANT
opens() { t_eq handles "$(handles open /tmp/h "$MNT")" "$1"; }

t_fresh
t_case follow
mkdir -p "$MNT/a/b/c"
echo one >"$MNT/one"
echo two >"$MNT/a/b/c/two"
t_run handles save /tmp/h "$MNT/one" "$MNT/a/b/c/two" "$MNT/a/b/c" "$MNT"
want="one
two
directory $MNT/a/b/c
directory $MNT"
opens "$want"
echo 3 >/proc/sys/vm/drop_caches
opens "$want"
t_remount
opens "$want"
mv "$MNT/a/b" "$MNT/moved"
t_remount
opens "one
two
directory $MNT/moved/c
directory $MNT"

t_case deleted
rm -r "$MNT/one" "$MNT/moved"
opens "ESTALE
ESTALE
ESTALE
directory $MNT"
sync
echo 1 >/sys/fs/msyncfs/vda/checkpoint
i=0
while [ $i -lt 50 ]; do i=$((i + 1)); echo new >"$MNT/new$i"; done
opens "ESTALE
ESTALE
ESTALE
directory $MNT"

# After a crash the log is replayed.
t_case crash
echo late >"$MNT/late"
t_run handles save /tmp/h "$MNT/late" "$MNT/new7"
rm "$MNT/new7"
sync
tree shutdown "$MNT" 2
t_remount
opens "late
ESTALE"

t_case race
t_run handles race "$MNT"
rm -r "$MNT"/*
t_umount
t_fsck
t_mount

# overlayfs finds the lower file of a hard link through its handle.
t_case overlay
mkdir "$MNT/lower" "$MNT/upper" "$MNT/work" /tmp/over
echo low >"$MNT/lower/f"
ln "$MNT/lower/f" "$MNT/lower/g"
t_run mount -t overlay -o "index=on,nfs_export=on,lowerdir=$MNT/lower,upperdir=$MNT/upper,workdir=$MNT/work" overlay /tmp/over
! dmesg | grep -E 'overlayfs: .*(nfs_export|index|file handles)' || t_die "overlayfs complains"
t_run handles save /tmp/h /tmp/over/f
echo high >/tmp/over/f
t_eq "hard link" "$(cat /tmp/over/g)" high
t_eq handle "$(handles open /tmp/h /tmp/over)" high
t_run umount /tmp/over

# The kernel's server and client, without their programs: what mountd would answer is
# written to the caches before somebody asks.
t_case nfs
if [ -e /proc/lockdep ]; then
	t_info "the test kernel has no NFS"
else
	t_run modprobe nfsd
	t_run modprobe nfsv4
	ip link set lo up
	mkdir -p /proc/fs/nfsd /tmp/nfs
	t_run mount -t nfsd nfsd /proc/fs/nfsd
	mkdir "$MNT/export"
	echo served >"$MNT/export/f"
	end=9999999999
	echo "nfsd 127.0.0.1 $end local" >/proc/net/rpc/auth.unix.ip/channel
	# flags: insecure, no_subtree_check, fsid=0
	echo "local $MNT $end 9218 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
	printf '%s\n' "local 1 \\x00000000 $end $MNT" >/proc/net/rpc/nfsd.fh/channel
	echo 10 >/proc/fs/nfsd/nfsv4leasetime
	echo 10 >/proc/fs/nfsd/nfsv4gracetime
	echo "+4.2 -3" >/proc/fs/nfsd/versions
	echo "tcp 2049" >/proc/fs/nfsd/portlist
	echo 2 >/proc/fs/nfsd/threads
	t_run timeout 60 mount -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2 127.0.0.1:/ /tmp/nfs
	t_eq content "$(cat /tmp/nfs/export/f)" served
	mkdir /tmp/nfs/dir
	echo written >/tmp/nfs/dir/f
	mv /tmp/nfs/dir/f /tmp/nfs/dir/g
	t_eq name "$(cat "$MNT/dir/g")" written
	# The handles that the client has stay valid.
	echo 3 >/proc/sys/vm/drop_caches
	t_eq content "$(cat /tmp/nfs/dir/g)" written
	# The server has another directory of this name, and the handle is stale.
	mkdir /tmp/nfs/gone
	(cd /tmp/nfs/gone && rm -r "$MNT/gone" && mkdir "$MNT/gone" && t_fails touch x)
	t_eq "new directory" "$(ls "$MNT/gone")" ""
	t_run umount /tmp/nfs
	echo 0 >/proc/fs/nfsd/threads
	echo 9999999999 >/proc/net/rpc/nfsd.fh/flush
	echo 9999999999 >/proc/net/rpc/nfsd.export/flush
	t_run umount /proc/fs/nfsd
fi

t_case fsck
t_umount
t_fsck
