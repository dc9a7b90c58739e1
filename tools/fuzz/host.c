// SPDX-License-Identifier: GPL-2.0
/*
 * This program lets fsck.msyncfs check and repair damaged images. The whole program is
 * built with ASAN and UBSAN.
 *
 * Usage: fuzz fsck DIR SEED COUNT
 *	damages base images of DIR with COUNT seeds from SEED on, and runs fsck on each
 *   or: fuzz fsck FILE
 *	runs fsck on a copy of this image
 *   or: fuzz image DIR SEED FILE
 *	writes the image of this seed to FILE and prints what was changed
 *
 * "fuzz: seed N" is printed before each image, and "fuzz: not ok N  reason" for a failure.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_SECONDS	10	/* fsck of a small image takes milliseconds */
#define CRASHED		99

static u64 seed;
static char image[64], report[64];

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:exitcode=99";
}

const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:exitcode=99:print_stacktrace=1";
}

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("fuzz: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

__printf(1, 2)
static void fail(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	FILE *f;

	printf("fuzz: not ok %llu  ", seed);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	f = fopen(report, "r");
	while (f && fgets(line, sizeof(line), f))
		printf("fsck: %s", line);
	if (f)
		fclose(f);
}

/* Run fsck.msyncfs on the image. Returns its exit status, or -1 after a failure. */
static int fsck(char *mode)
{
	struct rlimit limit = { CPU_SECONDS, CPU_SECONDS + 1 };
	char *argv[4] = { "fsck.msyncfs", mode, image };
	int status, fd;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CPU, &limit);
		fd = open(report, O_RDWR | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		exit(fsck_main(3, argv));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork: %s", strerror(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		fail("fsck %s does not end", mode);
	else if (WIFSIGNALED(status))
		fail("fsck %s: %s", mode, strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == CRASHED)
		fail("fsck %s: a report of ASAN or UBSAN", mode);
	else
		return WEXITSTATUS(status);
	return -1;
}

/* Return true if fsck was right to give up: the device has no msyncfs that it knows. */
static bool unknown(void)
{
	char text[4096] = "";
	FILE *f = fopen(report, "r");

	if (!f || fread(text, 1, sizeof(text) - 1, f) == 0)
		return false;
	fclose(f);
	return strstr(text, ": no msyncfs: ") || strstr(text, "a newer fsck.msyncfs");
}

static bool unchanged(const struct image *im)
{
	int fd = open(image, O_RDONLY);
	size_t len = im->blocks * BLK;
	u8 *b = malloc(len);
	bool same = read(fd, b, len) == (ssize_t)len && !memcmp(b, im->b, len);

	free(b);
	close(fd);
	return same;
}

static bool check(const struct image *im)
{
	int looked, repaired, after;

	if (image_write(im, image, O_CREAT | O_TRUNC))
		die("%s: %s", image, strerror(errno));
	looked = fsck("-n");
	if (looked < 0)
		return false;
	if (!unchanged(im)) {
		fail("fsck -n changes the image");
		return false;
	}
	repaired = fsck("-y");
	if (repaired < 0 || (repaired == 8 && unknown()))
		return repaired == 8;
	if (repaired > 1) {
		fail("fsck -y: exit status %d", repaired);
		return false;
	}
	if (!looked != !repaired) {
		fail("fsck -n: exit status %d, fsck -y: %d", looked, repaired);
		return false;
	}
	after = fsck("-n");
	if (after > 0)
		fail("fsck -n after fsck -y: exit status %d", after);
	return !after;
}

static int run_fsck(int argc, char **argv)
{
	u64 count = argc == 5 ? strtoull(argv[4], NULL, 0) : 1, failed = 0;
	struct image im;

	snprintf(image, sizeof(image), "/dev/shm/fuzz-%d.img", getpid());
	snprintf(report, sizeof(report), "/dev/shm/fuzz-%d.out", getpid());
	if (argc == 3) {
		im = image_read(argv[2]);
		failed = !check(&im);
	} else {
		bases_load(argv[2]);
		for (seed = strtoull(argv[3], NULL, 0); count; count--, seed++) {
			printf("fuzz: seed %llu\n", seed);
			failed += !check(image_damaged(seed, NULL));
		}
	}
	unlink(image);
	unlink(report);
	puts("fuzz: done");
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	if ((argc == 3 || argc == 5) && !strcmp(argv[1], "fsck"))
		return run_fsck(argc, argv);
	if (argc == 5 && !strcmp(argv[1], "image")) {
		bases_load(argv[2]);
		if (image_write(image_damaged(strtoull(argv[3], NULL, 0), stdout), argv[4],
				O_CREAT | O_TRUNC))
			die("%s: %s", argv[4], strerror(errno));
		return 0;
	}
	fputs("Usage: fuzz fsck DIR SEED COUNT | fsck FILE | image DIR SEED FILE\n", stderr);
	return 2;
}
