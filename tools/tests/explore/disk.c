// SPDX-License-Identifier: GPL-2.0
/*
 * This file is a disk that is being recorded. A process of this program has the
 * content of the disk in its memory, and serves the disk to the kernel's nbd
 * driver. The recording has two entries for each write and each flush: one when
 * the request arrives, and one when it is answered. The process holds some
 * answers back for a moment, so that many requests are in progress together and
 * end in another order than they began.
 */
#include "explore.h"
#include "recording.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/nbd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const char nbd_path[] = "/dev/nbd0";

#define MAX_DIRTY	(1UL << 20)	/* bytes of the recording in the page cache */
#define MAX_HELD	64
#define MAX_HOLD_NS	2000000UL

/**
 * struct held - an answer that is held back
 * @due: time at which the answer is sent, in ns
 * @id: number of the request in the recording
 * @handle: handle of the request, which goes back to the kernel
 */
struct held {
	uint64_t	due, id;
	char		handle[8];
};

/**
 * struct server - state of the process that serves the disk
 * @nbd: socket to the kernel
 * @orders: socket to the process that runs the workload
 * @record: recording
 * @dirty: bytes of the recording that may be dirty in the page cache
 * @content: content of the disk
 * @id: number of the last request in the recording
 * @ch: choices of the answers that are held back
 * @held: table of these answers
 * @nr_held: number of entries of @held in use
 */
struct server {
	int		nbd, orders;
	FILE		*record;
	size_t		dirty;
	unsigned char	*content;
	uint64_t	id;
	struct choice	ch;
	struct held	held[MAX_HELD];
	unsigned int	nr_held;
};

static int orders = -1;
static pid_t server_pid, nbd_pid;

/* ---- the process that serves the disk ---- */

/*
 * Dirty pages of the recording count for the limits of the kernel. If there were
 * many, the kernel would also write back the files of the workload, in the middle
 * of its stores.
 */
static void put_entry(struct server *s, struct entry e, const void *data, size_t len)
{
	CHECK(fwrite(&e, sizeof(e), 1, s->record) == 1);
	CHECK(!len || fwrite(data, len, 1, s->record) == 1);
	s->dirty += sizeof(e) + len;
	if (s->dirty < MAX_DIRTY)
		return;
	CHECK(!fflush(s->record) && !fdatasync(fileno(s->record)));
	s->dirty = 0;
}

static void put_string(struct server *s, uint32_t type, const char *text)
{
	char buf[SECTOR] = "";

	snprintf(buf, sizeof(buf), "%s", text);
	put_entry(s, (struct entry){ .type = type }, buf, sizeof(buf));
}

static void receive(int fd, void *buf, size_t len)
{
	ssize_t n;

	for (; len; buf = (char *)buf + n, len -= n) {
		n = read(fd, buf, len);
		CHECK(n > 0);
	}
}

static void transmit(int fd, const void *buf, size_t len)
{
	ssize_t n;

	for (; len; buf = (const char *)buf + n, len -= n) {
		n = write(fd, buf, len);
		CHECK(n > 0);
	}
}

static void answer(struct server *s, const char *handle, const void *data, size_t len)
{
	struct nbd_reply reply = { .magic = htonl(NBD_REPLY_MAGIC) };

	memcpy(reply.handle, handle, sizeof(reply.handle));
	transmit(s->nbd, &reply, sizeof(reply));
	transmit(s->nbd, data, len);
}

static void answer_change(struct server *s, uint64_t id, const char *handle)
{
	put_entry(s, (struct entry){ .type = ENTRY_DONE, .id = id }, NULL, 0);
	answer(s, handle, NULL, 0);
}

/* Answer a write or a flush, now or a moment later. */
static void answer_or_hold(struct server *s, uint64_t id, const char *handle)
{
	struct held *h = &s->held[s->nr_held];

	if (s->nr_held == MAX_HELD || choose(&s->ch, 3)) {
		answer_change(s, id, handle);
		return;
	}
	h->due = now_ns() + choose(&s->ch, MAX_HOLD_NS);
	h->id = id;
	memcpy(h->handle, handle, sizeof(h->handle));
	s->nr_held++;
}

/* Send the answers that are due. Return the time until the next one, in ns. */
static uint64_t answer_due(struct server *s)
{
	uint64_t now = now_ns(), wait = MAX_HOLD_NS;
	unsigned int i = 0;

	while (i < s->nr_held) {
		struct held h = s->held[i];

		if (h.due > now) {
			wait = h.due - now < wait ? h.due - now : wait;
			i++;
			continue;
		}
		s->held[i] = s->held[--s->nr_held];
		answer_change(s, h.id, h.handle);
	}
	return wait;
}

/* Serve a request. Return false if the kernel ends the connection. */
static int serve_request(struct server *s)
{
	struct entry e = { .id = ++s->id };
	struct nbd_request rq;
	uint64_t from;
	uint32_t len, type;

	receive(s->nbd, &rq, sizeof(rq));
	CHECK(ntohl(rq.magic) == NBD_REQUEST_MAGIC);
	type = ntohl(rq.type);
	from = be64toh(rq.from);
	len = ntohl(rq.len);
	switch (type & 0xffff) {
	case NBD_CMD_READ:
		CHECK(from + len <= FS_SECTORS * SECTOR);
		answer(s, rq.handle, s->content + from, len);
		return 1;
	case NBD_CMD_WRITE:
		CHECK(from + len <= FS_SECTORS * SECTOR);
		receive(s->nbd, s->content + from, len);
		e.type = ENTRY_WRITE;
		e.fua = !!(type & NBD_CMD_FLAG_FUA);
		e.sector = from / SECTOR;
		e.nr = len / SECTOR;
		put_entry(s, e, s->content + from, len);
		answer_or_hold(s, e.id, rq.handle);
		return 1;
	case NBD_CMD_FLUSH:
		e.type = ENTRY_FLUSH;
		put_entry(s, e, NULL, 0);
		answer_or_hold(s, e.id, rq.handle);
		return 1;
	}
	CHECK((type & 0xffff) == NBD_CMD_DISC);
	return 0;
}

