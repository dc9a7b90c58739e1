// SPDX-License-Identifier: GPL-2.0
/*
 * A producer passes ten records to the processes that map the file. The
 * producer makes each record durable before it stores the next one. msync()
 * needs the address of a page, so the program computes the start of the page
 * that holds the record.
 *
 * Usage: producer [FILE]
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct record {
	uint32_t number;	/* 0 before the record is stored; stored last */
	char text[60];
};

#define RECORDS 10

static void sync_record(struct record *rec)
{
	uintptr_t mask = sysconf(_SC_PAGESIZE) - 1;
	uintptr_t start = (uintptr_t)rec & ~mask;
	uintptr_t end = (uintptr_t)(rec + 1);

	if (msync((void *)start, end - start, MS_SYNC))
		err(1, "record %u: msync(MS_SYNC)", rec->number);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "producer.data";
	size_t size = RECORDS * sizeof(struct record);
	struct record *rec;
	unsigned int i;
	int fd;

	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		err(1, "%s", path);
	if (ftruncate(fd, size))
		err(1, "%s: setting its size", path);
	rec = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (rec == MAP_FAILED)
		err(1, "%s: mmap", path);
	if (close(fd))
		err(1, "%s: close", path);

	for (i = 0; i < RECORDS; i++) {
		if (snprintf(rec[i].text, sizeof(rec[i].text),
			     "parcel %u, %u grams", i + 1, 250 + 40 * i) < 0)
			err(1, "snprintf");
		/* A consumer that sees the number must see the text. */
		__atomic_store_n(&rec[i].number, i + 1, __ATOMIC_RELEASE);
		sync_record(&rec[i]);
	}
	printf("stored %d records, each durable before the next\n", RECORDS);
	printf("was begun; the last: \"%s\"\n", rec[RECORDS - 1].text);

	if (munmap(rec, size))
		err(1, "%s: munmap", path);
	return 0;
}
