#!/bin/bash
# Print results ("ok NAME  text", "not ok NAME  reason") as an aligned list, and their
# counts.  The exit status is 0 only if there is a result and none has failed.
# Usage: summary.sh [-t TITLE] [-f] RESULTS...
#
# -f  list only the failures

. "$(dirname "$0")/common.sh"
title='' only=0
while getopts t:f o; do
	case $o in
	t) title=$OPTARG ;;
	f) only=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage

[ -z "$title" ] || echo "$title:"
awk -v only="$only" '
	/^ok / { pass++; if (only) next; s = "ok  " }
	/^not ok / { fail++; s = "FAIL"; sub(/^not /, "") }
	!/^ok / { next }
	{ name = $2; sub(/^ok [^ ]+ */, ""); printf "  %s  %-36s %s\n", s, name, $0 }
	END { printf "%d passed, %d failed\n", pass, fail; exit !(pass && !fail) }' "$@"
