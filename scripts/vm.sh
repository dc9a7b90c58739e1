#!/bin/bash
# Run one QEMU guest and tell whether it has passed.
# Usage: vm.sh -o DIR -k KERNEL -i INITRD [-s CPUS] [-m MiB] [-d DISK]... [-a CMDLINE] [-t SECONDS] [-q SECONDS] [-n NAME] [-K ACKS] [-v] [-- QEMU-ARG...]
#
# -o  directory for console.log, channel.log (the output of the guest on its second
#     serial port), problems.log and qemu.pid
# -i  initramfs; several files, separated by commas, are concatenated
# -d  raw disk image, for a virtio-blk disk with a volatile write-back cache; the text
#     after a comma goes to -device (image.raw,serial=x)
# -t, -q  give up after this time in total / without output
# -K  SIGKILL the guest at a random moment, up to 0.2 s after it has written this many
#     lines "ack ...". The run succeeds if the guest was alive until the kill
# -v  show the guest's messages as they arrive
#
# VM_ACCEL in the environment replaces QEMU's -accel (tcg,thread=multi). This script
# sets VM_AGAIN when it runs itself again, after a fault of QEMU has spoiled the first
# boot.
#
# The exit status of QEMU says nothing about the guest. A run succeeds if three
# conditions are true. The last line on the channel is "verdict pass". No line on the
# channel begins with "not ok". The kernel's log shows no trouble. The caller must check
# that all tests have reported.

. "$(dirname "$0")/common.sh"

args=("$@")
out='' kernel='' initrd='' cpus=2 mem=1024 append='' limit=600 quiet=120 name=guest
verbose='' kill_at='' disks=()
while getopts o:k:i:s:m:d:a:t:q:n:K:v o; do
	case $o in
	o) out=$OPTARG ;;
	k) kernel=$OPTARG ;;
	i) initrd=$OPTARG ;;
	s) cpus=$OPTARG ;;
	m) mem=$OPTARG ;;
	d) disks+=("$OPTARG") ;;
	a) append=$OPTARG ;;
	t) limit=$OPTARG ;;
	q) quiet=$OPTARG ;;
	n) name=$OPTARG ;;
	K) kill_at=$OPTARG ;;
	v) verbose=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$out" ] && [ -n "$kernel" ] && [ -n "$initrd" ] || usage
[ -r "$kernel" ] || die "no kernel image $kernel"
command -v qemu-system-x86_64 >/dev/null || die "qemu-system-x86 is missing: run scripts/deps.sh qemu"

mkdir -p "$out"
rm -f "$out"/{console,channel,problems,qemu}.log "$out/qemu.pid"
: >"$out/console.log"
: >"$out/channel.log"
case $initrd in
*,*)
	# shellcheck disable=SC2046 # the file names have no blanks
	cat $(tr ',' ' ' <<<"$initrd") >"$out/initrd"
	initrd=$out/initrd ;;
esac

drive=() n=0
for d in "${disks[@]}"; do
	props=''
	case $d in *,*) props=,${d#*,} d=${d%%,*} ;; esac
	drive+=(-drive "if=none,id=d$n,format=raw,cache=writeback,discard=unmap,file=$d"
		-device "virtio-blk-pci,drive=d$n$props")
	n=$((n + 1))
done

# loglevel=7: "quiet" would hide KTAP. panic=-1 and -no-reboot: a guest that panics ends
# at once. Without them it would hang until the time-out. no_timer_check: during the
# boot the kernel tests the timer, and on a busy host the test may see no tick. q35:
# with the older machine "pc", a debug kernel needs 20 s to read the interrupt tables of
# ACPI.
qemu-system-x86_64 -M q35 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max -smp "$cpus" -m "$mem" \
	-display none -no-reboot -nodefaults -no-user-config \
	-chardev file,id=con,path="$out/console.log" -serial chardev:con \
	-chardev file,id=ch,path="$out/channel.log" -serial chardev:ch \
	-device virtio-rng-pci \
	"${drive[@]}" -kernel "$kernel" -initrd "$initrd" \
	-append "console=ttyS0 loglevel=7 panic=-1 oops=panic no_timer_check $append" \
	"$@" </dev/null >"$out/qemu.log" 2>&1 &
pid=$!
echo "$pid" >"$out/qemu.pid"
trap 'kill -9 $pid 2>/dev/null' EXIT

shown=0
show() {
	local lines
	[ -n "$verbose" ] || return 0
	lines=$(wc -l <"$out/channel.log")
	[ "$lines" -gt "$shown" ] || return 0
	sed -n "$((shown + 1)),${lines}p" "$out/channel.log" |
		grep -vE '^(ktap|suite|verdict|begin|end|ack) ' | tr -d '\r' | sed 's/^/    /' >&2 || true
	shown=$lines
}

size=0 seen=$SECONDS start=$SECONDS ended='' killed=''
while kill -0 "$pid" 2>/dev/null; do
	sleep "$(if [ -n "$kill_at" ]; then echo 0.02; else echo 0.2; fi)"
	if [ -n "$kill_at" ] && [ "$(grep -c '^ack ' "$out/channel.log")" -ge "$kill_at" ]; then
		sleep "0.$(printf '%03d' $((RANDOM % 200)))"
		kill -9 "$pid"
		killed=1
		break
	fi
	now=$(stat -c %s "$out/console.log" "$out/channel.log" | tr '\n' ' ')
	[ "$now" = "$size" ] || { size=$now; seen=$SECONDS; }
	show
	if [ $((SECONDS - start)) -ge "$limit" ]; then
		ended="time-out: still running after $limit s"
	elif [ $((SECONDS - seen)) -ge "$quiet" ]; then
		ended="silent for $quiet s: hung"
	fi
	[ -z "$ended" ] || { kill -9 "$pid"; break; }
done
wait "$pid" 2>/dev/null || true
trap - EXIT
rm -f "$out/qemu.pid"
show

# A booting kernel patches its own code. A thread of QEMU that has kept the old
# translation may then trap. No code of this project has run yet, so boot again with a
# single thread.
if grep -q 'Oops: int3' "$out/console.log" && [ -z "${VM_AGAIN:-}" ] &&
	! grep -q 'Run /init as init process' "$out/console.log"; then
	say "$name: QEMU has kept code that the booting kernel patched; booting again"
	mv "$out/console.log" "$out/console-int3.log"
	VM_AGAIN=1 VM_ACCEL=tcg,thread=single exec "$0" "${args[@]}"
fi

problem() { echo "$*" >>"$out/problems.log"; }
: >"$out/problems.log"
[ -z "$ended" ] || problem "$ended"
[ ! -s "$out/qemu.log" ] || problem "QEMU said: $(tail -n 3 "$out/qemu.log")"

sed -i 's/\r$//' "$out/channel.log"
last=$(tail -n 1 "$out/channel.log")
if [ -n "$kill_at" ]; then
	[ -n "$killed" ] || problem "ended before it acknowledged $kill_at times; last line on the channel: ${last:-(nothing)}"
elif [ "$last" != "verdict pass" ]; then
	problem "no passing verdict; last line on the channel: ${last:-(nothing)}"
fi
grep '^not ok ' "$out/channel.log" >>"$out/problems.log" || true
"$SCRIPTS/kernel-trouble.sh" "$out/console.log" >>"$out/problems.log" || true

if [ -s "$out/problems.log" ]; then
	say "$name: FAILED"
	head -n 40 "$out/problems.log" | sed 's/^/    /' >&2
	say "  console: ${out#"$TOP"/}/console.log"
	exit 1
fi
