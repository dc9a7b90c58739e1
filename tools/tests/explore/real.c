// SPDX-License-Identifier: GPL-2.0
/*
 * This file makes the operations of the model on the real filesystem, in the
 * current directory.
 */
#include "explore.h"

#include <linux/msyncfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#ifndef SYS_cachestat
#define SYS_cachestat	451
#endif

static unsigned int failures;	/* number of failures of the device */

static size_t map_size(void)
{
	return file_pos(MAX_CELLS * CELL);
}

void real_open(struct node *n, const char *path, int flags)
{
	n->fd = open(path, O_RDWR | flags, 0644);
	CHECK(n->fd >= 0);
	n->map = mmap(NULL, map_size(), PROT_READ | PROT_WRITE, MAP_SHARED, n->fd, 0);
	CHECK(n->map != MAP_FAILED);
}

void real_close(struct node *n)
{
	if (n->fd < 0)
		return;
	CHECK(!munmap(n->map, map_size()));
	CHECK(!close(n->fd));
	n->fd = -1;
}

static void fill(char *buf, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		cell_fill(buf + i * CELL, stamp, cell + i);
}

/*
 * Return how many of the @nr cells from @cell on are adjacent in the real file.
 */
static unsigned long together(unsigned long cell, unsigned long nr)
{
	unsigned long room = PAGE_CELLS - cell % PAGE_CELLS;

	return model_gap == 1 || nr < room ? nr : room;
}

/* Write cells with operation number @stamp. @flags are flags of pwritev2(2). */
void real_write(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp,
		int flags)
{
	static char buf[MAX_CELLS * CELL];
	unsigned long len;

	CHECK(!flags || model_gap == 1);
	for (; nr; cell += len, nr -= len) {
		struct iovec iov = { .iov_base = buf };

		len = together(cell, nr);
		iov.iov_len = len * CELL;
		fill(buf, cell, len, stamp);
		CHECK(pwritev2(n->fd, &iov, 1, file_pos(cell * CELL), flags) ==
		      (ssize_t)iov.iov_len);
	}
}

void real_store(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	unsigned long len;

	for (; nr; cell += len, nr -= len) {
		len = together(cell, nr);
		fill(n->map + file_pos(cell * CELL), cell, len, stamp);
	}
}

/* Write cells with O_DIRECT. @rwf are flags of pwritev2(2). */
static void write_direct(struct node *n, unsigned long cell, unsigned long nr,
			 uint32_t stamp, int rwf)
{
	static char buf[64 * PAGE] __attribute__((aligned(4096)));
	struct iovec iov = { .iov_base = buf, .iov_len = nr * CELL };
	int flags = fcntl(n->fd, F_GETFL);

	CHECK(nr * CELL <= sizeof(buf) && model_gap == 1);
	fill(buf, cell, nr, stamp);
	CHECK(!fcntl(n->fd, F_SETFL, flags | O_DIRECT));
	CHECK(pwritev2(n->fd, &iov, 1, cell * CELL, rwf) == (ssize_t)(nr * CELL));
	CHECK(!fcntl(n->fd, F_SETFL, flags));
}

void real_direct(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	write_direct(n, cell, nr, stamp, 0);
}

#ifndef RWF_ATOMIC
#define RWF_ATOMIC	0x40
#endif

/* Make an untorn write. @flags are other flags of pwritev2(2). */
void real_untorn(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp,
		 int flags)
{
	write_direct(n, cell, nr, stamp, RWF_ATOMIC | flags);
}

/*
 * Check that the filesystem stopped for one reason: the write of a record
 * failed twice.
 */
static int failed_twice(void)
{
	static char log[1 << 16];
	unsigned long long record = 0, nr;
	int n = klogctl(3, log, sizeof(log) - 1), twice = 0, end;
	char *at = log;

	CHECK(n >= 0);
	for (log[n] = 0; (at = strstr(at, "log record ")); at++) {
		end = 0;
		sscanf(at, "log record %llu at block %*u: write failed%n", &nr, &end);
		if (!end)
			continue;
		twice = nr == record;
		record = nr;
	}
	return twice && strstr(log, ": the log cannot be written");
}

/*
 * End the workload because the filesystem has stopped. This may happen only
 * while the device fails: the write of a record fails, and a commit in the
 * background fails to write the same record again. The acknowledged data must
 * still be durable. No other reason may end the workload early.
 */
