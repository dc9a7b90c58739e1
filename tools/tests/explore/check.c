// SPDX-License-Identifier: GPL-2.0
/*
 * This file puts a state on a device in memory, mounts the device, and checks
 * its content. The checks do not execute other programs. The code of fsck is
 * linked into this program, and each check runs in a child. So a check may exit
 * at its first error.
 */
#include "explore.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

/* fsck.msyncfs.c is linked into this program, and its main() has this name. */
int fsck_main(int argc, char **argv);

#define CHUNK	(64UL << 10)

/**
 * struct checker - a device on which states are checked
 * @dev: path of the device; its old content is lost
 * @mnt: directory on which the device is mounted
 * @seed: seed of the workloads
 * @buf: buffer for the part of a state that is written next
 * @written: the filesystem had room for the file of child_write(); memory that
 *	this process shares with its children
 */
struct checker {
	const char	*dev, *mnt;
	uint64_t	seed;
	unsigned char	*buf;
	int		*written;
};

static char why[512];

struct checker *checker_new(const char *dev, const char *mnt, uint64_t seed)
{
	struct checker *ck = calloc(1, sizeof(*ck));

	CHECK(ck);
	ck->dev = dev;
	ck->mnt = mnt;
	ck->seed = seed;
	ck->buf = aligned_alloc(PAGE, CHUNK);
	CHECK(ck->buf);
	ck->written = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	CHECK(ck->written != MAP_FAILED);
	return ck;
}

/* ---- the device ---- */

/*
 * Build a block of the state from its sectors. Return false if all are zeros.
 */
static int make_block(unsigned char *block, const unsigned char * const *src)
{
	unsigned int i, any = 0;

	for (i = 0; i < BLOCK / SECTOR; i++)
		any |= !!src[i];
	if (!any)
		return 0;
	for (i = 0; i < BLOCK / SECTOR; i++, block += SECTOR) {
		if (src[i])
			memcpy(block, src[i], SECTOR);
		else
			memset(block, 0, SECTOR);
	}
	return 1;
}

static void put_run(struct checker *ck, int fd, off_t at, size_t len)
{
	if (len)
		CHECK(pwrite(fd, ck->buf, len, at) == (ssize_t)len);
}

/**
 * checker_put - put a state on the device
 * @ck: checker
 * @st: state
 *
 * The device is a disk in memory. Discarded sectors read as zeros.
 */
static void checker_put(struct checker *ck, const struct state *st)
{
	uint64_t all[2] = { 0, FS_SECTORS * SECTOR };
	int fd = open(ck->dev, O_RDWR | O_DIRECT);
	off_t at = 0, end = all[1];
	size_t len = 0;

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, BLKDISCARD, all));
	CHECK(pread(fd, ck->buf, CHUNK, 0) == (ssize_t)CHUNK);
	CHECK(!*ck->buf && !memcmp(ck->buf, ck->buf + 1, CHUNK - 1));
	for (; at < end; at += BLOCK) {
		if (len < CHUNK && make_block(ck->buf + len, st->src + at / SECTOR)) {
			len += BLOCK;
			continue;
		}
		put_run(ck, fd, at - len, len);
		len = 0;
		if (make_block(ck->buf, st->src + at / SECTOR))
			len = BLOCK;
	}
	put_run(ck, fd, at - len, len);
	CHECK(!close(fd));
}

/* ---- children that look at the state ---- */

static void keep_last_line(char *text)
{
	size_t n = strlen(text);
	char *line;

	while (n && text[n - 1] == '\n')
		text[--n] = 0;
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line + 1) + 1);
}

/*
 * Run @fn in a child. Return NULL if the child exits with 0, otherwise the last
 * message of the child.
 */
static const char *in_child(const char *what, void (*fn)(struct checker *, const void *),
			    struct checker *ck, const void *arg)
{
	static char text[8192];
	size_t len = 0;
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	CHECK(!pipe(pipes));
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(dup2(pipes[1], 1) == 1 && dup2(pipes[1], 2) == 2);
		close(pipes[0]);
		close(pipes[1]);
		fn(ck, arg);
		exit(0);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], text + len, sizeof(text) - 1 - len)) > 0) {
		len += n;
		if (len > sizeof(text) / 2) {
			memmove(text, text + len - 1024, 1024);
			len = 1024;
		}
	}
	text[len] = 0;
	close(pipes[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!status)
		return NULL;
	keep_last_line(text);
	snprintf(why, sizeof(why), "%s: %.400s", what, *text ? text : "died");
	return why;
}

static void child_fsck(struct checker *ck, const void *arg)
{
	char *argv[4];

	(void)arg;
	argv[0] = "fsck";
	argv[1] = "-n";
	argv[2] = (char *)ck->dev;
	argv[3] = NULL;
	optind = 1;
	exit(fsck_main(3, argv));
}

struct question {
	const char *load, *acked;
};

static void child_oracle(struct checker *ck, const void *arg)
{
	const struct question *q = arg;
	const struct load *load = load_find(q->load);

	CHECK(load);
	CHECK(!chdir(ck->mnt));
	if (load->databases)
		databases_check(load->name, q->acked);
	else if (load->check)
		load->check(q->acked);
	else if (!load->run)
		threads_check(q->acked);
	else
		model_check(load, ck->seed, strtoul(q->acked, NULL, 10));
}

/* ---- writes after recovery ---- */

#define NEW_FILE	"written-after-recovery"
#define NEW_PAGES	40	/* too many for a copied set of a small log */

/* Fill page @page with the content of store round @pass. */
static void new_page(unsigned char *buf, unsigned int page, unsigned int pass)
{
	unsigned int i;

	for (i = 0; i < PAGE / CELL; i++)
		cell_fill(buf + i * CELL, 1 + page * 8 + pass, i);
}

