// SPDX-License-Identifier: GPL-2.0
/* An update that happens in full or not at all. */
#include <fcntl.h>
#include <linux/msyncfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"

#define LOG_PAGES	4096UL

static unsigned long log_page;
static int log_fd = -1;

static void make_update(void)
{
	make_file();
	close(new_file("log", LOG_PAGES * PAGE));
}

/*
 * Only msyncfs has atomic files. On other filesystems the program keeps a redo
 * log.
 */
static void ready_update(void)
{
	__u32 on = 1;

	map_file();
	if (!ioctl(fd, MSYNCFS_IOC_SET_ATOMIC, &on))
		return;
	log_fd = open("log", O_RDWR);
	check(log_fd >= 0, "log");
}

/*
 * Append a header and the pages to the redo log. At the end of the log file,
 * start again at its beginning.
 */
static void log_update(void)
{
	unsigned long bytes = (w->pages + 1) * PAGE;

	if (log_page + w->pages + 1 > LOG_PAGES)
		log_page = 0;
	check(pwrite(log_fd, buf, bytes, log_page * PAGE) == (ssize_t)bytes &&
	      !fdatasync(log_fd), "log");
	log_page += w->pages + 1;
}

static void update(unsigned long nr)
{
	unsigned long i;

	if (log_fd >= 0)
		log_update();
	for (i = 0; i < w->pages; i++)
		memcpy(page_of(nr, i), buf + (i + 1) * PAGE, PAGE);
	sync_map(nr);
}

#define UPDATE		.mib = 64, .calls = 101, .make = make_update, \
			.ready = ready_update, .call = update

const struct workload update_workloads[] = {
	{ "update-8", "8 pages; all or nothing", "update", 11,
	  .pages = 8, UPDATE },
	{ "update-64", "64 pages; all or nothing", "update", 16,
	  .pages = 64, UPDATE },
	{},
};
