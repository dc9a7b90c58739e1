#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Check that the floors of the module depend downward only.

Usage: floors.py OBJECTS

OBJECTS is a folder in which the module has been built, build/<release>/src.
Kbuild lists the floors, top first. A file may include headers of its own floor
and the public headers of the floors below it. It may use only symbols that are
defined on its own floor or below. Only include/compat.h may ask for the version of the
kernel. Includes are read from the sources, symbols
from the objects (nm). No more than three files may use each other in a circle.
"""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CIRCLE_MAX = 3
# The public headers. Other headers are private: only files of the same floor may
# include them.
PUBLIC = {'fs/vfs/vfs.h', 'mm/sync.h', 'fs/place/place.h', 'mm/pages/pages.h',
          'fs/map/map.h', 'fs/space/space.h', 'fs/log/log.h', 'fs/disk/disk.h',
          'fs/disk/format.h', 'fs/disk/trace.h', 'fs/disk/break.h'}


def floors():
    with open(os.path.join(TOP, 'Kbuild')) as f:
        return re.search(r'^msyncfs_floors := (.*)', f.read(), re.M).group(1).split()


def sources(order):
    for folder in order:
        for name in sorted(os.listdir(os.path.join(TOP, folder))):
            if name.endswith(('.c', '.h')):
                yield folder + '/' + name


def included(path):
    """Return the project's own headers that a file includes."""
    with open(os.path.join(TOP, path)) as f:
        names = re.findall(r'^#include "(.*)"', f.read(), re.M)
    for name in names:
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        yield beside if os.path.exists(os.path.join(TOP, beside)) else name


def symbols(objects, files):
    """Return the file that defines each symbol, and the symbols that each file uses."""
    defined, used = {}, {}
    for path in files:
        obj = os.path.join(objects, path[:-2] + '.o')
        if not path.endswith('.c') or not os.path.exists(obj):
            continue
        used[path] = set()
        out = subprocess.run(['nm', obj], capture_output=True, text=True, check=True)
        for line in out.stdout.splitlines():
            kind, name = line.split()[-2:]
            if kind == 'U':
                used[path].add(name)
            elif kind in 'TDBRVC':
                defined[name] = path
    if not used:
        sys.exit('floors: no objects in ' + objects)
    return defined, used


def circle_of(start, edges):
    """Return the files that use the file start and that start uses, even indirectly."""
    def reach(step):
        seen, todo = set(), [start]
        while todo:
            for other in step.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen
    back = {}
    for a, others in edges.items():
        for b in others:
            back.setdefault(b, set()).add(a)
    return reach(edges) & reach(back)


def main():
    order = floors()
    files = list(sources(order))
    level = {f: order.index(os.path.dirname(f)) for f in files}
    faults = []

    for a in files + glob.glob('kunit/*.[ch]', root_dir=TOP) + glob.glob('mm/hook/*.c', root_dir=TOP):
        with open(os.path.join(TOP, a)) as f:
            if 'LINUX_VERSION_CODE' in f.read():
                faults.append(f'{a} asks for the version of the kernel, which only compat.h may')
    for a in files:
        for b in included(a):
            if level.get(b, len(order)) < level[a]:
                faults.append(f'{a} includes {b}, which is above it')
            elif b in level and level[b] != level[a] and b not in PUBLIC:
                faults.append(f'{a} includes {b}, which is private to its floor')

    defined, used = symbols(sys.argv[1], files)
    edges = {}
    for a, names in used.items():
        for name in sorted(names):
            b = defined.get(name)
            if b is None or a == b:
                continue
            edges.setdefault(a, set()).add(b)
            if level[b] < level[a]:
                faults.append(f'{a} calls {b}, which is above it: {name}')

    circles = {frozenset(circle_of(f, edges)) for f in edges}
    for circle in circles:
        if len(circle) > CIRCLE_MAX:
            faults.append('a circle of %d files: %s' % (len(circle), ' '.join(sorted(circle))))

    if faults:
        print('\n'.join(sorted(set(faults))), flush=True)
    print('floors: %d files on %d floors, largest circle %d, %d faults' %
          (len(files), len(order), max(map(len, circles), default=0), len(faults)),
          file=sys.stderr)
    return 1 if faults else 0


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main())
