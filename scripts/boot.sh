# shellcheck shell=bash
# Scripts source this file, after common.sh, to prepare guests that use the module and
# the tools. It sets and exports RELEASE, VMLINUZ, INITRD, MEM, SLOW and CMDLINE.

# boot_prepare DIR [debug|kcsan]: make an initramfs in DIR, for the stock kernel or for a test
# kernel.  The caller must append a /run.sh (vm.sh -i "$INITRD,mine.cpio").  With BREAK in the environment, the
# initramfs has the modules that build-modules.sh makes with BREAK=1.
boot_prepare() {
	local dir=$1 debug=${2:-} modroot='' mods='' v ko f args=()
	if [ -n "$debug" ]; then
		v=$("$SCRIPTS/test-kernel.sh" "${debug#debug}") && eval "$v"
		# All modules are built in. These files tell modprobe that the kernel
		# has them.
		modroot=$dir/modroot
		mkdir -p "$modroot/lib/modules/$TEST_RELEASE"
		cp "$TEST_KDIR"/modules.{order,builtin,builtin.modinfo} "$modroot/lib/modules/$TEST_RELEASE/"
		RELEASE=$TEST_RELEASE VMLINUZ=$TEST_BZIMAGE
		MEM=2048 SLOW=4 CMDLINE=guest.kmemleak=1
		# KCSAN stops a task at every so many accesses, and looks whether another
		# CPU touches the same memory meanwhile. An emulated CPU is slow, so the
		# default of 80 us is too short.
		[ "$debug" != kcsan ] ||
			CMDLINE="kcsan.udelay_task=2000 kcsan.udelay_interrupt=500 kcsan.skip_watch=1000"
	else
		v=$("$SCRIPTS/stock-kernel.sh") && eval "$v"
		RELEASE=$STOCK_RELEASE VMLINUZ=$STOCK_VMLINUZ modroot=$STOCK_MODROOT
		MEM=1536 SLOW=1 CMDLINE=guest.modules=virtio_blk
		mods="virtio_pci virtio_blk null_blk brd dm_mod dm_flakey dm_delay dm_crypt dm_thin_pool raid1 nbd loop overlay nfsd nfsv4 ext4 xfs xts aesni_intel"
		[ "$K" != "$SERIES" ] || mods="$mods libcrc32c crc32c_generic crc32c_intel aes_generic"
	fi
	INITRD=$dir/initramfs
	export RELEASE VMLINUZ INITRD MEM SLOW CMDLINE

	for ko in "$BUILD/$RELEASE${BREAK:+-break}"/*.ko; do
		case $ko in */msyncfs_kunit.ko) ;; *) args+=(-M "$ko") ;; esac
	done
	for f in "$BUILD"/tools/{mkfs,fsck}.msyncfs; do
		[ ! -x "$f" ] || args+=(-a "$f:sbin/${f##*/}")
	done
	for f in "$BUILD"/tools/tests/*; do [ ! -x "$f" ] || args+=(-a "$f:bin/${f##*/}"); done
	for f in "$BUILD"/tools/examples/*; do [ ! -x "$f" ] || args+=(-a "$f:examples/${f##*/}"); done
	for f in "$SCRIPTS"/guest/*; do args+=(-a "$f:tests/${f##*/}"); done
	"$SCRIPTS/initramfs.sh" -o "$INITRD" -R "$RELEASE" ${modroot:+-K "$modroot"} -m "$mods" \
		"${args[@]}" -p xfs_io -p chattr -p lsattr -p setarch -p dmsetup -p mkfs.ext4 -p fsck.ext4 -p mkfs.xfs
}
