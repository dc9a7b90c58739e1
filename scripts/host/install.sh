#!/bin/bash
# Test: make install puts each file where the system looks for it; the Debian packages build
# Cases: files again uninstall recognized hostile version dkms deb
# Timeout: 300

. "$SCRIPTS/host/lib.sh"

# run CMD...: run CMD with its output in the log of the test
run() { MAKEFLAGS='' "$@" >>"$OUT/log" 2>&1 || t_die "failed: $*; log: $OUT/log"; }
files() { (cd "$1" && find . -type f | cut -c 2- | sort); }

top=$SCRIPTS/..
root=$OUT/root
release=${RELEASE:?}
install=(-C "$top" DESTDIR="$root" PREFIX=/usr KVER="$release")

t_case files
run make "${install[@]}" install
files "$root" >"$OUT/files"
sort >"$OUT/wanted" <<END
/lib/modules/$release/updates/msyncfs.ko
/lib/modules/$release/updates/msyncfs_hook.ko
/usr/include/linux/msyncfs.h
/usr/lib/udev/msyncfs_id
/usr/lib/udev/rules.d/61-msyncfs.rules
/usr/sbin/fsck.msyncfs
/usr/sbin/mkfs.msyncfs
/usr/sbin/msyncfs-image
/usr/share/man/man5/msyncfs.5
/usr/share/man/man8/fsck.msyncfs.8
/usr/share/man/man8/mkfs.msyncfs.8
/usr/share/man/man8/msyncfs-image.8
END
diff "$OUT/wanted" "$OUT/files" >"$OUT/files.diff" || t_fail "$(tr '\n' ' ' <"$OUT/files.diff")"
# mount -t msyncfs asks modprobe for this alias.
depmod -b "$root" "$release" 2>>"$OUT/log"
[ "$(modprobe -d "$root" -S "$release" -R fs-msyncfs)" = msyncfs ] || t_fail "no alias fs-msyncfs"
grep -q "IMPORT{program}=\"/usr/lib/udev/msyncfs_id " "$root/usr/lib/udev/rules.d/61-msyncfs.rules" ||
	t_fail "the rule does not call /usr/lib/udev/msyncfs_id"

t_case again
run make "${install[@]}" install

t_case uninstall
rm -f "$root/lib/modules/$release"/modules.*
run make "${install[@]}" uninstall
[ -z "$(files "$root")" ] || t_fail "left: $(files "$root" | tr '\n' ' ')"
run make "${install[@]}" install

t_case recognized
id=$root/usr/lib/udev/msyncfs_id
disk=$(h_disk disk 16M)
run "$root/usr/sbin/mkfs.msyncfs" -q -L 'a /b' "$disk"
"$id" "$disk" >"$OUT/id" || t_fail "not recognized"
for line in ID_FS_TYPE=msyncfs ID_FS_USAGE=filesystem ID_FS_VERSION=1.0 ID_FS_LABEL=a_/b \
	'ID_FS_LABEL_ENC=a\x20\x2fb'; do
	grep -qxF "$line" "$OUT/id" || t_fail "no line $line"
done
grep -qE '^ID_FS_UUID_ENC=[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' "$OUT/id" || t_fail "no UUID"

# A damaged superblock is no filesystem, and neither is one that is larger than its device.
t_case hostile
cp "$disk" "$OUT/damaged.raw"
printf '\nID_FS_TYPE=ext4\n' | dd of="$OUT/damaged.raw" bs=1 seek=60 conv=notrunc status=none
truncate -s 8M "$disk"
truncate -s 0 "$OUT/empty.raw"
for f in "$OUT/damaged.raw" "$disk" "$OUT/empty.raw" /dev/null "$OUT/missing"; do
	rc=0
	out=$("$id" "$f" 2>/dev/null) || rc=$?
	[ "$rc$out" = 2 ] || t_fail "$(basename "$f"): status $rc, output $out"
done

t_case version
version=$(modinfo -F version "$root/lib/modules/$release/updates/msyncfs.ko")
[ -n "$version" ] || t_fail "the module has no version"
grep -qxF "PACKAGE_VERSION=\"$version\"" "$top/dkms.conf" || t_fail "dkms.conf has another version than $version"
[ "$(dpkg-parsechangelog -l "$top/debian/changelog" -S Version)" = "$version" ] ||
	t_fail "debian/changelog has another version than $version"

t_case dkms
run make "${install[@]}" install-dkms
tree=$root/usr/src/msyncfs-$version
(
	# DKMS reads its file in this way.
	kernel_source_dir=/lib/modules/$release/build dkms_tree=/tmp
	[ -d "$kernel_source_dir" ] || kernel_source_dir=/usr/src/linux-headers-$release
	# shellcheck disable=SC1090,SC1091
	. "$tree/dkms.conf"
	[[ $release =~ $BUILD_EXCLUSIVE_KERNEL ]] || t_die "dkms.conf does not want $release"
	run make -j"$(nproc)" -C "$kernel_source_dir" M="$tree" modules
	for m in "${BUILT_MODULE_NAME[@]}"; do
		[ -e "$tree/$m.ko" ] || t_die "no $m.ko"
	done
	[ -z "$(find "$tree" -name '*kunit*')" ] || t_die "KUnit suites in the sources of DKMS"
) || exit

t_case deb
run env RUN=install "$SCRIPTS/deb.sh"
for p in "dkms_${version}_all" "tools_${version}_amd64"; do
	[ -e "$top/build/deb-install/msyncfs-$p.deb" ] || t_fail "no msyncfs-$p.deb"
done
rm -rf "$root" "$OUT"/*.raw
