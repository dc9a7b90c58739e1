#!/bin/bash
# Kill a guest repeatedly. After each kill the next guest checks the disk.
# Usage: crash.sh -o DIR -n ROUNDS -r GUEST-SCRIPT -d DISK [-a MAX-ACKS] [-l FILE] [-c FILES]... [-- QEMU-ARG...]
#
# The guest script is the /run.sh of every round.  It must do these steps in order:
#   1. Check the disk that the previous round left.  $ROUND is the number of this round.
#      In round 0 the disk is blank.  $ACKED is the text of the last line "ack TEXT"
#      that arrived before the SIGKILL.  The disk must have all data that was
#      acknowledged by then. If data is missing, print
#      "not ok NAME  reason" and exit with 1.
#   2. Print "checked TEXT" on $CHANNEL.
#   3. Exit with 0 if $LAST is set.
#   4. Work for ever, and print a line "ack TEXT" for each durable step.
# All rounds use the same disk image.
#
# -a  maximum number of acknowledgements before the kill (default 30). The script
#     chooses a random number up to this maximum
# -l  file that gets one line for each round
# -c  SRC:DEST: a further file for the guest
#
# e2e.sh or boot.sh sets VMLINUZ, INITRD and CMDLINE in the environment.

. "$(dirname "$0")/common.sh"
out='' rounds='' script='' disk='' max=30 log=/dev/null files=()
while getopts o:n:r:d:a:l:c: o; do
	case $o in
	o) out=$OPTARG ;;
	n) rounds=$OPTARG ;;
	r) script=$OPTARG ;;
	d) disk=$OPTARG ;;
	a) max=$OPTARG ;;
	l) log=$OPTARG ;;
	c) files+=(-a "$OPTARG") ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ -n "$out" ] && [ -n "$rounds" ] && [ -n "$script" ] && [ -n "$disk" ] || usage
mkdir -p "$out"

acked='' after=0
for ((round = 0; round <= rounds; round++)); do
	last='' how=()
	if [ "$round" -eq "$rounds" ]; then
		last=1
	else
		after=$((1 + RANDOM % max))
		how=(-K "$after")
	fi
	printf 'ROUND=%q\nACKED=%q\nLAST=%q\n' "$round" "$acked" "$last" >"$out/env"
	printf '. /crash.env\n. /crash.sh\n' >"$out/run.sh"
	"$SCRIPTS/initramfs.sh" -b -o "$out/round.cpio" "${files[@]}" -a "$out/env:crash.env" \
		-a "$script:crash.sh" -a "$out/run.sh:run.sh"
	if ! "$SCRIPTS/vm.sh" -n "crash round $round" -o "$out" -k "$VMLINUZ" -i "$INITRD,$out/round.cpio" \
		-s 1 -m 768 -d "$disk" -a "$CMDLINE" -t 300 -q 60 "${how[@]}" -- "$@"; then
		say "round $round failed (killed after: ${acked:-nothing yet})"
		exit 1
	fi
	checked=$(sed -n 's/^checked *//p' "$out/channel.log" | tail -n 1)
	grep -q '^checked' "$out/channel.log" || { say "round $round: the guest checked nothing"; exit 1; }
	line="round $round: found ${checked:-nothing}; promised ${acked:-nothing}"
	# The kill may leave an incomplete last line. Only a complete line is
	# an acknowledgement.
	acked=$(head -n "$(wc -l <"$out/channel.log")" "$out/channel.log" | sed -n 's/^ack //p' | tail -n 1)
	echo "$line" >>"$log"
done
