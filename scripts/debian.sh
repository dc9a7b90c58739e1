#!/bin/bash
# make soak T=debian: install the Debian packages into a Debian 13, and use them.
# Usage: [RUN=NAME] debian.sh
#
# The guest has systemd and udev. Its fstab has an msyncfs by UUID, with fsck pass 2. It
# boots, mounts the msyncfs and is killed while it writes; it boots again on the same disk,
# and runs all commands of Documentation/observability.rst.
# Then it gets a second kernel, for which DKMS builds the modules. build/debian/results has
# a line "ok NAME" or "not ok NAME  reason" for each step.

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" qemu trixie tools e2e
out=$BUILD/debian${RUN:+-$RUN}
base=$CACHE/debian13
root=$out/root
SECOND=7.3
ACKS=30		# the guest is killed after so many records

# in_root DIR COMMAND...: run a command in the system in DIR/root
in_root() { "$SCRIPTS/trixie.sh" -d "$1" env DEBIAN_FRONTEND=noninteractive "${@:2}"; }

# The base: Debian 13 with systemd, a kernel and its headers, DKMS and an initramfs.
make_base() {
	[ ! -e "$base/systemd" ] || return 0
	in_root "$base" true &&
		say "adding systemd and a kernel (about 5 minutes)" &&
		mkdir -p "$base/root/etc/initramfs-tools" &&
		printf 'MODULES=list\nCOMPRESS=zstd\n' >"$base/root/etc/initramfs-tools/initramfs.conf" &&
		printf 'virtio_pci\nvirtio_blk\next4\n' >"$base/root/etc/initramfs-tools/modules" &&
		run_quietly "$base/log" "tail -n 1 '$base/log' | cut -c -70" in_root "$base" sh -ec '
			apt-get -q update
			apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold install \
				systemd-sysv udev dkms initramfs-tools zstd linux-image-amd64 linux-headers-amd64 \
				bpftrace linux-perf
			apt-get clean' &&
		: >"$base/systemd"
}

# image: make the disk of the system from $root
image() {
	rm -f "$out/system.raw"
	truncate -s 4G "$out/system.raw"
	mkfs.ext4 -q -F -E root_owner=0:0 -d "$root" "$out/system.raw"
}

newest() { find "$root/boot" -name "$1-$2*" | sort -V | tail -n 1; }

# boot NAME SERIES STEP [VM-ARG...]: boot the guest and add the result
boot() {
	local name=$1 dir=$out/$1 kernel
	kernel=$(newest vmlinuz "$2")
	say "booting ${kernel##*vmlinuz-}: $name"
	if "$SCRIPTS/vm.sh" -v -n "$name" -o "$dir" -k "$kernel" -i "$(newest initrd.img "$2")" -m 1536 \
		-d "$out/system.raw" -d "$out/data.raw" -t 900 -q 300 \
		-a "root=/dev/vda rw systemd.show_status=0 proof.step=$3 proof.acked=$acked" "${@:4}"; then
		echo "ok debian.$name"
	else
		echo "not ok debian.$name  $(grep -v '^no passing' "$dir/problems.log" | head -n 1)"
	fi >>"$out/results"
	acked=$(grep '^ack ' "$dir/channel.log" | tail -n 1 | cut -d ' ' -f 2 || true)
	acked=${acked:-0}
}

# step NAME COMMAND...: run a step on this host, and add the result
step() {
	local name=$1
	shift
	say "$name"
	if run_quietly "$out/$name.log" "tail -n 1 '$out/$name.log' | cut -c -70" "$@"; then
		echo "ok debian.$name"
	else
		echo "not ok debian.$name  log: ${out#"$TOP"/}/$name.log"
	fi >>"$out/results"
}

with_lock debian13 make_base || die "could not install Debian 13; log: $base/log"
RUN=debian "$SCRIPTS/deb.sh" >/dev/null || die "the packages do not build"
MAKEFLAGS='' make -s -C "$TOP" tools
say "copying the system"
rm -rf "$out"
mkdir -p "$out"
cp -a "$base/root" "$root"
: >"$out/done"

install_packages() {
	in_root "$out" apt-get -q -y --no-install-recommends install \
		"$BUILD"/deb-debian/msyncfs-dkms_*.deb "$BUILD"/deb-debian/msyncfs-tools_*.deb &&
		in_root "$out" dkms status | tee /dev/stderr | grep -q '^msyncfs/.*: installed'
}
second_kernel() {
	in_root "$out" apt-get -q -y --no-install-recommends install \
		-t trixie-backports linux-image-amd64 linux-headers-amd64 &&
		[ "$(in_root "$out" dkms status | tee /dev/stderr | grep -c '^msyncfs/.*: installed')" = 2 ]
}

step install install_packages
truncate -s 512M "$out/data.raw"
"$BUILD/tools/mkfs.msyncfs" -q -L data "$out/data.raw"
uuid=$("$BUILD/tools/msyncfs_id" "$out/data.raw" | sed -n 's/^ID_FS_UUID=//p')
printf '/dev/vda / ext4 defaults 0 1\n/dev/disk/by-uuid/%s /srv/data msyncfs noatime,nofail,x-systemd.device-timeout=300s 0 2\n' \
	"$uuid" >"$root/etc/fstab"
mkdir -p "$root/srv/data" "$root/etc/systemd/system/multi-user.target.wants"
cp "$SCRIPTS/debian-guest" "$root/proof"
mkdir -p "$root/root/tools"
cp "$TOP/tools/msync-latency.bt" "$root/root/tools/"
cp "$TOP/Documentation/observability.rst" "$root/root/"
cat >"$root/etc/systemd/system/proof.service" <<'END'
[Unit]
After=multi-user.target
RequiresMountsFor=/srv/data
[Service]
Type=oneshot
ExecStart=/proof
END
ln -sf ../proof.service "$root/etc/systemd/system/multi-user.target.wants/proof.service"
# Nobody waits at a console.
ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"

acked=0
image
boot killed 6.12 write -K $ACKS
boot again 6.12 observe
step second_kernel second_kernel
image
boot second $SECOND check
rm -rf "$root" "$out"/*.raw
"$SCRIPTS/summary.sh" -t debian "$out/results"
