#!/bin/bash
# Print the lines of a kernel log that report trouble. The exit status is 1 if there are
# such lines.
# Usage: kernel-trouble.sh CONSOLE-LOG [EXCUSED]
#        kernel-trouble.sh -s <CONSOLE-LOG
#
# EXCUSED  a file with lines of the log. Reports with such a first line do not count
# -s       print the first lines of all reports that a CPU or task makes no progress

. "$(dirname "$0")/common.sh"

stall='soft lockup|hard LOCKUP|INFO: (rcu|task)|rcu: .*(stall|detected|starved)|blocked for more than'
if [ "${1:-}" = -s ]; then
	tr -d '\r' | grep -E "$stall" || true
	exit
fi
[ $# -eq 1 ] || [ $# -eq 2 ] || usage

trouble='Kernel panic|\bOops\b|\bBUG\b|\bWARNING: |\bINFO: (trying to register|possible)'
trouble+='|possible (circular|recursive|irq lock|deadlock)|inconsistent lock state|suspicious RCU'
trouble+='|held lock freed|lock held when returning|locks held by|bad unlock balance|invalid wait context'
trouble+='|locking correctness validator|KASAN: |KCSAN: |UBSAN: |kmemleak: .*(new suspected|disabled)|unreferenced object'
trouble+='|sleeping function called|scheduling while atomic|Call Trace'
trouble+='|general protection|unable to handle|stack-protector|refcount_t: '
trouble+='|Objects remaining in|still has objects|ODEBUG: |list_(add|del) corruption|double free|page allocation failure'
trouble+='|Out of memory: Killed|Bad page state|Bad rss-counter|VFS: Busy inodes after unmount'

# A healthy kernel prints these lines too. Our own modules taint the kernel, and "-cpu
# max" has CPU bugs. The kernel has data races that are no faults; only a function of a
# module has the name of its module behind it.
harmless='KCSAN: data-race in [^[]*$|loading out-of-tree module|module verification failed|Spectre|unprivileged eBPF|kmemleak: Kernel memory leak detector initialized'

# A booting kernel that reports a stall has got too little time from this host: no code
# of this project has run. The traces that follow such a report belong to it.
boot=$(grep -c 'Run /init as init process' "$1" || true)
found=$(tr -d '\r' <"$1" | grep -nE "$stall|$trouble|Run /init as init process" | grep -vE "$harmless" |
	awk -v stall="$stall" -v boot="$boot" -v excused="${2:-/dev/null}" '
	BEGIN { while ((getline line <excused) > 0) harmless[line] = 1 }
	/Run \/init as init process/ { boot = skip = 0; next }
	{ line = $0; sub(/^[0-9]+:/, "", line) }
	$0 ~ stall { skip = boot || line in harmless }
	$0 !~ stall && !/Call Trace|locks held by/ { skip = 0 }
	!skip' | head -n 25 || true)
[ -z "$found" ] || { printf 'kernel log, line %s\n' "${found//$'\n'/$'\n'kernel log, line }"; exit 1; }
