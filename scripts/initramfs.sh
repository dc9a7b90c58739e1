#!/bin/bash
# Make an initramfs. The output is a cpio without compression, because an emulated guest
# needs long to uncompress a file.
# Usage: initramfs.sh -o OUT [-R RELEASE [-K MODROOT] [-m "MODULE..."]] [-M FILE.ko]... [-a SRC:DEST]... [-p PROGRAM]... [-b]
#
# -m  add modules of MODROOT/lib/modules/RELEASE and the modules that they depend on.
#     modprobe and request_module() in the guest find them
# -M  add a module that was built here; its dependencies come from MODROOT
# -a  copy the file or directory SRC to DEST in the guest
# -p  add a program of the host with its shared libraries
# -b  bare: add only the -a files, no busybox and no init. The caller appends OUT to
#     another initramfs (cat A B). The files in OUT replace files of the same name

. "$(dirname "$0")/common.sh"

out='' rel='' modroot='' mods='' bare='' kos=() adds=() progs=()
while getopts o:R:K:m:M:a:p:b o; do
	case $o in
	o) out=$OPTARG ;;
	R) rel=$OPTARG ;;
	K) modroot=$OPTARG ;;
	m) mods="$mods $OPTARG" ;;
	M) kos+=("$OPTARG") ;;
	a) adds+=("$OPTARG") ;;
	p) progs+=("$OPTARG") ;;
	b) bare=1 ;;
	*) usage ;;
	esac
done
[ -n "$out" ] || usage

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

if [ -z "$bare" ]; then
	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,mnt,etc,tests,run,root}
	busybox=$(command -v busybox) || die "busybox-static is missing: run scripts/deps.sh qemu"
	cp "$busybox" "$root/bin/busybox"
	for applet in sh mount; do ln -s busybox "$root/bin/$applet"; done
	ln -s ../bin/busybox "$root/sbin/modprobe"	# request_module() runs it
	install -m 755 "$SCRIPTS/guest-init" "$root/init"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	: >"$root/etc/mtab"
fi

if [ -n "$rel" ]; then
	dst=$root/lib/modules/$rel
	mkdir -p "$dst/extra"
	deps=$mods
	for ko in "${kos[@]}"; do
		[ -e "$ko" ] || die "no such module: $ko"
		cp "$ko" "$dst/extra/"
		deps="$deps $(modinfo -F depends "$ko" | tr ',' ' ')"
	done
	for m in $deps; do
		# A dependency that is a module of this project was already copied
		# above.
		[ ! -e "$dst/extra/$m.ko" ] || continue
		[ -n "$modroot" ] || continue
		modprobe -d "$modroot" -S "$rel" --show-depends "$m" ||
			die "module $m: not in $modroot for $rel"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u |
	while read -r f; do
		to=$dst/${f#*/lib/modules/"$rel"/}
		mkdir -p "${to%/*}"
		# The modprobe of busybox cannot load compressed modules.
		case $f in
		*.xz) xz -dc "$f" >"${to%.xz}" ;;
		*) cp "$f" "$to" ;;
		esac
	done
	for f in modules.order modules.builtin modules.builtin.modinfo; do
		[ -z "$modroot" ] || cp "$modroot/lib/modules/$rel/$f" "$dst/"
		[ -e "$dst/$f" ] || : >"$dst/$f"
	done
	depmod -b "$root" "$rel" || die "depmod failed"
fi

for p in "${progs[@]}"; do
	f=$(PATH=$PATH:/sbin:/usr/sbin command -v "$p") || die "program $p is missing: run scripts/deps.sh e2e"
	mkdir -p "$root/bin"
	cp -L "$f" "$root/bin/"
	ldd "$f" | grep -o '/[^ ]*' | while read -r l; do
		mkdir -p "$root/${l%/*}"
		cp -L "$l" "$root/$l"
	done
done

for a in "${adds[@]}"; do
	src=${a%%:*} to=$root/${a#*:}
	[ -e "$src" ] || die "no such file: $src"
	mkdir -p "${to%/*}"
	cp -rL "$src" "$to"
done

mkdir -p "$(dirname "$out")"
(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$out"
