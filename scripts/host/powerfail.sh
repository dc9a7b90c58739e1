#!/bin/bash
# Test: states that a power failure could leave hold every acknowledged record, mount, and fsck is clean
# Timeout: 600
#
# POWERFAIL_STATES (default 60), POWERFAIL_SEED (default: random).

. "$SCRIPTS/host/lib.sh"
states=${POWERFAIL_STATES:-60}
seed=${POWERFAIL_SEED:-$((RANDOM * 32768 + RANDOM))}
sectors=$((24 * 2048))
powerfail=$SCRIPTS/../build/tools/tests/powerfail

# guest NAME SCRIPT [VM.SH-ARG...]
guest() {
	local name=$1 script=$2
	shift 2
	mkdir -p "$OUT/$name"
	"$SCRIPTS/initramfs.sh" -b -o "$OUT/$name.cpio" -a "$SCRIPTS/host/guest/$script:run.sh" "${files[@]}"
	"$SCRIPTS/vm.sh" -n "powerfail $name" -o "$OUT/$name" -k "$VMLINUZ" -i "$INITRD,$OUT/$name.cpio" \
		-m 768 -a "$CMDLINE" -t $((500 * ${PATIENCE:-1})) -q 60 "$@" ||
		t_die "$name: $(grep -v '^$' "$OUT/$name/problems.log" | head -n 1)"
}

# The log has to be there; it is not cached twice.
files=()
rm -f "$OUT/log"
: >"$OUT/log"
"$powerfail" disk "$OUT/disk.raw" $sectors
guest work powerfail-work -- \
	-blockdev "driver=blklogwrites,node-name=rec,file.driver=file,file.filename=$OUT/disk.raw,log.driver=file,log.filename=$OUT/log" \
	-device virtio-blk-pci,drive=rec

t_run "$powerfail" states "$OUT/log" "$OUT/states.raw" "$states" "$seed" $sectors >"$OUT/states.list" 2>"$OUT/recorded"
t_info "$(cat "$OUT/recorded"); seed $seed"
echo "SECTORS=$sectors" >"$OUT/states.env"
files=(-a "$OUT/states.list:states.list" -a "$OUT/states.env:states.env")
guest check powerfail-check -d "$OUT/states.raw"

good=$(grep -c '^good ' "$OUT/check/channel.log" || true)
while read -r line; do t_info "$line"; done < <(grep '^bad ' "$OUT/check/channel.log" | head -n 10)
[ "$good" -eq "$states" ] || t_die "$good of $states states are good; $(grep -m 1 '^bad ' "$OUT/check/channel.log" || true)"
t_info "$good of $states states are good"
rm -f "$OUT/states.raw" "$OUT/log"
