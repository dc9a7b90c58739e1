#!/bin/sh
# Test: extended attributes and ACLs as programs use them, and overlayfs on top
# Cases: values flags limits types users times capability acl_access acl_default acl_used acl_long keep commands caps acls tar old overlay overlay_same fsck
# Programs: setfattr getfattr setfacl getfacl setcap getcap tar
# Timeout: 300
. /tests/lib.sh

# progs TEST...: run tests of fsxattr as cases
progs() {
	for c; do
		t_case "$c"
		t_rc=0
		fsxattr "$MNT" "$c" >/tmp/out 2>&1 || t_rc=$?
		cat /tmp/out
		[ $t_rc -eq 0 ] || t_fail "exit status $t_rc: $(tail -n 1 /tmp/out)"
	done
}

# attrs DIR: print all attributes and ACLs below DIR, in a form that can be compared
attrs() { (cd "$1" && find . | sort | xargs getfattr -h -d -m - -e hex 2>/dev/null); }

t_fresh
progs values flags limits types users times capability acl_access acl_default acl_used acl_long

# All attributes are the same after an unmount.
t_case keep
head -c 65536 /dev/urandom >/tmp/value
for n in 0 1 9; do
	echo $n >"$MNT/$n"
	t_run setfattr -n user.small -v "value $n" "$MNT/$n"
	[ $n = 0 ] || t_run setfattr -n user.huge -v "0x$(od -An -v -tx1 /tmp/value | tr -d ' \n' | head -c $((n * 8000)))" "$MNT/$n"
	i=0
	while [ $i -lt $((n * 4)) ]; do
		i=$((i + 1))
		t_run setfattr -n "trusted.number$i" -v "$n $i" "$MNT/$n"
	done
done
attrs "$MNT" >/tmp/before
[ "$(grep -c . /tmp/before)" -gt 50 ] || t_die "no attributes"
t_remount
attrs "$MNT" >/tmp/after
t_run cmp /tmp/before /tmp/after
t_umount
t_fsck
t_mount

t_case commands
echo x >"$MNT/f"
t_run setfattr -n user.a -v b "$MNT/f"
t_eq value "$(getfattr --only-values -n user.a "$MNT/f")" b
t_run getfattr -d "$MNT/f"
t_run setfattr -x user.a "$MNT/f"
t_fails getfattr -n user.a "$MNT/f"

t_case caps
cp /bin/busybox "$MNT/busybox"
t_run setcap cap_net_raw,cap_chown+ep "$MNT/busybox"
t_remount
t_eq getcap "$(getcap "$MNT/busybox")" "$MNT/busybox cap_chown,cap_net_raw=ep"
# A user without privileges may give a file away, as this program has the capability.
chmod 755 "$MNT" "$MNT/busybox"
echo x >"$MNT/mine"
chown nobody "$MNT/mine"
t_run su nobody -s /bin/sh -c "$MNT/busybox chown 17 $MNT/mine"
t_eq owner "$(stat -c %u "$MNT/mine")" 17
chown nobody "$MNT/mine"
t_run setcap -r "$MNT/busybox"
t_fails su nobody -s /bin/sh -c "$MNT/busybox chown 17 $MNT/mine"

t_case acls
mkdir -p "$MNT/tree/sub"
t_run setfacl -m u:1000:rwx,g:1001:rx -dm u:1002:rw "$MNT/tree"
echo x >"$MNT/tree/f"
mkdir "$MNT/tree/dir"
t_run setfacl -m u:1003:--x "$MNT/tree/sub"
(cd "$MNT" && getfacl -R tree) >/tmp/acls 2>/dev/null
t_eq "ACL of a new file" "$(getfacl -cp "$MNT/tree/f" | grep 1002)" "user:1002:rw-"
t_eq "default ACL of a new directory" "$(getfacl -cp "$MNT/tree/dir" | grep default:user:1002)" "default:user:1002:rw-"
t_run setfacl -Rbk "$MNT/tree"
(cd "$MNT" && getfacl -R tree) >/tmp/without 2>/dev/null
t_fails cmp -s /tmp/acls /tmp/without
(cd "$MNT" && setfacl --restore=/tmp/acls)
t_remount
(cd "$MNT" && getfacl -R tree) >/tmp/restored 2>/dev/null
t_run cmp /tmp/acls /tmp/restored