/*
 * Store to the whole file. Its pages are too many for a copied set, so they go
 * to fresh blocks. Then store to a part of the file, so that the log gets
 * images.
 */
static void child_write(struct checker *ck, const void *arg)
{
	unsigned char *map;
	unsigned int i;
	int fd, err;

	(void)arg;
	CHECK(!chdir(ck->mnt));
	fd = open(NEW_FILE, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0 && errno == ENOSPC)
		return;
	CHECK(fd >= 0);
	err = posix_fallocate(fd, 0, NEW_PAGES * PAGE);
	if (err == ENOSPC) {
		CHECK(!unlink(NEW_FILE));
		return;
	}
	CHECK(!err);
	map = mmap(NULL, NEW_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (i = 0; i < NEW_PAGES; i++)
		new_page(map + i * PAGE, i, 0);
	CHECK(!msync(map, NEW_PAGES * PAGE, MS_SYNC));
	for (i = 0; i < NEW_PAGES; i += 8)
		new_page(map + i * PAGE, i, 1);
	CHECK(!msync(map, NEW_PAGES * PAGE, MS_SYNC));
	real_sync_dir(".");
	*ck->written = 1;
}

/*
 * Compare the file with the stores of child_write(). Then remove the file, so
 * that the oracle finds only the files of the workload.
 */
static void child_compare(struct checker *ck, const void *arg)
{
	unsigned char want[PAGE], have[PAGE];
	unsigned int i;
	int fd;

	(void)arg;
	CHECK(!chdir(ck->mnt));
	fd = open(NEW_FILE, O_RDONLY);
	CHECK(fd >= 0 && lseek(fd, 0, SEEK_END) == (off_t)(NEW_PAGES * PAGE));
	for (i = 0; i < NEW_PAGES; i++) {
		new_page(want, i, !(i % 8));
		CHECK(pread(fd, have, PAGE, i * PAGE) == (ssize_t)PAGE);
		CHECK(!memcmp(want, have, PAGE));
	}
	CHECK(!close(fd) && !unlink(NEW_FILE));
	real_sync_dir(".");
}

/* ---- mounting the state ---- */

/* Return the last message of the kernel, without time and level. */
static const char *kernel_says(void)
{
	static char log[4096];
	int n = klogctl(3, log, sizeof(log) - 1);
	char *text;

	log[n > 0 ? n : 0] = 0;
	keep_last_line(log);
	text = strstr(log, "] ");
	return text ? text + 2 : log;
}

static const char *check_mount(struct checker *ck, const char *fs)
{
	if (!mount(ck->dev, ck->mnt, fs, 0, NULL))
		return NULL;
	snprintf(why, sizeof(why), "mount: %s: %.400s", strerror(errno), kernel_says());
	return why;
}

/* Unmount. Return @bad, or the error of the unmount if it fails. */
static const char *check_umount(struct checker *ck, const char *bad)
{
	if (!umount(ck->mnt))
		return bad;
	snprintf(why, sizeof(why), "umount: %s", strerror(errno));
	return why;
}

/* ---- variants ---- */

/*
 * Return the filesystem of a variant. A variant "@FS" uses the filesystem FS
 * instead of msyncfs.
 */
const char *variant_fs(const char *variant)
{
	return *variant == '@' ? variant + 1 : "msyncfs";
}

/* Make the module break the rule RULE if the variant is "!RULE". */
void break_rule(const char *variant)
{
	static const char path[] = "/sys/module/msyncfs/parameters/broken";

	/* The parameter exists only in a test build of the module. */
	if (*variant == '!' || !access(path, W_OK))
		put_text(path, *variant == '!' ? variant + 1 : "none");
}

/**
 * check_device - check if the device has the content that it must have
 * @ck: checker
 * @load: workload
 * @variant: variant of the workload
 * @acked: text of the last acknowledgment
 * @also: flags; with CHECK_BEFORE, fsck replays the log before the mount; with
 *	CHECK_WRITE, write to the mounted filesystem, which finds an error that
 *	is not visible in the recovered files
 *
 * Return: NULL, or the error.
 */
const char *check_device(struct checker *ck, const char *load, const char *variant,
			 const char *acked, int also)
{
	struct question q = { load, acked };
	const char *fs = variant_fs(variant), *bad;
	int has_fsck = !strcmp(fs, "msyncfs");

	*ck->written = 0;
	if (has_fsck && also & CHECK_BEFORE) {
		bad = in_child("fsck before the mount", child_fsck, ck, NULL);
		if (bad)
			return bad;
	}
	bad = check_mount(ck, fs);
	if (bad)
		return bad;
	bad = in_child("oracle", child_oracle, ck, &q);
	if (!bad && has_fsck && *variant != '!' && also & CHECK_WRITE)
		bad = in_child("write", child_write, ck, NULL);
	bad = check_umount(ck, bad);
	if (!bad && has_fsck)
		bad = in_child("fsck after the mount", child_fsck, ck, NULL);
	if (bad || !*ck->written)
		return bad;

	bad = check_mount(ck, fs);
	if (bad)
		return bad;
	bad = in_child("what was written", child_compare, ck, NULL);
	if (!bad)
		bad = in_child("oracle after a write", child_oracle, ck, &q);
	return check_umount(ck, bad);
}

/* Return true if the last device had room for the file of child_write(). */
int check_wrote(const struct checker *ck)
{
	return *ck->written;
}

/**
 * check_state - check if a state recovers to the content that it must have
 * @ck: checker
 * @st: state
 * @also: as for check_device()
 *
 * Return: NULL, or the error.
 */
const char *check_state(struct checker *ck, const struct state *st, int also)
{
	checker_put(ck, st);
	return check_device(ck, st->slice->load, st->slice->variant, st->acked, also);
}
