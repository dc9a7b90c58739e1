// SPDX-License-Identifier: GPL-2.0
/*
 * This program follows file handles (name_to_handle_at(2), open_by_handle_at(2)).
 *
 *	handles save FILE PATH...	write the handle of each PATH to FILE
 *	handles open FILE MOUNT		follow each handle of FILE; print its first line,
 *					"directory PATH" or the error
 *	handles race MOUNT		threads make and delete files, and others follow
 *					the handles and made-up handles
 */
#include "check.h"

#include <pthread.h>
#include <stdint.h>

#define LEN			128
#define ROUNDS			3000
#define NAMES			16

union handle {
	struct file_handle	h;
	char			room[sizeof(struct file_handle) + LEN];
};

static int mount_fd;
static union handle shared[NAMES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int done;

static int handle_of(const char *path, union handle *h)
{
	int id;

	h->h.handle_bytes = LEN;
	return name_to_handle_at(AT_FDCWD, path, &h->h, &id, 0);
}

static int save(int argc, char **argv)
{
	int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644), i;
	union handle h;

	CHECK(fd >= 0);
	for (i = 3; i < argc; i++) {
		memset(&h, 0, sizeof(h));
		CHECK(!handle_of(argv[i], &h));
		CHECK(write(fd, &h, sizeof(h)) == sizeof(h));
	}
	return 0;
}

/* Print what the handle leads to. */
static void show(union handle *h)
{
	int fd = open_by_handle_at(mount_fd, &h->h, O_RDONLY);
	char link[64], text[4096];
	ssize_t n;

	if (fd < 0) {
		printf("%s\n", strerrorname_np(errno));
		return;
	}
	if (S_ISDIR(fstat_of(fd).st_mode)) {
		sprintf(link, "/proc/self/fd/%d", fd);
		n = readlink(link, text, sizeof(text) - 1);
		CHECK(n > 0);
		printf("directory %.*s\n", (int)n, text);
	} else {
		n = read(fd, text, sizeof(text) - 1);
		CHECK(n >= 0);
		text[n] = 0;
		printf("%.*s\n", (int)strcspn(text, "\n"), text);
	}
	CHECK(!close(fd));
}

static int open_all(char **argv)
{
	int fd = open(argv[2], O_RDONLY);
	union handle h;

	CHECK(fd >= 0);
	mount_fd = open(argv[3], O_RDONLY | O_DIRECTORY);
	CHECK(mount_fd >= 0);
	while (read(fd, &h, sizeof(h)) == sizeof(h))
		show(&h);
	return 0;
}

/* Make and delete files, and give their handles away. */
static void *churn(void *arg)
{
	unsigned long nr = (unsigned long)arg;
	char name[32], text[32];
	int i, fd, n;

	rnd = nr + 1;
	for (i = 0; i < ROUNDS; i++) {
		union handle h = {};

		n = below(NAMES);
		sprintf(name, "t%lu.%d", nr, n);
		if (below(2)) {
			unlink(name);
			continue;
		}
		fd = open(name, O_CREAT | O_RDWR, 0644);
		CHECK(fd >= 0);
		sprintf(text, "%lu\n", (unsigned long)fstat_of(fd).st_ino);
		CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
		if (!below(20))
			CHECK(!fsync(fd));
		CHECK(!close(fd));
		CHECK(!handle_of(name, &h));
		pthread_mutex_lock(&lock);
		shared[n] = h;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

/* A handle leads to the inode whose number it has, or nowhere. */
static void *follow(void *arg)
{
	rnd = (unsigned long)arg + 100;
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		union handle h;
		uint64_t ino;
		int fd;

		pthread_mutex_lock(&lock);
		h = shared[below(NAMES)];
		pthread_mutex_unlock(&lock);
		memcpy(&ino, h.h.f_handle, sizeof(ino));
		if (below(2)) {		/* a number nearby, the same generation */
			ino += below(64) - 32;
			memcpy(h.h.f_handle, &ino, sizeof(ino));
		}
		fd = open_by_handle_at(mount_fd, &h.h, O_RDONLY);
		if (fd < 0) {
			if (errno != ESTALE && errno != ENOMEM && errno != EINVAL)
				CHECK(!"another error");
			continue;
		}
		SAME(fstat_of(fd).st_ino, ino);
		CHECK(!close(fd));
	}
	return NULL;
}

static int race(char **argv)
{
	pthread_t threads[4];
	unsigned long i;

	CHECK(!chdir(argv[2]));
	mount_fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(mount_fd >= 0);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, i < 2 ? churn : follow,
				      (void *)i));
	for (i = 0; i < 4; i++) {
		if (i == 2)
			__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
		CHECK(!pthread_join(threads[i], NULL));
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "save"))
		return save(argc, argv);
	if (argc == 4 && !strcmp(argv[1], "open"))
		return open_all(argv);
	if (argc == 3 && !strcmp(argv[1], "race"))
		return race(argv);
	fputs("usage: handles save FILE PATH... | open FILE MOUNT | race MOUNT\n", stderr);
	return 2;
}