# The shell would run the tar of busybox.
t_case tar
t_run setfattr -n user.big -v "0x$(od -An -v -tx1 /tmp/value | tr -d ' \n' | head -c 12000)" "$MNT/tree/f"
t_run setfattr -h -n trusted.mark -v here "$MNT/tree/dir"
t_run /bin/tar --xattrs --xattrs-include='*' --acls -C "$MNT" -cf "$MNT/archive" tree
mkdir "$MNT/unpacked"
t_run /bin/tar --xattrs --xattrs-include='*' --acls -C "$MNT/unpacked" -xpf "$MNT/archive"
attrs "$MNT/tree" >/tmp/before
attrs "$MNT/unpacked/tree" >/tmp/after
t_run cmp /tmp/before /tmp/after
grep -q trusted.mark /tmp/after || t_die "no attributes"

# A filesystem without the feature works as before.
t_case old
t_umount
t_run mkfs.msyncfs -f -O ^xattr "$DISK"
t_mount
echo x >"$MNT/f"
t_fails setfattr -n user.a -v b "$MNT/f"
t_fails setfacl -m u:1000:rwx "$MNT/f"
t_eq umask "$(umask 027 && mkdir "$MNT/d" && stat -c %a "$MNT/d")" 750
t_remount
t_eq content "$(cat "$MNT/f")" x
t_fails setfattr -n user.a -v b "$MNT/f"
t_umount
t_fsck

# use_overlay: do with the overlay on /over what programs do with a container
use_overlay() {
	echo changed >/over/lower-file
	echo new >/over/new-file
	rm /over/gone
	rm -r /over/dir
	mkdir /over/dir			# opaque
	echo inside >/over/dir/other
	mv /over/moved /over/moved-away
	mv /over/dir2/a /over/a
	chmod 600 /over/mode
	setfattr -n user.over -v top /over/mode
	setfacl -m u:1000:rwx /over/acl
	ln /over/new-file /over/hard
	ln -s new-file /over/soft
	truncate -s 5000 /over/big
	echo more >>/over/big
	find /over -mindepth 1 | sort | while read -r f; do
		stat -c '%N %a %s %F' "$f" | sed 's/directory/dir/'
		[ ! -f "$f" ] || md5sum <"$f"
		getfattr -hd -m 'user|system' "$f" 2>/dev/null || :
	done
}

# mount_overlay UPPER: mount an overlay whose upper layer is in the directory UPPER
mount_overlay() {
	mkdir -p "$1/upper" "$1/work" /over
	t_run mount -t overlay -o "lowerdir=/lower,upperdir=$1/upper,workdir=$1/work" overlay /over
}

t_case overlay
mkdir -p /lower/dir /lower/dir2
for f in lower-file gone dir/in dir2/a moved mode acl big; do echo $f >/lower/$f; done
t_fresh
mount_overlay "$MNT/layers"
use_overlay >/tmp/over.msyncfs
t_run umount /over
t_remount
mount_overlay "$MNT/layers"
t_eq content "$(cat /over/new-file /over/dir/other /over/lower-file)" "new
inside
changed"
t_fails test -e /over/gone -o -e /over/dir/in -o -e /over/moved
t_run umount /over
t_eq whiteout "$(stat -c '%F %t,%T' "$MNT/layers/upper/gone")" "character special file 0,0"
t_eq opaque "$(getfattr --only-values -n trusted.overlay.opaque "$MNT/layers/upper/dir")" y
! dmesg | grep -E 'overlayfs: .*(upper fs|upperdir|workdir)' || t_die "overlayfs complains"

# The same on ext4 gives the same result.
t_case overlay_same
mkfs.ext4 -qF "$DISK2"
mkdir -p /ext4
t_run mount -t ext4 "$DISK2" /ext4
mount_overlay /ext4/layers
use_overlay >/tmp/over.ext4
t_run umount /over
t_run umount /ext4
[ "$(grep -c . /tmp/over.ext4)" -gt 20 ] || t_die "no result"
diff /tmp/over.ext4 /tmp/over.msyncfs || t_die "differs: $(diff /tmp/over.ext4 /tmp/over.msyncfs | head -n 3 | tr '\n' ' ')"

t_case fsck
t_umount
t_fsck
