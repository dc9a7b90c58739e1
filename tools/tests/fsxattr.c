// SPDX-License-Identifier: GPL-2.0
/*
 * This program checks what other programs expect of extended attributes and of
 * ACLs. It has no expectation that ext4 does not fulfil.
 *
 * Usage: fsxattr DIR [TEST]
 */
#include "check.h"

#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define MAX	65536	/* longest value */

static char data[MAX + 1], buf[MAX + 1];

/* Fill @data. Each kind and position gives another byte. */
static void fill(int kind)
{
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = kind + i + i / 251;
}

static void set(const char *path, const char *name, size_t len, int kind)
{
	fill(kind);
	CHECK(!lsetxattr(path, name, data, len, 0));
}

/* Fail unless the attribute has the value that set() has given it. */
static void has(const char *path, const char *name, size_t len, int kind)
{
	fill(kind);
	SAME(lgetxattr(path, name, NULL, 0), len);
	memset(buf, 0, sizeof(buf));
	SAME(lgetxattr(path, name, buf, len ? len : 1), len);
	CHECK(!memcmp(buf, data, len));
}

static void lacks(const char *path, const char *name)
{
	FAILS(lgetxattr(path, name, buf, MAX), ENODATA);
}

static int listed(const char *path, const char *name)
{
	ssize_t len = llistxattr(path, buf, MAX), at;

	CHECK(len >= 0);
	SAME(llistxattr(path, NULL, 0), len);
	for (at = 0; at < len; at += strlen(buf + at) + 1)
		if (!strcmp(buf + at, name))
			return 1;
	return 0;
}

static const unsigned int lengths[] = {
	0, 1, 7, 8, 9, 200, 280, 511, 512, 513, 4031, 4032, 4033, 8064, 8065, 20000,
	MAX - 1, MAX,
};

static void test_values(void)
{
	static const char * const names[] = { "user.a", "trusted.b", "security.c" };
	unsigned long long before, blocks;
	unsigned int i, n;

	put_file("f", "text");
	blocks = stat_of("f").st_blocks;
	before = free_blocks();
	for (n = 0; n < ARRAY_SIZE(names); n++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			set("f", names[n], lengths[i], i);
			has("f", names[n], lengths[i], i);
			CHECK(listed("f", names[n]));
		}
		for (; i-- > 0;) {
			set("f", names[n], lengths[i], i + 3);
			has("f", names[n], lengths[i], i + 3);
		}
		set("f", names[n], MAX, 9);
		SAME(stat_of("f").st_blocks, blocks + 17 * 8);
		CHECK(!removexattr("f", names[n]));
		lacks("f", names[n]);
		CHECK(!listed("f", names[n]));
		SAME(stat_of("f").st_blocks, blocks);
	}
	CHECK(has_text("f", "text"));
	SAME(free_blocks(), before);
	set("f", "user.last", MAX, 1);
	set("f", "user.more", 300, 1);
	CHECK(!unlink("f"));
	SAME(free_blocks(), before + 2);
}

