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
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_SECONDS	10	/* fsck of a small image takes milliseconds */
#define CRASHED		99

static u64 seed;
static char report[64];

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:exitcode=99:quarantine_size_mb=16";
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

/* Run fsck.msyncfs on an image. Returns its exit status. */
static int fsck(const struct image *im, char *mode)
{
	struct itimerval limit = { .it_value.tv_sec = CPU_SECONDS };

	fflush(stdout);
	setitimer(ITIMER_PROF, &limit, NULL);
	return fsck_image(im, mode, report);
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

static void check(const struct image *im)
{
	static struct image copy;
	size_t len = im->blocks * BLK;
	int looked, repaired, after;

	free(copy.b);
	copy = image_new(im->blocks);
	memcpy(copy.b, im->b, len);
	looked = fsck(&copy, "-n");
	if (memcmp(copy.b, im->b, len)) {
		fail("fsck -n changes the image");
		return;
	}
	repaired = fsck(&copy, "-y");
	if (repaired == 8 && unknown())
		return;
	if (repaired > 1) {
		fail("fsck -y: exit status %d", repaired);
		return;
	}
	if (!looked != !repaired) {
		fail("fsck -n: exit status %d, fsck -y: %d", looked, repaired);
		return;
	}
	after = fsck(&copy, "-n");
	if (after)
		fail("fsck -n after fsck -y: exit status %d", after);
}

static struct image given;

static void one(u64 nr)
{
	seed = nr;
	printf("fuzz: seed %llu\n", seed);
	check(given.b ? &given : image_damaged(seed, NULL));
}

/* The program has ended while it checked image @nr. */
static void ended(u64 nr, int status)
{
	seed = nr;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
		fail("fsck does not end");
	else if (WIFSIGNALED(status))
		fail("fsck: %s", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == CRASHED)
		fail("fsck: a report of ASAN or UBSAN");
	else
		exit(2);
}

static int run_fsck(int argc, char **argv)
{
	snprintf(report, sizeof(report), "/dev/shm/fuzz-%d.out", getpid());
	if (argc == 3) {
		given = image_read(argv[2]);
		in_batches(0, 1, one, ended);
	} else {
		bases_load(argv[2]);
		in_batches(strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0), one, ended);
	}
	unlink(report);
	puts("fuzz: done");
	return 0;
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
