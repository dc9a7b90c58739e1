// SPDX-License-Identifier: GPL-2.0
/*
 * This program has the workloads of "make bench". Each workload gives one row
 * of a table. scripts/bench-guest runs each workload in a guest on a new
 * filesystem.
 *
 * Usage: bench list		print the workloads: NAME|SECONDS|UNIT|DESCRIPTION|AGAINST
 *        bench make NAME PLACE	make the files of a workload; the caller then
 *				unmounts the filesystem and mounts it again
 *        bench run NAME PLACE	run a workload and print NAME=VALUE; the
 *				name ns is the time in nanoseconds
 *
 * If $DISK_STAT is the file "stat" of the disk in sysfs, the result includes
 * the commands of the disk.
 *
 * If $PERF_CONTROL and $PERF_ACK are fifos of "perf record --control", perf
 * records while a call runs. Standard error then gets the times of the calls
 * for "perf report --time".
 *
 * PLACE is an empty directory or a raw disk. If PLACE is a raw disk and the
 * workload has no @raw function, "bench run" prints nothing.
 */
#include "bench.h"

int main(int argc, char **argv)
{
	static const struct workload *const tables[] = {
		map_workloads, wal_workloads, name_workloads, update_workloads,
		thread_workloads, sparse_workloads, io_workloads,
	};

	return bench_main(tables, ARRAY_SIZE(tables), argc, argv);
}
