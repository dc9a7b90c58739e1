// SPDX-License-Identifier: GPL-2.0
/*
 * This file describes the content of the current directory in terms of the
 * model. It finds the operation that wrote each sector of each file.
 */
#include "explore.h"

#include <dirent.h>
#include <linux/msyncfs.h>
#include <sys/ioctl.h>

static uint32_t unspread(uint32_t x)
{
	return (x & 0x7f) | (x >> 1 & 0x3f80) | (x >> 2 & 0x1fc000) |
	       (x >> 3 & 0xfe00000);
}

static _Noreturn void damaged(const char *path, unsigned long cell, const char *why)
{
	printf("%s: sector %lu %s\n", path, cell, why);
	exit(1);
}

/*
 * Fill @c from the @bytes bytes of a sector: the operation that wrote the
 * bytes, and the number of bytes that it wrote.
 */
static void read_cell(struct cell *c, const char *path, unsigned long index,
		      const unsigned char *buf, unsigned int bytes)
{
	static const unsigned char zeros[CELL];
	unsigned char want[CELL];
	unsigned int i = 0;

	if (!memcmp(buf, zeros, bytes))
		return;
	memcpy(want, buf, 8);
	c->stamp = unspread(*(uint32_t *)want);
	cell_fill(want, c->stamp, index);
	if (!memcmp(buf, want, bytes)) {
		i = bytes;
	} else {
		while (i < bytes && buf[i] == want[i])
			i++;
		if (i < 8)
			damaged(path, index, "holds what was never written there");
		if (memcmp(buf + i, zeros, bytes - i))
			damaged(path, index, "is damaged");
	}
	c->len = i;
}

static void read_cells(struct node *n, const char *path, unsigned long cell,
		       const unsigned char *buf, unsigned long bytes)
{
	unsigned long i;

	for (i = 0; i < bytes; i += CELL, cell++)
		read_cell(&n->cell[cell], path, cell, buf + i,
			  bytes - i < CELL ? bytes - i : CELL);
}

/*
 * Read a file of a workload with a gap. Only the pages that the model uses may
 * have data.
 */
static void read_scattered(struct node *n, const char *path, int fd)
{
	static unsigned char buf[PAGE];
	uint64_t page;
	off_t at = 0;
	ssize_t got;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		page = at / PAGE;
		if (page % model_gap)
			damaged(path, page * PAGE_CELLS, "is in a page that is not used");
		got = pread(fd, buf, PAGE, at);
		CHECK(got > 0);
		read_cells(n, path, page / model_gap * PAGE_CELLS, buf, got);
		at += PAGE;
	}
	CHECK(errno == ENXIO);
}

static void read_file(struct node *n, const char *path)
{
	static unsigned char buf[128 * CELL];
	unsigned long cell = 0;
	int fd = open(path, O_RDONLY);
	ssize_t got;

	CHECK(fd >= 0);
	if (ioctl(fd, MSYNCFS_IOC_GET_ATOMIC, &n->atomic))
		n->atomic = 0;		/* the filesystem is not msyncfs */
	n->size = model_size(fstat_of(fd).st_size);
	CHECK(n->size <= MAX_CELLS * CELL);
	node_room(n, (n->size + CELL - 1) / CELL);
	if (model_gap > 1) {
		read_scattered(n, path, fd);
		CHECK(!close(fd));
		return;
	}
	while ((got = read(fd, buf, sizeof(buf))) > 0) {
		read_cells(n, path, cell, buf, got);
		cell += (got + CELL - 1) / CELL;
	}
	CHECK(!got);
	CHECK(cell == (n->size + CELL - 1) / CELL);
	CHECK(!close(fd));
}

static void read_dir(struct tree *t, const char *dir)
{
	DIR *d = opendir(*dir ? dir : ".");
	struct dirent *de;
	struct stat st;
	struct node *n;
	char path[300];

	CHECK(d);
	while ((de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, "..") ||
		    !strcmp(de->d_name, "lost+found"))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "", de->d_name);
		st = stat_of(path);
		n = node_new(S_ISDIR(st.st_mode));
		tree_add(t, path, n);
		if (n->dir) {
			read_dir(t, path);
			continue;
		}
		n->nlink = st.st_nlink;
		read_file(n, path);
	}
	CHECK(!closedir(d));
}

/*
 * Read the current directory into @t. Exit if the content of a sector does not
 * come from the model.
 */
void found_read(struct tree *t)
{
	t->nr = 0;
	read_dir(t, "");
}
