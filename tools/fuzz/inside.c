// SPDX-License-Identifier: GPL-2.0
/*
 * This file runs fsck.msyncfs in the process that calls it, on an image in memory. A new
 * process for each run would take longer than the run. The functions of device.h are here
 * instead of those in tools/lib/device.c.
 */
#include "fuzz.h"

#include "../lib/device.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH	100	/* seeds that one process does */

static struct image disk;
static bool read_only;
static jmp_buf back;
static int status;

/* ---- the device ---- */

/* Open the image. The name of the path does not matter. mkfs.msyncfs closes @dev->fd. */
int device_open(struct device *dev, const char *path, int flags)
{
	read_only = (flags & O_ACCMODE) == O_RDONLY;
	*dev = (struct device){ .path = path, .fd = read_only ? -1 : dup(0), .sector = 512,
				.bytes = disk.blocks * BLK };
	return 0;
}

static bool outside(size_t len, u64 pos)
{
	return pos > disk.blocks * BLK || len > disk.blocks * BLK - pos;
}

int device_read(const struct device *dev, void *buf, size_t len, u64 pos)
{
	(void)dev;
	if (outside(len, pos))
		return -EIO;
	memcpy(buf, disk.b + pos, len);
	return 0;
}

int device_write(const struct device *dev, const void *buf, size_t len, u64 pos)
{
	(void)dev;
	if (read_only)
		return -EBADF;
	if (outside(len, pos))
		return -EIO;
	memcpy(disk.b + pos, buf, len);
	return 0;
}

int device_zero(const struct device *dev, u64 pos, u64 len)
{
	(void)dev;
	if (read_only)
		return -EBADF;
	if (outside(len, pos))
		return -EIO;
	memset(disk.b + pos, 0, len);
	return 0;
}

u64 device_next_data(const struct device *dev, u64 pos)
{
	(void)dev;
	return pos;
}

int device_sync(const struct device *dev)
{
	(void)dev;
	return 0;
}

const char *device_holds(const struct device *dev)
{
	(void)dev;
	return NULL;
}

/* Let fsck.msyncfs or mkfs.msyncfs find this image. */
void device_is(const struct image *im)
{
	disk = *im;
}

/* ---- fsck ---- */

/* The build gives exit() this name in fsck.msyncfs. */
__noreturn void fsck_exit(int code);

__noreturn void fsck_exit(int code)
{
	status = code;
	longjmp(back, 1);
}

/**
 * fsck_image() - run fsck.msyncfs on an image in memory
 * @im: the image, which changes with the mode "-y"
 * @mode: "-n" or "-y"
 * @report: file that gets the output; its old content goes
 *
 * The memory of fsck stays allocated, see in_batches().
 *
 * Return: the exit status of fsck.
 */
int fsck_image(const struct image *im, char *mode, const char *report)
{
	char *argv[4] = { "fsck.msyncfs", mode, "image" };
	FILE *out = stdout, *err = stderr;
	static FILE *f;

	if (!f)
		f = fopen(report, "w");
	if (!f || ftruncate(fileno(f), 0))
		die("%s: %s", report, strerror(errno));
	rewind(f);
	stdout = f;
	stderr = f;
	device_is(im);
	optind = 0;
	if (!setjmp(back))
		status = fsck_main(3, argv);
	fflush(f);
	stdout = out;
	stderr = err;
	return status;
}

/**
 * in_batches() - do something with each seed
 * @first: first seed
 * @count: number of seeds
 * @one: is called with each seed, in a child process
 * @ended: is called with the seed and the status of a child that ended too early
 *
 * A child does many seeds, because fork() takes long. But it ends at some time, because fsck
 * does not free its memory.
 */
void in_batches(u64 first, u64 count, void (*one)(u64 seed), void (*ended)(u64 seed, int status))
{
	u64 *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int how;
	u64 end;
	pid_t pid;

	if (done == MAP_FAILED)
		die("out of memory");
	while (*done < count) {
		fflush(stdout);
		pid = fork();
		if (!pid) {
			for (end = *done + BATCH; *done < end && *done < count; ++*done)
				one(first + *done);
			fflush(stdout);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &how, 0) != pid)
			die("fork: %s", strerror(errno));
		if (how)
			ended(first + (*done)++, how);
	}
	munmap(done, sizeof(*done));
}
