// SPDX-License-Identifier: GPL-2.0
/*
 * This program stores numbered records for ever, with one msync(MS_SYNC) for
 * each record. When the msync() of record N has returned 0, the program prints
 * "ack N" on CHANNEL. After a crash, "numbered -c" prints the number of the
 * last good record.
 *
 * Usage: numbered FILE CHANNEL
 *        numbered -c FILE		prints the last good number
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#define PAGE 4096
#define SLOTS 64	/* record N lies in page N % SLOTS */

struct record {
	uint64_t number;
	uint64_t check;		/* checksum of number and text */
	char text[PAGE - 16];
};

/* Returns the FNV-1a hash of the number and the text of a record. */
static uint64_t checksum(const struct record *rec)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ rec->number;
	unsigned int i;

	for (i = 0; i < sizeof(rec->text); i++)
		h = (h ^ (unsigned char)rec->text[i]) * 0x100000001b3ULL;
	return h;
}

static struct record *map(const char *path, int flags, int prot)
{
	struct record *rec;
	int fd;

	fd = open(path, flags, 0600);
	if (fd < 0)
		err(1, "%s", path);
	if ((flags & O_CREAT) && ftruncate(fd, SLOTS * PAGE))
		err(1, "%s: setting its size", path);
	rec = mmap(NULL, SLOTS * PAGE, prot, MAP_SHARED, fd, 0);
	if (rec == MAP_FAILED)
		err(1, "%s: mmap", path);
	if (close(fd))
		err(1, "%s: close", path);
	return rec;
}

static uint64_t last_good(const struct record *rec)
{
	uint64_t last = 0;
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		/* A crash may leave only a part of the last record. */
		if (rec[i].number > last && rec[i].check == checksum(&rec[i]))
			last = rec[i].number;
	}
	return last;
}

int main(int argc, char **argv)
{
	struct record *rec, *r;
	uint64_t n;
	int ch;

	if (argc == 3 && !strcmp(argv[1], "-c")) {
		rec = map(argv[2], O_RDONLY, PROT_READ);
		printf("%llu\n", (unsigned long long)last_good(rec));
		return 0;
	}
	if (argc != 3)
		errx(2, "usage: numbered FILE CHANNEL | numbered -c FILE");

	ch = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (ch < 0)
		err(1, "%s", argv[2]);
	rec = map(argv[1], O_RDWR | O_CREAT, PROT_READ | PROT_WRITE);
	for (n = last_good(rec) + 1;; n++) {
		r = &rec[n % SLOTS];
		r->number = n;
		memset(r->text, 'a' + n % 26, sizeof(r->text));
		r->check = checksum(r);
		if (msync(r, PAGE, MS_SYNC))
			err(1, "%s: msync(MS_SYNC)", argv[1]);
		if (dprintf(ch, "ack %llu\n", (unsigned long long)n) < 0)
			err(1, "%s", argv[2]);
		/* On a serial line, wait until the bytes have left the machine. */
		if (tcdrain(ch) && errno != ENOTTY && errno != EINVAL)
			err(1, "%s: tcdrain", argv[2]);
	}
}