static void end_early(void)
{
	CHECK(failures && failed_twice());
	printf("ended early after %u failures: a commit in the background was in one, too\n",
	       failures);
	exit(0);
}

void real_msync(struct node *n, unsigned long cell, unsigned long nr)
{
	int err = msync(n->map + file_pos(cell * CELL), file_pos(nr * CELL), MS_SYNC);

	if (err)
		end_early();
}

/*
 * Call msync so that each flag has its full meaning, even without the hook.
 */
void real_msync_flags(struct node *n, unsigned long cell, unsigned long nr, int flags)
{
	struct msyncfs_msync arg = {
		.addr = (unsigned long)n->map + file_pos(cell * CELL),
		.len = file_pos(nr * CELL),
		.flags = flags,
	};

	CHECK(!ioctl(n->fd, MSYNCFS_IOC_MSYNC, &arg));
}

/* A store causes SIGBUS if the filesystem has stopped. So end the workload. */
static void on_sigbus(int sig)
{
	(void)sig;
	end_early();
}

void real_fail_sync(struct node *n)
{
	static time_t last;

	/*
	 * The kernel drops messages if there are too many in a short time. So
	 * wait until the clock shows another second.
	 */
	for (; time(NULL) == last; usleep(10000))
		;
	last = time(NULL);
	failures++;
	signal(SIGBUS, on_sigbus);
	device_fails(1);
	FAILS(msync(n->map, file_pos(n->vsize), MS_SYNC), EIO);
	device_fails(0);
}

void real_zero(struct node *n, unsigned long cell, unsigned long nr, int mode)
{
	off_t at = file_pos(cell * CELL);

	CHECK(!fallocate(n->fd, mode, at, file_pos((cell + nr) * CELL) - at));
}

/* ---- atomic files ---- */

void real_atomic(struct node *n, int on)
{
	CHECK(!ioctl(n->fd, MSYNCFS_IOC_SET_ATOMIC, &on));
}

void real_rollback(struct node *n)
{
	int err = ioctl(n->fd, MSYNCFS_IOC_ROLLBACK);

	if (err)
		end_early();
}

static uint64_t dirty_pages(int fd, off_t at, off_t len)
{
	uint64_t range[2] = { at, len }, stat[5];	/* cached, dirty, ... */

	CHECK(!syscall(SYS_cachestat, fd, range, stat, 0));
	return stat[1];
}

/*
 * Spill the dirty pages of the cells, as background writeback does. Background
 * writeback may already have spilled the pages; then this call does nothing.
 */
void real_spill(struct node *n, unsigned long cell, unsigned long nr, int evict)
{
	off_t at = file_pos(cell * CELL), len = file_pos(nr * CELL);

	CHECK(!sync_file_range(n->fd, at, len, SYNC_FILE_RANGE_WRITE));
	CHECK(!dirty_pages(n->fd, at, len));
	if (!evict)
		return;
	CHECK(!madvise(n->map, map_size(), MADV_DONTNEED));
	CHECK(!posix_fadvise(n->fd, 0, 0, POSIX_FADV_DONTNEED));
}

void real_syncfs(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK(!syncfs(fd) && !close(fd));
}

/*
 * Set or remove the pressure. Under pressure the flusher may spill at any time.
 * It must spill until fewer than PRESSURE_PAGES pages are dirty.
 */
void real_pressure(struct node *n, int on)
{
	unsigned int i;

	if (on) {
		put_text("/proc/sys/vm/dirty_background_bytes", "65536");
		put_text("/proc/sys/vm/dirty_bytes", "131072");
		return;
	}
	for (i = 0; dirty_pages(n->fd, 0, 0) >= PRESSURE_PAGES; i++) {
		CHECK(i < 6000);
		usleep(10000);
	}
	/* As in scripts/host/guest/explore-work. */
	put_text("/proc/sys/vm/dirty_ratio", "80");
	put_text("/proc/sys/vm/dirty_background_ratio", "60");
}

/* ---- other operations ---- */

void real_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK(!fsync(fd));
	CHECK(!close(fd));
}

void real_checkpoint(void)
{
	put_setting("checkpoint", "1");
}

void real_drop(void)
{
	put_text("/proc/sys/vm/drop_caches", "3");
}

void real_ballast(struct node *n, unsigned long left)
{
	struct statvfs st;

	CHECK(!fstatvfs(n->fd, &st));
	CHECK(!fallocate(n->fd, FALLOC_FL_KEEP_SIZE, 0, (st.f_bfree - left) * BLOCK));
}