/* Carry out an order of the workload. Its first letter is the type of an entry. */
static void serve_order(struct server *s)
{
	char buf[SECTOR];
	ssize_t n = read(s->orders, buf, sizeof(buf) - 1);

	CHECK(n > 0);
	buf[n] = 0;
	put_string(s, *buf, buf + 1);
	CHECK(write(s->orders, "", 1) == 1);
}

static void serve(struct server *s)
{
	struct pollfd fds[] = {
		{ .fd = s->nbd, .events = POLLIN },
		{ .fd = s->orders, .events = POLLIN },
	};

	/* The kernel may need this disk to free memory. */
	CHECK(!prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
	s->content = mmap(NULL, FS_SECTORS * SECTOR, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(s->content != MAP_FAILED && !mlock(s->content, FS_SECTORS * SECTOR));
	for (;;) {
		uint64_t wait = answer_due(s);
		struct timespec t = { .tv_nsec = wait };

		CHECK(ppoll(fds, 2, s->nr_held ? &t : NULL, NULL) >= 0);
		/*
		 * An order must not overtake a request that the kernel has sent
		 * before it.
		 */
		if (fds[0].revents) {
			if (!serve_request(s))
				break;
		} else if (fds[1].revents) {
			serve_order(s);
		}
	}
	CHECK(!s->nr_held && !fflush(s->record) && !fsync(fileno(s->record)));
	exit(0);
}

/* ---- the workload's side ---- */

static void order(char type, const char *text)
{
	char buf[SECTOR];
	int n = snprintf(buf, sizeof(buf), "%c%s", type, text);

	CHECK(n > 0 && n < (int)sizeof(buf) && orders >= 0);
	CHECK(write(orders, buf, n) == n && read(orders, buf, 1) == 1);
}

static void run_nbd(int sock, int fua)
{
	int fd = open(nbd_path, O_RDWR);

	CHECK(fd >= 0);
	CHECK(!ioctl(fd, NBD_SET_BLKSIZE, SECTOR));
	CHECK(!ioctl(fd, NBD_SET_SIZE_BLOCKS, FS_SECTORS));
	CHECK(!ioctl(fd, NBD_SET_FLAGS, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH |
		     (fua ? NBD_FLAG_SEND_FUA : 0)));
	CHECK(!ioctl(fd, NBD_SET_SOCK, sock));
	CHECK(!ioctl(fd, NBD_DO_IT));
	exit(0);
}

static void wait_ready(void)
{
	unsigned int tries;
	int fd;

	for (tries = 0; tries < 2000; tries++, usleep(10000)) {
		fd = open(nbd_path, O_RDONLY | O_EXCL);
		if (fd >= 0 && lseek(fd, 0, SEEK_END) == (off_t)(FS_SECTORS * SECTOR)) {
			CHECK(!close(fd));
			return;
		}
		if (fd >= 0)
			CHECK(!close(fd));
	}
	fprintf(stderr, "%s does not get its size\n", nbd_path);
	exit(1);
}

/**
 * disk_start - begin to record a disk whose sectors are all zeros
 * @record: recording, to which the recording of this disk is appended
 * @fua: the disk has FUA
 * @seed: seed of the choices
 *
 * A process may record only one disk at a time.
 *
 * Return: the path of the disk.
 */
const char *disk_start(FILE *record, int fua, uint64_t seed)
{
	struct server s = { .record = record, .ch = choice_of(seed) };
	int nbd[2], talk[2];

	CHECK(!fflush(record));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, nbd));
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, talk));
	fflush(stdout);
	server_pid = fork();
	CHECK(server_pid >= 0);
	if (!server_pid) {
		CHECK(!close(nbd[1]) && !close(talk[1]));
		s.nbd = nbd[0];
		s.orders = talk[0];
		serve(&s);
	}
	nbd_pid = fork();
	CHECK(nbd_pid >= 0);
	if (!nbd_pid) {
		CHECK(!close(nbd[0]) && !close(talk[0]) && !close(talk[1]));
		run_nbd(nbd[1], fua);
	}
	CHECK(!close(nbd[0]) && !close(nbd[1]) && !close(talk[0]));
	orders = talk[1];
	wait_ready();
	return nbd_path;
}

/**
 * disk_ack - record that operations are acknowledged
 * @workload: name and variant of the workload
 * @text: which operations
 *
 * When the function returns, the acknowledgment is in the recording, before
 * everything that the caller does later. A child of the process that called
 * disk_start() may call it, too; one task at a time.
 */
void disk_ack(const char *workload, const char *text)
{
	char buf[SECTOR - 1];

	snprintf(buf, sizeof(buf), "%s %s", workload, text);
	order(ENTRY_ACK, buf);
}

/**
 * disk_stop - end the recording of a disk
 *
 * The recording is marked as whole. Without this mark, nobody would notice that
 * it ends early.
 */
void disk_stop(void)
{
	int fd = open(nbd_path, O_RDONLY), status;

	CHECK(fd >= 0);
	CHECK(!fsync(fd));
	order(ENTRY_END, "");
	CHECK(!ioctl(fd, NBD_DISCONNECT));
	CHECK(!close(fd));
	CHECK(waitpid(server_pid, &status, 0) == server_pid && !status);
	CHECK(waitpid(nbd_pid, &status, 0) == nbd_pid && !status);
	CHECK(!close(orders));
	orders = -1;
}
