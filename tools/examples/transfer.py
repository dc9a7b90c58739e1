#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Keep two files consistent, as transfer.c does.

Each transfer changes both files, and one ioctl makes both changes durable together.

Usage: transfer.py FILE FILE COUNT    prints "ack N" after transfer N
       transfer.py -c FILE FILE       checks the sum and prints the last number
"""
import ctypes
import fcntl
import os
import struct
import sys

PAGE, MONEY = 4096, 1000000
PROT_READ_WRITE, MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS = 3, 1, 2, 0x10, 0x20
MS_SYNC = 4
# _IOW(0xb5, 1, struct msyncfs_msync) of <linux/msyncfs.h>: addr, len, flags, reserved
MSYNCFS_IOC_MSYNC = 1 << 30 | 24 << 16 | 0xb5 << 8 | 1


class Account(ctypes.Structure):
    _fields_ = [("transfers", ctypes.c_uint64), ("balance", ctypes.c_int64)]


libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]


def mmap(addr, size, flags, fd):
    at = libc.mmap(addr, size, PROT_READ_WRITE, flags, fd, 0)
    if at == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return at


def account(path, addr):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, PAGE)
    mmap(addr, PAGE, MAP_SHARED | MAP_FIXED, fd)
    return Account.from_address(addr), fd


def main():
    check = sys.argv[1] == "-c"
    # The mappings are neighbours, so one range of addresses covers both.
    at = mmap(None, 2 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1)
    a, fd = account(sys.argv[1 + check], at)
    b, _ = account(sys.argv[2 + check], at + PAGE)
    if check:
        if a.balance + b.balance != (MONEY if a.transfers else 0) or a.transfers != b.transfers:
            sys.exit("the files differ")
        print(a.transfers)
        return
    if not a.transfers:
        a.balance = MONEY
    for n in range(int(sys.argv[3])):
        a.balance -= n % 100
        b.balance += n % 100
        a.transfers += 1
        b.transfers += 1
        fcntl.ioctl(fd, MSYNCFS_IOC_MSYNC, struct.pack("QQII", at, 2 * PAGE, MS_SYNC, 0))
        print("ack", a.transfers, flush=True)


main()
