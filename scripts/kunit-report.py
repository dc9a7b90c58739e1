#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Turn the KTAP output of a guest into result lines, one for each case.

Usage: kunit-report.py KERNEL-TREE CHANNEL-LOG SUITE...

The channel has "suite NAME", then "ktap LINE" for each line of the suite's
results file in debugfs.  The kernel's parser gets each suite separately, because
it reads only the first of several concatenated results.  A missing suite, a
skipped case and every error of the parser are failures.
"""

import contextlib
import inspect
import io
import os
import sys


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    tree, channel, expected = sys.argv[1], sys.argv[2], sys.argv[3:]
    sys.path.insert(0, os.path.join(tree, "tools/testing/kunit"))
    # The parser keeps the sys.stdout that it finds when it is imported. Import it while
    # sys.stdout is a buffer, so that its messages are dropped.
    with contextlib.redirect_stdout(io.StringIO()):
        import kunit_parser  # pylint: disable=import-error,import-outside-toplevel
        import kunit_printer  # pylint: disable=import-error,import-outside-toplevel
    # The parser of a newer kernel wants a printer.
    wants = inspect.signature(kunit_parser.parse_run_tests).parameters
    printer = [kunit_printer.null_printer] if "printer" in wants else []

    suites = {}
    with open(channel, encoding="utf-8", errors="replace") as log:
        name = None
        for line in log:
            line = line.rstrip("\r\n")
            if line.startswith("suite "):
                name = line[6:]
                suites[name] = []
            elif line.startswith("ktap ") and name:
                suites[name].append(line[5:])

    passed_status = kunit_parser.TestStatus.SUCCESS

    def reason(test):
        text = [s.strip() for s in test.log if s.strip()]
        return f"{test.status.name.lower()}: " + " / ".join(text[:6]) if text else test.status.name.lower()

    def leaves(test, path):
        if test.subtests:
            for sub in test.subtests:
                yield from leaves(sub, path + [sub.name])
        else:
            yield ".".join(path).replace(" ", "_"), test

    for suite in sorted(set(expected) | set(suites)):
        if suite not in suites:
            print(f"not ok {suite}  the suite did not run")
            continue
        root = kunit_parser.parse_run_tests(suites[suite], *printer)
        cases, bad = 0, 0
        for sub in root.subtests:
            for name, test in leaves(sub, [sub.name]):
                cases += 1
                if test.status is passed_status:
                    print(f"ok {name}")
                else:
                    bad += 1
                    print(f"not ok {name}  {reason(test)}")
        if suite not in expected:
            print(f"not ok {suite}  ran, but no source file declares it")
        elif not cases:
            print(f"not ok {suite}  has no cases")
        elif not bad and (root.counts.errors or root.status is not passed_status):
            # No case has failed. So init or exit of the suite has failed, or KTAP is broken.
            print(f"not ok {suite}  {reason(root)}")


main()
