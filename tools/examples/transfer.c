// SPDX-License-Identifier: GPL-2.0
/*
 * This program keeps two files consistent. Each file has the balance of an
 * account. Each transfer changes both files, and one ioctl makes both changes
 * durable together. After a crash, the sum of the balances is still the same.
 * With one msync() for each file, a crash between the two calls could lose money.
 *
 * The two mappings are neighbours, so one range of addresses covers both. With
 * msyncfs_hook.ko, msync(2) does the same as the ioctl.
 *
 * Usage: transfer FILE FILE COUNT	prints "ack N" after transfer N
 *        transfer -c FILE FILE		checks the sum and prints the last number
 */
#include <err.h>
#include <fcntl.h>
#include <linux/msyncfs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define MONEY 1000000

struct account {
	uint64_t transfers;
	int64_t balance;
};

static struct account *map(const char *path, char *at, int *fd)
{
	struct account *account;

	*fd = open(path, O_RDWR | O_CREAT, 0600);
	if (*fd < 0)
		err(1, "%s", path);
	if (ftruncate(*fd, PAGE))
		err(1, "%s: setting its size", path);
	account = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, *fd, 0);
	if (account == MAP_FAILED)
		err(1, "%s: mmap", path);
	return account;
}

int main(int argc, char **argv)
{
	int check = argc == 4 && !strcmp(argv[1], "-c"), fd;
	struct msyncfs_msync both = { .len = 2 * PAGE, .flags = MS_SYNC };
	struct account *a, *b;
	uint64_t n;
	char *at;

	if (argc != 4)
		errx(2, "usage: transfer FILE FILE COUNT | transfer -c FILE FILE");
	at = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		err(1, "mmap");
	a = map(argv[1 + check], at, &fd);
	b = map(argv[2 + check], at + PAGE, &fd);
	if (check) {
		if (a->balance + b->balance != (a->transfers ? MONEY : 0) ||
		    a->transfers != b->transfers)
			errx(1, "the files differ: %lld after %llu transfers, %lld after %llu",
			     (long long)a->balance, (unsigned long long)a->transfers,
			     (long long)b->balance, (unsigned long long)b->transfers);
		printf("%llu\n", (unsigned long long)a->transfers);
		return 0;
	}
	both.addr = (uintptr_t)at;
	if (!a->transfers)
		a->balance = MONEY;
	for (n = strtoull(argv[3], NULL, 10); n; n--) {
		a->balance -= n % 100;
		b->balance += n % 100;
		b->transfers = ++a->transfers;
		if (ioctl(fd, MSYNCFS_IOC_MSYNC, &both))
			err(1, "transfer %llu", (unsigned long long)a->transfers);
		printf("ack %llu\n", (unsigned long long)a->transfers);
		fflush(stdout);
	}
	return 0;
}
