#!/bin/bash
# Test: a guest that this host starves has no verdict for that; a guest that hangs has
# Cases: stopped crowded silent endless lockup oops slow_boot second never
# Timeout: 120
#
# A script takes the place of QEMU, so no guest boots.

. "$SCRIPTS/host/lib.sh"

mkdir -p "$OUT/bin"
ln -sf "$SCRIPTS/host/guest/fake-qemu" "$OUT/bin/qemu-system-x86_64"
export PATH=$OUT/bin:$PATH STATE=$OUT/state GUEST CPU

# begin GUEST: run a guest that may be silent for 4 s
begin() {
	GUEST=$1
	t_case "$GUEST"
	rm -rf "$STATE"
	mkdir -p "$STATE"
	"$SCRIPTS/vm.sh" -n "$GUEST" -o "$OUT/vm" -k /dev/null -i /dev/null -q 4 -t 8 &
	vm=$!
}

# passes, fails TEXT: wait for the guest; its verdict must be this, with this first problem
passes() { wait $vm || t_fail "failed: $(head -n 1 "$OUT/vm/problems.log")"; }
fails() {
	local problem
	! wait $vm || t_fail "has passed"
	problem=$(head -n 1 "$OUT/vm/problems.log")
	case $problem in *"$1"*) ;; *) t_fail "failed for another reason: $problem" ;; esac
}
boots() { t_eq "boots" "$(wc -l <"$STATE/boots")" "$1"; }

begin stopped
until grep -qs ready "$OUT/vm/channel.log" && [ -s "$OUT/vm/qemu.pid" ]; do sleep 0.1; done
qemu=$(cat "$OUT/vm/qemu.pid")
kill -STOP "$qemu"
sleep 14
touch "$STATE/go"
kill -CONT "$qemu"
passes
boots 1
read -r starved _ <"$OUT/vm/starved"
[ "$starved" -ge 12 ] || t_fail "starved for only $starved s"

# The guest gets only time that the loop on the same CPU leaves.
CPU=$(taskset -pc $$ | sed 's/.*[ ,-]//')
taskset -c "$CPU" timeout 9 sh -c 'while :; do :; done' &
begin crowded
passes
t_info "crowded: starved for $(cut -d ' ' -f 1 "$OUT/vm/starved") s"

begin silent
fails "silent for 4 s"
begin endless
fails "still running after 8 s"
begin lockup
fails "soft lockup"
begin oops
fails "unable to handle"
boots 1
begin slow_boot
passes
boots 1
begin second
passes
boots 2
begin never
fails "silent for 4 s"
boots 2
