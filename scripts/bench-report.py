#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Print the figures of make bench as tables, and write them to files.

Usage: bench-report.py DIR ROWS FILESYSTEMS SETUP

DIR/vm/channel.log has the figures, DIR/workloads the output of "bench list".  ROWS and
FILESYSTEMS are names in one word each, separated by blanks.  The script writes
DIR/bench.csv, DIR/ratios.csv, DIR/commands.csv and, if phases were measured,
DIR/phases.csv.

With SETUP=virtio, other programs on the host change each time.  So the filesystems take
turns, and each of these rounds has its own ratios.  All results are medians of the rounds.
"""
import csv
import re
import statistics
import sys
from collections import defaultdict

BASE = 'ext4'
PHASES = ('capture', 'attach', 'wait', 'device')
COMMANDS = ('reads', 'writes', 'kib', 'flushes')


class Figures:
    """The figures that the guest sent."""

    def __init__(self, out, rows, filesystems):
        self.rows = rows
        self.filesystems = filesystems
        with open(f'{out}/workloads', encoding='utf-8') as f:
            fields = [line.rstrip('\n').split('|') for line in f]
        self.about = {f[0]: {'unit': f[2], 'what': f[3], 'against': f[4]} for f in fields}
        self.rounds = defaultdict(list)     # the values of each round
        with open(f'{out}/vm/channel.log', encoding='utf-8') as f:
            for line in f:
                words = line.split()
                if words and words[0] == 'figure':
                    self.rounds[words[1], words[2]].append(
                        {name: float(value) for name, value in (w.split('=') for w in words[3:])})

    def value(self, row, fs, name='ns'):
        """Return the median of the rounds, or None."""
        values = [r[name] for r in self.rounds[row, fs] if name in r]
        return statistics.median(values) if values else None

    def ratio(self, above, below):
        """Return the median of the ratios of the rounds, or None.

        above and below are tuples (row, filesystem, name)."""
        ratios = [a[above[2]] / b[below[2]]
                  for a, b in zip(self.rounds[above[:2]], self.rounds[below[:2]])
                  if above[2] in a and b.get(below[2])]
        return statistics.median(ratios) if ratios else None

    def own_ratios(self):
        """Yield a title and ratios of two figures of one filesystem."""
        for row in self.rows:
            if self.about[row]['unit'] in ('call', 'update', 'txn'):
                yield [f'{row}: p99 / median'] + [
                    self.ratio((row, fs, 'p99'), (row, fs, 'median'))
                    for fs in self.filesystems]
            base = self.about[row]['against']
            if base in self.rows:
                yield [f'{row} / {base}'] + [
                    self.ratio((row, fs, 'ns'), (base, fs, 'ns')) for fs in self.filesystems]


def write_csv(path, head, rows):
    with open(path, 'w', encoding='utf-8', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        out.writerow(head)
        for row in rows:
            out.writerow([f'{v:.3f}' if isinstance(v, float) else v for v in row])


def write_phases(found, path):
    """Write the microseconds of the phases.  The first column labels the chart."""
    rows = [row for row in found.rows if row.startswith('phases-') and found.rounds[row, 'msyncfs']]
    if not rows:
        return
    table = []
    for row in rows:
        us = [found.value(row, 'msyncfs', name) / 1000 for name in PHASES + ('ns',)]
        table.append([f'{row.split("-")[1]}: {us[-1]:,.0f} us'] + us)
    write_csv(path, ('pages',) + PHASES + ('whole',), table)


def cell(value, digits):
    return '-' if value is None else f'{value:.{digits}f}'


def print_times(found):
    """Print the microseconds.  A time is followed by its ratio to the time of BASE."""
    ratios = BASE in found.filesystems
    head = ''.join(f' {fs:>9}' + (' ratio' if ratios and fs != BASE else '')
                   for fs in found.filesystems)
    print(f'{"workload":<15} {"unit":<9}{head}')
    for row in found.rows:
        line = f'{row:<15} us/{found.about[row]["unit"]:<6}'
        for fs in found.filesystems:
            ns = found.value(row, fs)
            line += f' {cell(ns and ns / 1000, 1):>9}'
            if ratios and fs != BASE:
                ratio = found.ratio((row, fs, 'ns'), (row, BASE, 'ns'))
                line += f' {"" if ratio is None else f"{ratio:.2f}":>5}'
        print(f'{line}  {found.about[row]["what"]}')


def print_ratios(table, filesystems):
    print(f'\n{"own ratio":<28}' + ''.join(f' {fs:>9}' for fs in filesystems))
    for row in table:
        print(f'{row[0]:<28}' + ''.join(f' {cell(r, 2):>9}' for r in row[1:]))


def print_commands(found):
    """Print the commands of the disk that one unit needs."""
    print('\nwrites, KiB written and flushes of one unit')
    print(f'{"workload":<15}' + ''.join(f' {fs:>21}' for fs in found.filesystems))
    for row in found.rows:
        line = f'{row:<15}'
        for fs in found.filesystems:
            w, kib, f = (found.value(row, fs, n) for n in ('writes', 'kib', 'flushes'))
            text = '-' if w is None else f'{w:.1f}w {kib:.0f}K {f:.1f}f'
            line += f' {text:>21}'
        print(line)


def main():
    if len(sys.argv) != 5:
        sys.exit(re.search('Usage: .*', __doc__)[0])
    out, setup = sys.argv[1], sys.argv[4]
    found = Figures(out, sys.argv[2].split(), sys.argv[3].split())
    filesystems = found.filesystems

    write_csv(f'{out}/bench.csv', ['workload', 'description', 'unit'] + filesystems,
              ([row, found.about[row]['what'], 'us/' + found.about[row]['unit']] +
               [ns and ns / 1000 for ns in (found.value(row, fs) for fs in filesystems)]
               for row in found.rows))
    write_csv(f'{out}/commands.csv', ('workload', 'filesystem') + COMMANDS,
              ([row, fs] + [found.value(row, fs, name) for name in COMMANDS]
               for row in found.rows for fs in filesystems if found.rounds[row, fs]))
    write_phases(found, f'{out}/phases.csv')
    own = [row for row in found.own_ratios() if any(row[1:])]
    write_csv(f'{out}/ratios.csv', ['ratio'] + filesystems, own)

    print_times(found)
    if own:
        print_ratios(own, filesystems)
    if setup == 'virtio':
        print_commands(found)


main()
