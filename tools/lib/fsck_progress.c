// SPDX-License-Identifier: GPL-2.0
/*
 * fsck shows here how far it is: as a line on a terminal, or as numbers for another
 * program. The passes have the numbers and the meanings that systemd-fsck and other readers
 * of the numbers of e2fsck know.
 */
#include "fsck.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SHOW_AFTER_MS	2000	/* a short run needs no line on the terminal */
#define SHOW_EVERY_MS	250

static const char * const pass_names[] = {
	"log and bitmaps", "files and directories", "lost files", "new directories",
	"link counts", "free blocks"
};

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

/*
 * Choose where to show the progress. @fd is the file descriptor of the option -C: 0 stands
 * for a line on the standard output, and -1 for no option. A reader of the numbers that ends
 * must not end the repairs. A line needs a terminal.
 */
void progress_start(struct fsck *fs, int fd)
{
	struct progress *p = &fs->progress;

	signal(SIGPIPE, SIG_IGN);
	p->numbers = fd > 0;
	if (fd > 0)
		p->fd = fd;
	else if (isatty(fileno(stdout)))
		p->fd = fileno(stdout);
	else if (isatty(fileno(stderr)))
		p->fd = fileno(stderr);
	p->next = now_ms() + (fd < 0 ? SHOW_AFTER_MS : 0);
}

/* Remove the line from the terminal, so that a message can be printed. */
void progress_hide(struct fsck *fs)
{
	struct progress *p = &fs->progress;

	if (p->width)
		dprintf(p->fd, "\r%*s\r", p->width, "");
	p->width = 0;
}

/* Write numbers, but do not wait for their reader. After an error it gets no more of them. */
static void put_numbers(struct fsck *fs, unsigned int pass, u64 done, u64 all)
{
	struct pollfd pfd = { .fd = fs->progress.fd, .events = POLLOUT };

	if (poll(&pfd, 1, 0) == 1 &&
	    dprintf(pfd.fd, "%u %llu %llu %s\n", pass, done, all, fs->dev.path) < 0)
		fs->progress.fd = 0;
}

/* Tell that @done of @all parts of the pass are done. */
void progress(struct fsck *fs, unsigned int pass, u64 done, u64 all)
{
	struct progress *p = &fs->progress;
	u64 now;

	if (!p->fd || pass < p->pass)
		return;
	now = now_ms();
	if (now < p->next)
		return;
	p->next = now + SHOW_EVERY_MS;
	if (done > all)
		done = all;
	if (p->numbers) {
		put_numbers(fs, pass, done, all);
		return;
	}
	fflush(stdout);
	progress_hide(fs);
	p->width = dprintf(p->fd, "%s: pass %u of %zu, %s: %.1f%%", fs->dev.path,
			   pass, ARRAY_SIZE(pass_names) - 1, pass_names[pass],
			   all ? 100.0 * done / all : 0);
}

/* The pass is done. Other programs are told of the end of each pass. */
void progress_end(struct fsck *fs, unsigned int pass)
{
	if (fs->progress.numbers)
		fs->progress.next = 0;
	progress(fs, pass, 1, 1);
	fs->progress.pass = pass + 1;
}