static void test_flags(void)
{
	put_file("f", "text");
	FAILS(setxattr("f", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
	CHECK(!setxattr("f", "user.a", "1", 1, XATTR_CREATE));
	FAILS(setxattr("f", "user.a", "2", 1, XATTR_CREATE), EEXIST);
	SAME(getxattr("f", "user.a", buf, 9), 1);
	CHECK(*buf == '1');
	CHECK(!setxattr("f", "user.a", "3", 1, XATTR_REPLACE));
	SAME(getxattr("f", "user.a", buf, 9), 1);
	CHECK(*buf == '3');
	FAILS(removexattr("f", "user.b"), ENODATA);
	CHECK(!removexattr("f", "user.a"));
	FAILS(removexattr("f", "user.a"), ENODATA);
}

static void test_limits(void)
{
	char name[300] = "user.";
	unsigned int nr, i;
	ssize_t len;

	put_file("f", "text");
	FAILS(setxattr("f", "user.a", data, MAX + 1, 0), E2BIG);
	FAILS(setxattr("f", "user.", data, 1, 0), EINVAL);
	memset(name + 5, 'n', 250);
	set("f", name, 10, 1);
	has("f", name, 10, 1);
	CHECK(listed("f", name));
	name[255] = 'n';
	FAILS(setxattr("f", name, data, 1, 0), ERANGE);
	name[255] = 0;
	FAILS(getxattr("f", name, buf, 9), ERANGE);
	FAILS(listxattr("f", buf, 255), ERANGE);
	SAME(listxattr("f", buf, 256), 256);
	CHECK(!removexattr("f", name));

	/* Until there is no room. */
	for (nr = 0; ; nr++) {
		snprintf(name, sizeof(name), "user.%u", nr);
		fill(nr);
		if (setxattr("f", name, data, 100, 0))
			break;
	}
	SAME(errno, ENOSPC);
	CHECK(nr >= 30);
	lacks("f", name);
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		has("f", name, 100, i);
	}
	len = listxattr("f", buf, MAX);
	for (i = 0; len > 0; len -= strlen(buf + i) + 1, i += strlen(buf + i) + 1)
		nr--;
	SAME(nr, 0);
	/* An attribute that does not fit changes nothing. */
	FAILS(setxattr("f", "user.7", data, 512, 0), ENOSPC);
	has("f", "user.7", 100, 7);
	CHECK(!removexattr("f", "user.9"));
	set("f", "user.10", 200, 5);
	has("f", "user.10", 200, 5);
}

static void test_types(void)
{
	CHECK(!mkdir("d", 0755));
	CHECK(!symlink("nowhere", "l"));
	CHECK(!mkfifo("p", 0644));
	CHECK(!mknod("n", S_IFCHR | 0644, 0x103));
	set("d", "user.x", 3000, 1);
	has("d", "user.x", 3000, 1);
	FAILS(lsetxattr("l", "user.x", data, 1, 0), EPERM);
	FAILS(lsetxattr("p", "user.x", data, 1, 0), EPERM);
	set("l", "trusted.x", 5000, 2);
	set("p", "trusted.x", 5000, 3);
	set("n", "security.x", 50, 4);
	has("l", "trusted.x", 5000, 2);
	has("p", "trusted.x", 5000, 3);
	has("n", "security.x", 50, 4);
	SAME(readlink("l", buf, MAX), 7);
	CHECK(!unlink("l") && !unlink("p") && !unlink("n") && !rmdir("d"));
}

/* Run @fn as user @uid. */
static void as_user(uid_t uid, void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		CHECK(!setgid(uid) && !setuid(uid));
		fn();
		exit(0);
	}
	SAME(waitpid(pid, &status, 0), pid);
	SAME(status, 0);
}

static void user_sees(void)
{
	CHECK(listed("f", "user.a"));
	CHECK(listed("f", "security.a"));
	CHECK(!listed("f", "trusted.a"));
	FAILS(getxattr("f", "trusted.a", buf, MAX), ENODATA);
	FAILS(setxattr("f", "trusted.a", data, 1, 0), EPERM);
	FAILS(setxattr("f", "security.a", data, 1, 0), EPERM);
	FAILS(setxattr("f", "user.a", data, 1, 0), EACCES);
}

static void test_users(void)
{
	put_file("f", "text");
	set("f", "user.a", 10, 1);
	set("f", "trusted.a", 10, 1);
	set("f", "security.a", 10, 1);
	CHECK(listed("f", "trusted.a"));
	as_user(1000, user_sees);
}

static void test_times(void)
{
	struct stat before, after;
	int fd, flags = FS_IMMUTABLE_FL;

	put_file("f", "text");
	before = stat_of("f");
	usleep(20000);		/* the clock of the kernel has a grain */
	set("f", "user.a", 10, 1);
	after = stat_of("f");
	CHECK(after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
	      after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
	CHECK(!memcmp(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim)));
	fd = open("f", O_RDONLY);
	CHECK(fd >= 0 && !ioctl(fd, FS_IOC_SETFLAGS, &flags));
	FAILS(setxattr("f", "user.a", data, 1, 0), EPERM);
	FAILS(removexattr("f", "user.a"), EPERM);
	flags = FS_SYNC_FL;
	CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &flags) && !close(fd));
	set("f", "user.a", 5000, 2);
	has("f", "user.a", 5000, 2);
}

