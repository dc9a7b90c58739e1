#!/bin/sh
# Test: SQLite without a journal, and LMDB; what a transaction costs, here and on ext4
# Cases: sqlite_cost sqlite_ext4 sqlite_modes sqlite_kill lmdb_cost lmdb_ext4 lmdb_kill two_files fsck
# Timeout: 240
# Brings: databases.sh python
. /tests/lib.sh

TXNS=100

pause() { for f in /sys/fs/msyncfs/*/checkpoint_pause; do echo "$1" >"$f"; done; }

# work KIND PATH COUNT [MODE]: run transactions
work() { t_run databases "$1" work "$2" "$3" "${4:-}" >/tmp/acks; }

# check KIND PATH [MODE]: check the database, which must have the last transaction that
# was acknowledged
check() {
	t_run databases "$1" check "$2" "$(sed -n 's/^ack //p' /tmp/acks | tail -n 1)" "${3:-}" >/tmp/found
}

# measure WHAT DEVICE KIND PATH [MODE]: run transactions and print their cost. Set writes,
# flushes and commands to the numbers of disk commands
measure() {
	work "$3" "$4" 10 "${5:-}"
	sync
	began=$(t_now)
	before=$(t_io "$2")
	work "$3" "$4" $TXNS "${5:-}"
	after=$(t_io "$2")
	writes=$((${after%% *} - ${before%% *})) flushes=$((${after##* } - ${before##* }))
	commands=$((writes + flushes))
	t_info "$(echo "$before $after $began $(t_now)" | awk -v what="$1" -v n=$TXNS '{
		printf "%-28s %d transactions: %4d writes, %5d KiB, %4d flushes, %.1f ms each",
			what, n, $4 - $1, $5 - $2, $6 - $3, ($8 - $7) * 1000 / n }')"
}

# killed KIND PATH [MODE]: kill the program in the middle of transactions, again and again.
# Each time the next program must find the database whole.
killed() {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		databases "$1" work "$2" 1000000 "${3:-}" >/tmp/acks &
		sleep "0.$i"
		kill -9 $!
		wait $! || :
		# The last line may be incomplete.
		sed -n 's/^ack \([0-9]*\)$/&/p' /tmp/acks >/tmp/whole
		mv /tmp/whole /tmp/acks
		[ -s /tmp/acks ] || continue
		check "$1" "$2"
	done
	t_info "killed 10 times; transactions at the end: $(cat /tmp/found)"
}

ext4() {
	t_run mkfs.ext4 -q -F "$DISK2"
	mkdir -p /tmp/ext4
	t_run mount -t ext4 "$DISK2" /tmp/ext4
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'; }

# A transaction is one record: a write, and at most one flush. The directory is
# immutable, so SQLite could not make a journal.
t_case sqlite_cost
t_fresh
mkdir "$MNT/d"
work sqlite "$MNT/d/db" 1
t_run chattr +i "$MNT/d"
pause 1
measure "SQLite on msyncfs" "$DISK" sqlite "$MNT/d/db"
pause 0
sqlite=$commands
t_le "writes of $TXNS transactions" $writes $((TXNS + 5))
t_le "flushes of $TXNS transactions" $flushes $((TXNS + 5))
check sqlite "$MNT/d/db"
t_run chattr -i "$MNT/d"
t_eq "files" "$(ls "$MNT/d")" db

t_case sqlite_ext4
ext4
measure "SQLite on ext4" "$DISK2" sqlite /tmp/ext4/db
t_info "SQLite: ext4 needs $(ratio "$commands" "$sqlite") times as many disk commands"
t_le "disk commands of msyncfs" $((2 * sqlite)) $commands
check sqlite /tmp/ext4/db
umount /tmp/ext4

t_case sqlite_modes
for mode in TRUNCATE PERSIST MEMORY WAL DELETE; do
	work sqlite "$MNT/$mode" 30 $mode
	check sqlite "$MNT/$mode" $mode
	sync
	tree shutdown "$MNT" 2
	t_umount
	t_mount
	check sqlite "$MNT/$mode" $mode
done
t_remount "$DISK" atomic
work sqlite "$MNT/option" 30
check sqlite "$MNT/option"
t_remount "$DISK"

t_case sqlite_kill
killed sqlite "$MNT/killed"

t_case lmdb_cost
pause 1
for mode in '' writemap atomic writemap,atomic writemap,nosync,atomic; do
	measure "LMDB ${mode:-plain}, msyncfs" "$DISK" lmdb "$MNT/lmdb-$mode" "$mode"
	check lmdb "$MNT/lmdb-$mode" "$mode"
	lmdb=$commands
done
pause 0

t_case lmdb_ext4
ext4
for mode in '' writemap; do
	measure "LMDB ${mode:-plain}, ext4" "$DISK2" lmdb "/tmp/ext4/lmdb-$mode" "$mode"
done
t_info "LMDB: ext4 needs $(ratio "$commands" "$lmdb") times as many disk commands as writemap,nosync,atomic"
umount /tmp/ext4

t_case lmdb_kill
killed lmdb "$MNT/killed-lmdb" writemap
killed lmdb "$MNT/killed-atomic" writemap,nosync,atomic

# The filesystem stops in the middle of transfers between two files, as in a crash.
t_case two_files
for p in /examples/transfer "python /examples/transfer.py"; do
	rm -f "$MNT/a" "$MNT/b"
	$p "$MNT/a" "$MNT/b" 1000000 >/tmp/acks &
	t_until 300 t_lines /tmp/acks 50 || t_die "$p: no transfers"
	tree shutdown "$MNT" 2
	wait $! || :
	t_umount
	t_mount
	found=$($p -c "$MNT/a" "$MNT/b") || t_die "$p -c: exit status $?"
	acked=$(sed -n 's/^ack \([0-9]*\)$/\1/p' /tmp/acks | tail -n 1)
	t_le "$p: last transfer that was acknowledged" "$acked" "$found"
	t_info "$p: $acked transfers were acknowledged, $found are on the disk, the sum is right"
done

t_case fsck
t_umount
t_fsck
