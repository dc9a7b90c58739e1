// SPDX-License-Identifier: GPL-2.0
/*
 * This file has the workload "xattr". It makes files that inherit an ACL, removes them,
 * and sets and removes attributes of any length. Each step is one operation of msyncfs.
 * So after a power failure the files must be as after one of the steps, which is not
 * before the last acknowledged step.
 */
#include "explore.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define FILES	6
#define NAMES	8
#define STEPS	260
#define MAX_LEN	65536

/**
 * struct world - the attributes of all files
 * @there: the file exists
 * @stamp: the step that has set the attribute; 0 means that there is none
 * @len: length of the attribute
 */
struct world {
	struct {
		unsigned int	there;
		unsigned int	stamp[NAMES];
		unsigned int	len[NAMES];
	} file[FILES];
};

static char buf[MAX_LEN], want[MAX_LEN];

static void fill(char *to, unsigned int stamp, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		to[i] = stamp + i / 509 + (i % 2 ? stamp >> 8 : 0);
}

static void path_of(char *path, unsigned int file)
{
	sprintf(path, "d/%u", file);
}

static void name_of(char *name, unsigned int n)
{
	static const char * const prefixes[] = { "user", "trusted", "security" };

	sprintf(name, "%s.name%u", prefixes[n % 3], n);
}

static void sync_path(const char *path)
{
	int fd = open(path, O_RDONLY);

	CHECK(fd >= 0 && !fsync(fd) && !close(fd));
}

/* Make or remove a file. */
static void step_file(struct world *w, unsigned int f, int real)
{
	char path[16];

	path_of(path, f);
	if (real && w->file[f].there) {
		CHECK(!unlink(path));
	} else if (real) {
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0666);

		CHECK(fd >= 0 && !close(fd));
	}
	w->file[f].there = !w->file[f].there;
	memset(w->file[f].stamp, 0, sizeof(w->file[f].stamp));
}

/* Make step @s in @w, and if @real is set, in the filesystem. */
static void step(struct world *w, unsigned int s, int real)
{
	static const unsigned int lens[] = {
		0, 10, 100, 300, 513, 4032, 9000, 30000, MAX_LEN,
	};
	struct choice c = choice_of(s);
	unsigned int f = choose(&c, FILES), n = choose(&c, NAMES);
	unsigned int what = choose(&c, 12), len = lens[choose(&c, ARRAY_SIZE(lens))];
	char path[16], name[24];

	if (!w->file[f].there || !what) {
		step_file(w, f, real);
	} else {
		path_of(path, f);
		name_of(name, n);
		if (what < 4 && w->file[f].stamp[n]) {
			CHECK(!real || !removexattr(path, name));
			w->file[f].stamp[n] = 0;
		} else {
			fill(buf, s, len);
			CHECK(!real || !setxattr(path, name, buf, len, 0));
			w->file[f].stamp[n] = s;
			w->file[f].len[n] = len;
		}
	}
	if (!real || choose(&c, 3))
		return;
	path_of(path, f);
	/* A sync of what the step has not changed would acknowledge nothing. */
	sync_path(w->file[f].there ? path : "d");
	snprintf(name, sizeof(name), "%u", s);
	ack(name);
}

/**
 * attrs_work - run the workload in the current directory
 */
void attrs_work(void)
{
	static const unsigned short acl[] = {
		POSIX_ACL_XATTR_VERSION, 0, ACL_USER_OBJ, 7, ~0, ~0, ACL_USER, 7, 1000, 0,
		ACL_GROUP_OBJ, 5, ~0, ~0, ACL_MASK, 7, ~0, ~0, ACL_OTHER, 0, ~0, ~0,
	};
	static struct world w;
	unsigned int s;

	CHECK(!mkdir("d", 0755));
	CHECK(!setxattr("d", "system.posix_acl_default", acl, sizeof(acl), 0));
	sync_path("d");
	sync_path(".");
	ack("0");
	for (s = 1; s <= STEPS; s++)
		step(&w, s, 1);
}

/* Tell whether attribute @n of file @f is as in @w. */
static int same_attr(const struct world *w, unsigned int f, unsigned int n)
{
	unsigned int stamp = w->file[f].stamp[n], len = w->file[f].len[n];
	char path[16], name[24];
	ssize_t got;

	path_of(path, f);
	name_of(name, n);
	got = getxattr(path, name, buf, sizeof(buf));
	if (!stamp) {
		CHECK(got >= 0 || errno == ENODATA);
		return got < 0;
	}
	CHECK(got >= 0 || errno == ENODATA);
	fill(want, stamp, len);
	return got == (ssize_t)len && !memcmp(buf, want, len);
}

static int same(const struct world *w)
{
	unsigned int f, n;
	char path[16];

	for (f = 0; f < FILES; f++) {
		path_of(path, f);
		if ((access(path, F_OK) == 0) != w->file[f].there)
			return 0;
		for (n = 0; w->file[f].there && n < NAMES; n++)
			if (!same_attr(w, f, n))
				return 0;
	}
	return 1;
}

/**
 * attrs_check - check the attributes of the files in the current directory
 * @acked: text of the last acknowledgment, the number of a step
 */
void attrs_check(const char *acked)
{
	unsigned int first = strtoul(acked, NULL, 10), s, f;
	static struct world w;
	char path[16];
	int found = 0;

	for (s = 0; s <= STEPS && !found; s++) {
		if (s)
			step(&w, s, 0);
		found = s >= first && same(&w);
	}
	if (!found) {
		fprintf(stderr, "the attributes are those of no step from %u on\n", first);
		exit(1);
	}
	/* A file has its ACL from its first moment on. */
	for (f = 0; f < FILES; f++) {
		path_of(path, f);
		if (!access(path, F_OK))
			CHECK(getxattr(path, "system.posix_acl_access", buf, sizeof(buf)) == 44);
	}
}
