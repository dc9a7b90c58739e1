// SPDX-License-Identifier: GPL-2.0
/*
 * This is process 1 of a User-mode Linux guest. The root directory is a directory of the
 * host, see scripts/fuzz.sh. The kernel's command line has the parameters:
 *
 * BASES=1		make the base images, and nothing else
 * FROM=SEED COUNT=N	use the damaged images of these seeds, one after the other
 * IMAGE=FILE		use this image, SEED only chooses the operations
 *
 * Each image is mounted and used. Then it is made again, repaired by fsck.msyncfs, mounted
 * and used. The repaired filesystem must not report damage, and fsck.msyncfs must find
 * none afterwards. The console gets "fuzz: seed N" before each image, and
 * "fuzz: not ok N  reason" for a failure. After a failure of the kernel the guest ends.
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK	"/dev/ram0"
#define MNT	"/tmp/mnt"
#define REPORT	"/tmp/fsck"		/* what fsck has printed */
#define DISK_BLOCKS	2048ULL		/* size of the ram disk, CONFIG_BLK_DEV_RAM_SIZE */

static u64 seed;

static __noreturn void power_off(void)
{
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

void die(const char *fmt, ...)
{
	va_list ap;

	printf("fuzz: not ok %llu  ", seed);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (getpid() != 1) {
		fflush(stdout);
		_exit(1);
	}
	power_off();
}

/* ---- the kernel log ---- */

static int kmsg;

/* Messages after which the state of the kernel is not worth anything. */
static bool is_trouble(const char *line)
{
	static const char * const words[] = {
		"BUG: ", "WARNING: ", "KASAN: ", "UBSAN: ", "Oops", "INFO: task",
		"possible circular", "possible recursive", "inconsistent lock state",
		"suspicious RCU", "held lock freed", "lock held when returning",
		"bad unlock balance", "invalid wait context", "sleeping function called",
		"scheduling while atomic", "Call Trace", "Call trace", "general protection",
		"refcount_t: ", "Objects remaining in", "still has objects",
		"list_add corruption", "list_del corruption", "page allocation failure",
		"Out of memory", "Bad page state", "Busy inodes after unmount",
		"locks held by", "ODEBUG: ", "Assertion failed",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

/*
 * Read the new messages of the kernel. Return the first line of trouble, or with @damage
 * a message of msyncfs that reports damage, or NULL.
 */
static const char *read_log(bool damage)
{
	static char line[8192], found[1024];
	char *text;
	ssize_t n;

	*found = 0;
	for (;;) {
		n = read(kmsg, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		line[n] = 0;
		text = strchr(line, ';');
		text = text ? text + 1 : line;
		text[strcspn(text, "\n")] = 0;
		if (is_trouble(text) && !*found)
			snprintf(found, sizeof(found), "%.500s", text);
		/* Level 4 is a warning, 3 an error. */
		if (damage && !*found && atoi(line) % 8 <= 3 && strstr(text, "msyncfs"))
			snprintf(found, sizeof(found), "after fsck -y: %.500s", text);
	}
	return *found ? found : NULL;
}

/* ---- one image ---- */

static bool mount_image(void)
{
	return !mount(DISK, MNT, "msyncfs", 0, NULL);
}

static void unmount_image(void)
{
	if (chdir("/") || umount(MNT))
		die("unmount: %s", strerror(errno));
}

/*
 * Make a copy of an image that fsck may change. If the superblock says that the filesystem
 * is larger than the image, the copy is as large as the ram disk.
 */
static const struct image *copy_image(const struct image *im)
{
	const struct msyncfs_disk_super *super = (void *)im->b;
	static struct image copy;

	if (!copy.b)
		copy = image_new(DISK_BLOCKS);
	memcpy(copy.b, im->b, im->blocks * BLK);
	copy.blocks = im->blocks;
	if (le64_to_cpu(super->blocks) > im->blocks) {
		memset(copy.b + im->blocks * BLK, 0, (DISK_BLOCKS - im->blocks) * BLK);
		copy.blocks = DISK_BLOCKS;
	}
	return &copy;
}

static void write_disk(const struct image *im)
{
	if (image_write(im, DISK, O_DIRECT))
		die("cannot write %s: %s", DISK, strerror(errno));
}

static void read_disk(const struct image *im)
{
	int fd = open(DISK, O_RDONLY | O_DIRECT);

	if (fd < 0 || read(fd, im->b, im->blocks * BLK) != (ssize_t)(im->blocks * BLK))
		die("cannot read %s: %s", DISK, strerror(errno));
	close(fd);
}

static void print_fsck(void)
{
	char line[512];
	FILE *f = fopen(REPORT, "r");

	while (f && fgets(line, sizeof(line), f))
		printf("fsck: %s", line);
	if (f)
		fclose(f);
}

static void fail(const char *why)
{
	printf("fuzz: not ok %llu  %s\n", seed, why);
	fflush(stdout);
}

static void use_damaged(const struct image *im)
{
	const char *why;

	write_disk(im);
	if (mount_image()) {
		exercise(MNT, seed, false);
		unmount_image();
	}
	why = read_log(false);
	if (why)
		die("%s", why);
}

static bool is_obscured(const struct image *im)
{
	const struct msyncfs_disk_super *ds = (const void *)im->b;

	return le64_to_cpu(ds->incompat) & MSYNCFS_INCOMPAT_OBSCURED;
}

static void use_repaired(const struct image *im)
{
	unsigned int faults;
	const char *why;
	int status;

	im = copy_image(im);
	status = fsck_image(im, "-y", REPORT);
	/* host.c looks whether fsck is right to give up. No module mounts a dump. */
	if (status > 1 || is_obscured(im))
		return;
	write_disk(im);
	if (!mount_image()) {
		why = read_log(true);
		print_fsck();
		fail(why ? why : "after fsck -y: mount failed");
		return;
	}
	faults = exercise(MNT, seed, true);
	unmount_image();
	why = read_log(true);
	if (why && strncmp(why, "after", 5))
		die("%s", why);
	if (faults || why) {
		print_fsck();
		fail(why ? why : "after fsck -y: an operation reports damage");
		return;
	}
	read_disk(im);
	if (fsck_image(im, "-n", REPORT)) {
		print_fsck();
		fail("after fsck -y and use: fsck -n finds damage");
	}
}

static u64 number(const char *name, u64 missing)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : missing;
}

static struct image given;

static void one(u64 nr)
{
	const struct image *im;

	seed = nr;
	printf("fuzz: seed %llu\n", seed);
	fflush(stdout);
	im = given.b ? &given : image_damaged(seed, NULL);
	use_damaged(im);
	use_repaired(im);
}

/* After die() the kernel is not used any more. */
static void ended(u64 nr, int status)
{
	seed = nr;
	if (WIFEXITED(status))
		power_off();
	print_fsck();
	fail(strsignal(WTERMSIG(status)));
	/* The filesystem may still be mounted. */
	power_off();
}

static void run(void)
{
	const char *path = getenv("IMAGE");

	if (path)
		given = image_read(path);
	else
		bases_load("/bases");
	in_batches(number("FROM", 1), number("COUNT", 1), one, ended);
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die("%s: %s", path, strerror(errno));
	close(fd);
}

int main(void)
{
	int fd;

	if (mount("proc", "/proc", "proc", 0, NULL) || mount("sys", "/sys", "sysfs", 0, NULL) ||
	    mount("dev", "/dev", "devtmpfs", 0, NULL) ||
	    mount("tmp", "/tmp", "tmpfs", 0, NULL) || mkdir(MNT, 0755))
		return 1;
	fd = open("/dev/console", O_RDWR);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg < 0)
		die("/dev/kmsg: %s", strerror(errno));
	lseek(kmsg, 0, SEEK_END);
	load_module("/msyncfs.ko");
	if (getenv("BASES"))
		populate(MNT, "/bases");
	else
		run();
	printf("fuzz: done\n");
	power_off();
}
