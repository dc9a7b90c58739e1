#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compare the times of msyncfs with the expected times.

Usage: bench-compare.py [-u] BENCH.CSV EXPECTED.CSV

Print "ok bench.ROW  TEXT" or "not ok bench.ROW  TEXT" for each row of BENCH.CSV.  The
exit status is 1 if a row fails.  A row of EXPECTED.CSV can have its own limit in per cent;
otherwise the limit is 3 %.  With -u, write the times of BENCH.CSV to EXPECTED.CSV; its
other rows and the limits stay.
"""
import csv
import sys

LIMIT = 3.0     # per cent


def read_csv(path):
    with open(path, encoding='utf-8') as f:
        return list(csv.DictReader(f))


def read_expected(path):
    """Return {row: [time, limit as text]}."""
    try:
        return {row['workload']: [float(row['us']), row['limit']] for row in read_csv(path)}
    except FileNotFoundError:
        return {}


def write_expected(path, expected):
    with open(path, 'w', encoding='utf-8', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        out.writerow(['workload', 'us', 'limit'])
        out.writerows((row, f'{us:.3f}', limit) for row, (us, limit) in expected.items())


def compare(row, us, expected):
    """Return whether the row passes, and the text to print."""
    update = f'make bench-check UPDATE=1 T={row}'
    if row not in expected:
        return False, f'{us:.1f} us; no time is expected: {update}'
    time, limit = expected[row]
    limit = float(limit or LIMIT)
    change = 100 * (us / time - 1)
    text = f'{us:.1f} us, expected {time:.1f} us, {change:+.1f} %'
    if change > limit:
        text += f', limit {limit:.0f} %'
    if change < -limit:
        text += f'; better: {update}'
    return change <= limit, text


def main():
    args = sys.argv[1:]
    write = args[:1] == ['-u']
    if len(args) != 2 + write:
        sys.exit('usage: bench-compare.py [-u] BENCH.CSV EXPECTED.CSV')
    times = {row['workload']: float(row['msyncfs']) for row in read_csv(args[-2])
             if row['msyncfs']}
    expected = read_expected(args[-1])
    if write:
        for row, us in times.items():
            expected.setdefault(row, [0, ''])[0] = us
        write_expected(args[-1], expected)

    failed = not times
    for row, us in times.items():
        passed, text = compare(row, us, expected)
        print(f'{"ok" if passed else "not ok"} bench.{row}  {text}')
        failed |= not passed
    sys.exit(failed)


main()
