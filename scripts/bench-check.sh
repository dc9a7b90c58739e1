#!/bin/bash
# make bench-check: compare the times of msyncfs with tools/bench/expected.csv.
# Usage: [RUN=NAME] [UPDATE=1] bench-check.sh [WORKLOAD...]
#
# The times are those of make bench with SETUP=fast. A row that takes over 3 % longer than
# expected is a failure. With UPDATE=1, write the measured times to the file instead.
# build/bench-check/results has one line "ok ..." or "not ok ..." for each row.

. "$(dirname "$0")/common.sh"

expected=$TOP/tools/bench/expected.csv
export RUN=check${RUN:+-$RUN}
out=$BUILD/bench-$RUN
rm -f "$out/results"
FS=msyncfs SETUP=fast PROFILE='' "$SCRIPTS/bench.sh" "$@"
echo
"$SCRIPTS/bench-compare.py" ${UPDATE:+-u} "$out/bench.csv" "$expected" | tee "$out/results"
