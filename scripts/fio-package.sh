#!/bin/bash
# Install Debian's package fio, and print the arguments with which initramfs.sh copies the
# program into a guest.
# Usage: fio-package.sh

. "$(dirname "$0")/common.sh"
[ $# -eq 0 ] || usage
"$SCRIPTS/deps.sh" fio
echo "-p fio"
