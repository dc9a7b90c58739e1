#!/bin/bash
# Print the lines of a kernel log that report trouble. The exit status is 1 if there are
# such lines.
# Usage: kernel-trouble.sh CONSOLE-LOG

. "$(dirname "$0")/common.sh"
[ $# -eq 1 ] || usage

trouble='Kernel panic|\bOops\b|\bBUG\b|\bWARNING: |\bINFO: (rcu|task|trying to register|possible)'
trouble+='|possible (circular|recursive|irq lock|deadlock)|inconsistent lock state|suspicious RCU'
trouble+='|held lock freed|lock held when returning|locks held by|bad unlock balance|invalid wait context'
trouble+='|locking correctness validator|KASAN: |UBSAN: |kmemleak: .*(new suspected|disabled)|unreferenced object'
trouble+='|sleeping function called|scheduling while atomic|blocked for more than|soft lockup|hard LOCKUP'
trouble+='|rcu: .*(stall|detected)|Call Trace|general protection|unable to handle|stack-protector|refcount_t: '
trouble+='|Objects remaining in|still has objects|ODEBUG: |list_(add|del) corruption|double free|page allocation failure'
trouble+='|Out of memory: Killed|Bad page state|Bad rss-counter|VFS: Busy inodes after unmount'

# A healthy kernel prints these lines too. Our own modules taint the kernel, and "-cpu
# max" has CPU bugs.
harmless='loading out-of-tree module|module verification failed|Spectre|unprivileged eBPF|kmemleak: Kernel memory leak detector initialized'

found=$(tr -d '\r' <"$1" | grep -nE "$trouble" | grep -vE "$harmless" | head -n 25 || true)
[ -z "$found" ] || { printf 'kernel log, line %s\n' "${found//$'\n'/$'\n'kernel log, line }"; exit 1; }
