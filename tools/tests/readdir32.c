// SPDX-License-Identifier: GPL-2.0
/*
 * List a directory with the system calls of a 32-bit program. This program has
 * 64 bits, and makes the calls with int 0x80. All positions must fit in 31 bits,
 * each name must be listed once, and a seek to a position must find the names
 * after it.
 *
 * Usage: readdir32 DIR		DIR is empty; the program makes and removes files
 *
 * Exit status 77: the kernel or the machine has no 32-bit system calls.
 */
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILES	1000
#define ALL	(FILES + 2)	/* with "." and ".." */

#ifdef __x86_64__
enum { LLSEEK = 140, GETDENTS64 = 220 };

static long call32(long nr, long a, long b, long c, long d, long e)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

struct dirent32 {
	uint64_t	ino;
	int64_t		off;
	uint16_t	reclen;
	uint8_t		type;
	char		name[];
};

static char *buf;		/* below 4 GiB */
static int64_t after[ALL];	/* position after each name */
static char names[ALL][16];

static void seek_to(int fd, int64_t pos)
{
	CHECK(!call32(LLSEEK, fd, pos >> 32, (int32_t)pos, (long)buf, SEEK_SET));
}

/*
 * List the rest of the directory, @size bytes at a time. Return the number of
 * names. Store them from number @nr on.
 */
static int list(int fd, int size, int nr)
{
	long len, at;

	while ((len = call32(GETDENTS64, fd, (long)buf, size, 0, 0)) > 0) {
		for (at = 0; at < len; nr++) {
			struct dirent32 *de = (void *)(buf + at);

			CHECK(nr < ALL);
			CHECK(de->off >= 0 && de->off <= INT32_MAX);
			snprintf(names[nr], sizeof(names[nr]), "%s", de->name);
			after[nr] = de->off;
			at += de->reclen;
		}
	}
	CHECK(!len);
	return nr;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int main(int argc, char **argv)
{
	char want[ALL][16], name[32];
	int fd, i;

	CHECK(argc == 2 && !chdir(argv[1]));
	for (i = 0; i < FILES; i++) {
		sprintf(name, "%d", i);
		CHECK(!mknod(name, S_IFREG | 0600, 0));
	}
	buf = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(buf != MAP_FAILED);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	if (call32(LLSEEK, fd, 0, 0, (long)buf, SEEK_SET))
		return 77;

	CHECK(list(fd, 300, 0) == ALL);
	for (i = 0; i < ALL; i += 37) {
		seek_to(fd, after[i]);
		CHECK(list(fd, 65536, i + 1) == ALL);
	}
	memcpy(want, names, sizeof(want));
	qsort(want, ALL, sizeof(want[0]), by_name);
	for (i = 1; i < ALL; i++)
		CHECK(strcmp(want[i - 1], want[i]));
	for (i = 0; i < FILES; i++) {
		sprintf(name, "%d", i);
		CHECK(!unlink(name));
	}
	return 0;
}
#else
int main(void)
{
	return 77;
}
#endif
