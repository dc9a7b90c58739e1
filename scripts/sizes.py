#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Check that files, functions and the structure of the mount stay small.

Usage: sizes.py

The last line prints the figures. The lines before it name what is too large.
"""
import os
import re
import subprocess
import sys

FILE_MAX = 900		# lines of a file
FUNCTION_MAX = 55	# lines of a function of the module
LONG = 40		# a function with more lines is long
LONG_SHARE = 0.05	# share of long functions
MEMBERS_MAX = 16	# members of struct msyncfs_sb_info


def lines(path):
    with open(path, encoding='utf-8') as f:
        return f.read().split('\n')


def functions(path):
    """Yield the name and the lines of each function of a file."""
    start = name = None
    for nr, line in enumerate(lines(path)):
        if re.match(r'[a-z]', line) and '(' in line and not line.endswith(';'):
            start, name = nr, re.search(r'(\w+)\(', line).group(1)
        elif re.match(r'\w+\(', line) and name is None:
            start, name = nr - 1, line.split('(')[0]
        elif line == '}' and name:
            yield name, nr - start + 1
            start = name = None


def main():
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # make bench draws the chart.
    files = subprocess.check_output(['git', 'ls-files', '-co', '--exclude-standard', ':!*.svg'],
                                    text=True).split('\n')
    files = [f for f in files if os.path.isfile(f) and f != 'COPYING']
    faults = []
    sizes = {f: len(lines(f)) - 1 for f in files}
    for f, n in sizes.items():
        if n > FILE_MAX:
            faults.append(f'{f}: {n} lines, limit {FILE_MAX}')

    found = [(n, f, name) for f in files if re.match(r'(fs|mm)/.*\.[ch]$', f)
             for name, n in functions(f)]
    for n, f, name in found:
        if n > FUNCTION_MAX:
            faults.append(f'{f}: {name}(): {n} lines, limit {FUNCTION_MAX}')
    long = sum(n > LONG for n, _, _ in found)
    if long > LONG_SHARE * len(found):
        faults.append(f'{long} of {len(found)} functions have more than {LONG} lines')

    text = '\n'.join(lines('fs/disk/disk.h'))
    body = re.search(r'^struct msyncfs_sb_info \{(.*?)^\};', text, re.M | re.S).group(1)
    members = body.count(';')
    if members > MEMBERS_MAX:
        faults.append(f'struct msyncfs_sb_info: {members} members, limit {MEMBERS_MAX}')

    print('\n'.join(faults), end='\n' if faults else '', flush=True)
    print('sizes: longest file %d lines, %d functions, longest %d lines, %d over %d, '
          '%d members of the mount, %d faults' %
          (max(sizes.values()), len(found), max(found)[0], long, LONG, members,
           len(faults)), file=sys.stderr)
    return 1 if faults else 0


if __name__ == '__main__':
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    sys.exit(main())
