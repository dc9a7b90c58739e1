#!/bin/sh
# Test: on a network block device, nothing acknowledged is lost when the server is killed and comes back
# Cases: path killed back
# Programs: nbd-server nbd-client
# Timeout: 300
. /tests/lib.sh

ACKS=/tmp/acks

server() { nbd-server -d -C /tmp/nbd.conf >/tmp/server.log 2>&1 & }
connect() { nbd-client 127.0.0.1 10809 /dev/nbd0 -N disk -block-size 4096 -timeout 10 >/tmp/client.log 2>&1; }
client() { t_until 100 connect || t_die "no connection: $(tail -n 2 /tmp/client.log)"; }

t_module
t_run modprobe nbd
t_run ip link set lo up
cat >/tmp/nbd.conf <<END
[generic]
	listenaddr = 127.0.0.1
[disk]
	exportname = $DISK2
	flush = true
	fua = true
END

t_case path
server
client
t_mkfs -l 8M /dev/nbd0
t_mount /dev/nbd0
t_run tree build "$MNT" 7
t_remount /dev/nbd0
t_run tree check "$MNT" 7

# The server dies in the middle of commits. The caller gets EIO; the filesystem becomes
# read-only, because nobody knows whether the last flush was complete.
t_case killed
: >$ACKS
/examples/numbered "$MNT/records" $ACKS 2>/tmp/error &
writer=$!
t_until 300 t_lines $ACKS 20 || t_die "no records: $(cat /tmp/error)"
killall -9 nbd-server
wait $writer || :
acked=$(sed -n 's/^ack //p' $ACKS | tail -n 1)
grep -q 'Input/output error' /tmp/error || t_fail "the error was not EIO: $(cat /tmp/error)"
t_fails touch "$MNT/file"
t_umount
nbd-client -d /dev/nbd0 >/dev/null 2>&1 || :

t_case back
server
client
t_mount /dev/nbd0
last=$(/examples/numbered -c "$MNT/records")
[ "$last" -ge "$acked" ] || t_die "record $last, but $acked was acknowledged"
t_info "the server was killed after record $acked; record $last is there"
t_umount
t_fsck /dev/nbd0
t_run nbd-client -d /dev/nbd0
killall nbd-server 2>/dev/null || :	# it has ended with its last client
