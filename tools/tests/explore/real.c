// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of the model on the real filesystem, in the current directory.
 */
#include "explore.h"

#include <linux/msyncfs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

static int may_be_over;		/* the device has failed */

void real_open(struct node *n, const char *path, int create)
{
	n->fd = open(path, O_RDWR | (create ? O_CREAT | O_EXCL : 0), 0644);
	CHECK(n->fd >= 0);
	n->map = mmap(NULL, MAX_CELLS * CELL, PROT_READ | PROT_WRITE, MAP_SHARED,
		      n->fd, 0);
	CHECK(n->map != MAP_FAILED);
}

void real_close(struct node *n)
{
	if (n->fd < 0)
		return;
	CHECK(!munmap(n->map, MAX_CELLS * CELL));
	CHECK(!close(n->fd));
	n->fd = -1;
}

static void fill(char *buf, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		cell_fill(buf + i * CELL, stamp, cell + i);
}

void real_write(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	static char buf[MAX_CELLS * CELL];

	fill(buf, cell, nr, stamp);
	CHECK(pwrite(n->fd, buf, nr * CELL, cell * CELL) == (ssize_t)(nr * CELL));
}

void real_store(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	fill(n->map + cell * CELL, cell, nr, stamp);
}

void real_direct(struct node *n, unsigned long cell, unsigned long nr, uint32_t stamp)
{
	static char buf[64 * PAGE] __attribute__((aligned(4096)));
	int flags = fcntl(n->fd, F_GETFL);

	CHECK(nr * CELL <= sizeof(buf));
	fill(buf, cell, nr, stamp);
	CHECK(!fcntl(n->fd, F_SETFL, flags | O_DIRECT));
	CHECK(pwrite(n->fd, buf, nr * CELL, cell * CELL) == (ssize_t)(nr * CELL));
	CHECK(!fcntl(n->fd, F_SETFL, flags));
}

/*
 * While the device failed, a commit in the background may have been the second
 * that did, which is final: the workload ends then, and what it promised holds.
 */
void real_msync(struct node *n, unsigned long cell, unsigned long nr)
{
	int err = msync(n->map + cell * CELL, nr * CELL, MS_SYNC);

	if (err && may_be_over)
		exit(0);
	CHECK(!err);
}

/* msync(2) with all that its flags promise. */
void real_msync_flags(struct node *n, unsigned long cell, unsigned long nr, int flags)
{
	struct msyncfs_msync arg = {
		.addr = (unsigned long)n->map + cell * CELL,
		.len = nr * CELL,
		.flags = flags,
	};

	CHECK(!ioctl(n->fd, MSYNCFS_IOC_MSYNC, &arg));
}

static void over(int sig)
{
	(void)sig;
	_exit(0);
}

void real_fail_sync(struct node *n)
{
	may_be_over = 1;
	signal(SIGBUS, over);
	device_fails(1);
	FAILS(msync(n->map, n->vsize, MS_SYNC), EIO);
	device_fails(0);
}

void real_punch(struct node *n, unsigned long cell, unsigned long nr)
{
	CHECK(!fallocate(n->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 cell * CELL, nr * CELL));
}

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
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0);
	CHECK(write(fd, "3", 1) == 1);
	CHECK(!close(fd));
}

void real_ballast(struct node *n, unsigned long left)
{
	struct statvfs st;

	CHECK(!fstatvfs(n->fd, &st));
	CHECK(!fallocate(n->fd, FALLOC_FL_KEEP_SIZE, 0, (st.f_bfree - left) * BLOCK));
}
