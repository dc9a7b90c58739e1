#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print the figures of make bench as tables, and write them to files.

Usage: bench-report.py DIR ROWS FILESYSTEMS

DIR/vm/channel.log has the figures, DIR/workloads the output of "bench list".  ROWS and
FILESYSTEMS are names in one word each, separated by blanks.  The script writes
DIR/bench.csv and DIR/ratios.csv.
"""
import csv
import sys
from collections import defaultdict

BASE = 'ext4'


def figures(path):
    """Return {(row, filesystem): {name: value}}, the figures that the guest sent."""
    found = defaultdict(dict)
    with open(path, encoding='utf-8') as f:
        for line in f:
            words = line.split()
            if words and words[0] == 'figure':
                found[words[1], words[2]] = {
                    name: float(value)
                    for name, value in (w.split('=') for w in words[3:])}
    return found


def workloads(path):
    """Return {row: (unit, description, row to compare with)}."""
    with open(path, encoding='utf-8') as f:
        fields = [line.rstrip('\n').split('|') for line in f]
    return {f[0]: (f[2], f[3], f[4]) for f in fields}


def quotient(a, b):
    return a / b if a and b else None


def times(found, about, rows, filesystems):
    """Yield the rows of bench.csv: microseconds."""
    for row in rows:
        unit, what, _ = about[row]
        ns = [found[row, fs].get('ns') for fs in filesystems]
        yield [row, what, 'us/' + unit] + [n and n / 1000 for n in ns]


def own_ratios(found, about, rows, filesystems):
    """Yield the rows of ratios.csv: ratios of two figures of one filesystem."""
    for row in rows:
        unit, _, base = about[row]
        if unit in ('call', 'update', 'txn'):
            yield [f'{row}: p99 / median'] + [
                quotient(found[row, fs].get('p99'), found[row, fs].get('median'))
                for fs in filesystems]
        if base in rows:
            yield [f'{row} / {base}'] + [
                quotient(found[row, fs].get('ns'), found[base, fs].get('ns'))
                for fs in filesystems]


def write_csv(path, head, rows):
    with open(path, 'w', encoding='utf-8', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        out.writerow(head)
        for row in rows:
            out.writerow([f'{v:.3f}' if isinstance(v, float) else v for v in row])


def cell(value, digits):
    return '-' if value is None else f'{value:.{digits}f}'


def print_times(table, filesystems):
    """Print the microseconds.  A time is followed by its ratio to the time of BASE."""
    base = 3 + filesystems.index(BASE) if BASE in filesystems else None
    head = ''.join(f' {fs:>9}' + ('' if fs == BASE else ' ratio') for fs in filesystems)
    print(f'{"workload":<12} {"unit":<9}{head}')
    for row in table:
        line = f'{row[0]:<12} {row[2]:<9}'
        for i, us in enumerate(row[3:], 3):
            line += f' {cell(us, 1):>9}'
            if i != base:
                ratio = quotient(us, row[base]) if base else None
                line += f' {"" if ratio is None else f"{ratio:.2f}":>5}'
        print(f'{line}  {row[1]}')


def print_ratios(table, filesystems):
    print(f'\n{"own ratio":<28}' + ''.join(f' {fs:>9}' for fs in filesystems))
    for row in table:
        print(f'{row[0]:<28}' + ''.join(f' {cell(r, 2):>9}' for r in row[1:]))


def main():
    if len(sys.argv) != 4:
        sys.exit('usage: bench-report.py DIR ROWS FILESYSTEMS')
    out, rows, filesystems = sys.argv[1], sys.argv[2].split(), sys.argv[3].split()
    found = figures(f'{out}/vm/channel.log')
    about = workloads(f'{out}/workloads')

    table = list(times(found, about, rows, filesystems))
    write_csv(f'{out}/bench.csv', ['workload', 'description', 'unit'] + filesystems, table)
    print_times(table, filesystems)
    table = [row for row in own_ratios(found, about, rows, filesystems) if any(row[1:])]
    write_csv(f'{out}/ratios.csv', ['ratio'] + filesystems, table)
    if table:
        print_ratios(table, filesystems)


main()
