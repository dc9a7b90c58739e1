#!/bin/bash
# make demo: show msyncfs at work on an unmodified stock kernel.
# Usage: [RUN=NAME] demo.sh
#
# With RUN=NAME, the output goes to build/demo-NAME. So two runs with different names
# can run at the same time.

. "$(dirname "$0")/common.sh"
. "$SCRIPTS/boot.sh"

verdict() {
	local rc=$?
	echo
	if [ "$rc" -eq 0 ]; then
		echo "demo: msyncfs works"
	else
		echo "demo: FAILED"
	fi
	exit "$rc"
}
trap verdict EXIT

"$SCRIPTS/deps.sh" build tools qemu e2e
v=$("$SCRIPTS/stock-kernel.sh")
eval "$v"
KVER=$STOCK_RELEASE "$SCRIPTS/build-modules.sh"
say "building the tools and the example programs"
make -s -C "$TOP" tools >&2
databases=$("$SCRIPTS/databases.sh")

OUT=$BUILD/demo${RUN:+-$RUN}
rm -rf "$OUT"
mkdir -p "$OUT"
boot_prepare "$OUT"

# guest NAME SCRIPT DISK ACKED [ARG-OF-VM.SH...]: run one guest
guest() {
	local name=$1 script=$2 disk=$3
	printf 'ACKED=%q\n' "$4" >"$OUT/env"
	shift 4
	# shellcheck disable=SC2086 # several arguments
	"$SCRIPTS/initramfs.sh" -b -o "$OUT/run.cpio" $databases -a "$SCRIPTS/$script:run.sh" -a "$OUT/env:demo.env"
	"$SCRIPTS/vm.sh" -n "$name" -o "$OUT/$name" -k "$VMLINUZ" -i "$INITRD,$OUT/run.cpio" \
		-m "$MEM" -d "$disk,serial=demo" -a "$CMDLINE" -t 300 -q 60 "$@"
}

# acked GUEST [WORD]: print the last number that the killed guest acknowledged. The kill
# may leave an incomplete last line. Only complete lines count.
acked() {
	head -n "$(wc -l <"$OUT/$1/channel.log")" "$OUT/$1/channel.log" | tr -d '\r' |
		sed -n "s/^ack ${2:-}\([0-9]*\)$/\1/p" | tail -n 1
}

truncate -s 1G "$OUT/examples.raw" "$OUT/crash.raw" "$OUT/databases.raw"
say "booting the stock kernel $RELEASE in QEMU, with a blank disk"
# This guest loads a live patch, so it needs thread=single; see scripts/e2e.sh.
VM_ACCEL=tcg,thread=single guest examples demo-guest "$OUT/examples.raw" '' -v

acks=$((300 + RANDOM % 700))
say "booting again; a program stores numbered records, msync by msync"
guest killed demo-crash-guest "$OUT/crash.raw" '' -K "$acks"
acked=$(acked killed)
[ -n "$acked" ] || die "nothing was acknowledged"
say "killed the machine with SIGKILL while it ran; $acked records were acknowledged"
say "booting again on the same disk"
guest after demo-crash-guest "$OUT/crash.raw" "$acked" -v

acks=$((300 + RANDOM % 300))
say "booting again; SQLite runs transactions without a journal, and LMDB without syncs"
guest databases demo-databases-guest "$OUT/databases.raw" '' -K "$acks"
sqlite=$(acked databases 'sqlite ') lmdb=$(acked databases 'lmdb ')
[ -n "$sqlite" ] && [ -n "$lmdb" ] || die "SQLite or LMDB has acknowledged nothing"
say "killed the machine in the middle of transactions"
guest whole demo-databases-guest "$OUT/databases.raw" "$sqlite $lmdb" -v