/* A write by a user takes away the capabilities of a file. */
static void test_capability(void)
{
	/* cap_net_raw, in the format of linux/capability.h */
	static const unsigned char cap[] = {
		1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	int fd = make_file("f", "text");

	CHECK(!fsetxattr(fd, "security.capability", cap, sizeof(cap), 0));
	SAME(fgetxattr(fd, "security.capability", buf, MAX), sizeof(cap));
	CHECK(pwrite(fd, "x", 1, 0) == 1);
	FAILS(fgetxattr(fd, "security.capability", buf, MAX), ENODATA);
	CHECK(pwrite(fd, "x", 1, 0) == 1);
	CHECK(!fsetxattr(fd, "security.capability", cap, sizeof(cap), 0));
	CHECK(!ftruncate(fd, 1));
	FAILS(fgetxattr(fd, "security.capability", buf, MAX), ENODATA);
	CHECK(!fsetxattr(fd, "security.capability", cap, sizeof(cap), 0));
	CHECK(!fchown(fd, 1, 1));
	FAILS(fgetxattr(fd, "security.capability", buf, MAX), ENODATA);
	CHECK(!close(fd));
}

/* ---- ACLs ---- */

struct ace {
	uint16_t	tag, perm;
	uint32_t	id;
};

#define NOBODY	ACL_UNDEFINED_ID

static void set_acl(const char *path, const char *name, const struct ace *e, size_t nr)
{
	*(uint32_t *)buf = POSIX_ACL_XATTR_VERSION;
	memcpy(buf + 4, e, nr * sizeof(*e));
	CHECK(!setxattr(path, name, buf, 4 + nr * sizeof(*e), 0));
}

static void has_acl(const char *path, const char *name, const struct ace *e, size_t nr)
{
	SAME(getxattr(path, name, buf, MAX), 4 + nr * sizeof(*e));
	CHECK(!memcmp(buf + 4, e, nr * sizeof(*e)));
}

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"

static void test_acl_access(void)
{
	struct ace acl[] = {
		{ ACL_USER_OBJ, 6, NOBODY }, { ACL_USER, 4, 1000 }, { ACL_GROUP_OBJ, 4, NOBODY },
		{ ACL_GROUP, 6, 1001 }, { ACL_MASK, 6, NOBODY }, { ACL_OTHER, 0, NOBODY },
	};
	struct ace plain[] = {
		{ ACL_USER_OBJ, 7, NOBODY }, { ACL_GROUP_OBJ, 5, NOBODY }, { ACL_OTHER, 1, NOBODY },
	};

	put_file("f", "text");
	FAILS(getxattr("f", ACCESS, buf, MAX), ENODATA);
	set_acl("f", ACCESS, acl, ARRAY_SIZE(acl));
	has_acl("f", ACCESS, acl, ARRAY_SIZE(acl));
	SAME(stat_of("f").st_mode & 0777, 0660);
	CHECK(listed("f", ACCESS));
	CHECK(!chmod("f", 0444));	/* changes the owner, the mask and others */
	acl[0].perm = 4;
	acl[4].perm = 4;
	acl[5].perm = 4;
	has_acl("f", ACCESS, acl, ARRAY_SIZE(acl));
	set_acl("f", ACCESS, plain, ARRAY_SIZE(plain));
	SAME(stat_of("f").st_mode & 0777, 0751);
	FAILS(getxattr("f", ACCESS, buf, MAX), ENODATA);
	set_acl("f", ACCESS, acl, ARRAY_SIZE(acl));
	CHECK(!removexattr("f", ACCESS));
	FAILS(getxattr("f", ACCESS, buf, MAX), ENODATA);
	CHECK(!listed("f", ACCESS));
	*(uint32_t *)buf = POSIX_ACL_XATTR_VERSION;
	memcpy(buf + 4, acl, sizeof(acl));
	FAILS(setxattr("f", DEFAULT, buf, 4 + sizeof(acl), 0), EACCES);
	acl[1].tag = 3;
	memcpy(buf + 4, acl, sizeof(acl));
	FAILS(setxattr("f", ACCESS, buf, 4 + sizeof(acl), 0), EINVAL);
}

/* New inodes inherit the default ACL of their directory. */
static void test_acl_default(void)
{
	struct ace acl[] = {
		{ ACL_USER_OBJ, 7, NOBODY }, { ACL_USER, 7, 1000 }, { ACL_GROUP_OBJ, 5, NOBODY },
		{ ACL_MASK, 7, NOBODY }, { ACL_OTHER, 5, NOBODY },
	};
	int fd;

	CHECK(!mkdir("d", 0755));
	set_acl("d", DEFAULT, acl, ARRAY_SIZE(acl));
	SAME(stat_of("d").st_mode & 0777, 0755);
	umask(077);	/* does not count in a directory with a default ACL */
	CHECK(!mkdir("d/sub", 0750));
	put_file("d/f", "text");
	CHECK(!mkfifo("d/p", 0666));
	CHECK(!symlink("f", "d/l"));
	fd = open("d", O_TMPFILE | O_RDWR, 0640);
	CHECK(fd >= 0);
	umask(022);
	has_acl("d/sub", DEFAULT, acl, ARRAY_SIZE(acl));
	acl[4].perm = 0;
	acl[3].perm = 5;
	has_acl("d/sub", ACCESS, acl, ARRAY_SIZE(acl));
	SAME(stat_of("d/sub").st_mode & 0777, 0750);
	acl[0].perm = 6;
	acl[3].perm = 4;
	acl[4].perm = 4;
	has_acl("d/f", ACCESS, acl, ARRAY_SIZE(acl));
	SAME(stat_of("d/f").st_mode & 0777, 0644);
	FAILS(getxattr("d/f", DEFAULT, buf, MAX), ENODATA);
	SAME(stat_of("d/p").st_mode & 0777, 0664);
	acl[4].perm = 0;
	SAME(fgetxattr(fd, ACCESS, buf, MAX), 4 + sizeof(acl));
	CHECK(!memcmp(buf + 4, acl, sizeof(acl)));
	CHECK(!close(fd));
	FAILS(lgetxattr("d/l", "trusted.x", buf, MAX), ENODATA);
}

static void user_uses(void)
{
	int fd = open("d/f", O_RDWR);

	CHECK(fd >= 0);
	CHECK(!close(fd));
	FAILS(open("d/g", O_RDONLY), EACCES);
	FAILS(access("e/f", F_OK), EACCES);
}

static void test_acl_used(void)
{
	struct ace acl[] = {
		{ ACL_USER_OBJ, 7, NOBODY }, { ACL_USER, 7, 1000 }, { ACL_GROUP_OBJ, 0, NOBODY },
		{ ACL_MASK, 7, NOBODY }, { ACL_OTHER, 0, NOBODY },
	};

	CHECK(!mkdir("d", 0700) && !mkdir("e", 0755));
	put_file("d/f", "text");
	put_file("d/g", "text");
	put_file("e/f", "text");
	set_acl("d", ACCESS, acl, ARRAY_SIZE(acl));
	set_acl("d/f", ACCESS, acl, ARRAY_SIZE(acl));
	acl[1].perm = 0;
	acl[4].perm = 7;
	set_acl("d/g", ACCESS, acl, ARRAY_SIZE(acl));
	set_acl("e", ACCESS, acl, ARRAY_SIZE(acl));
	as_user(1000, user_uses);
}

/* An ACL of 500 users needs a block of its own. */
static void test_acl_long(void)
{
	static struct ace acl[520] = { { ACL_USER_OBJ, 7, NOBODY } };
	size_t nr = 503;
	unsigned int i;

	put_file("f", "text");
	for (i = 1; i < ARRAY_SIZE(acl); i++)
		acl[i] = (struct ace){ ACL_USER, i % 8, 5000 + i };
	acl[nr - 3] = (struct ace){ ACL_GROUP_OBJ, 4, NOBODY };
	acl[nr - 2] = (struct ace){ ACL_MASK, 7, NOBODY };
	acl[nr - 1] = (struct ace){ ACL_OTHER, 4, NOBODY };
	set_acl("f", ACCESS, acl, nr);
	has_acl("f", ACCESS, acl, nr);
	SAME(stat_of("f").st_mode & 0777, 0774);
	CHECK(!chmod("f", 0700));
	acl[nr - 2].perm = 0;
	acl[nr - 1].perm = 0;
	has_acl("f", ACCESS, acl, nr);
}

static const struct test tests[] = {
	{ "values", test_values },
	{ "flags", test_flags },
	{ "limits", test_limits },
	{ "types", test_types },
	{ "users", test_users },
	{ "times", test_times },
	{ "capability", test_capability },
	{ "acl_access", test_acl_access },
	{ "acl_default", test_acl_default },
	{ "acl_used", test_acl_used },
	{ "acl_long", test_acl_long },
	{ }
};

int main(int argc, char **argv)
{
	return run_tests(argc, argv, tests);
}
