/* SPDX-License-Identifier: GPL-2.0 */
/* The files of the workload of several threads share these declarations. */
#ifndef EXPLORE_THREADS_H
#define EXPLORE_THREADS_H

enum { SETS = 3, TAILS = 2, NAMES = 2, NEWS = 1, ORDERS = 2,
	SWAPS = 2, CHURNS = 2,
	FIRST_TAIL = SETS, FIRST_NAME = FIRST_TAIL + TAILS,
	FIRST_NEW = FIRST_NAME + NAMES, FIRST_ORDER = FIRST_NEW + NEWS,
	FIRST_SWAP = FIRST_ORDER + ORDERS, FIRST_CHURN = FIRST_SWAP + SWAPS,
	THREADS = FIRST_CHURN + CHURNS };

/* number of steps of each thread that are done */
extern unsigned long long done[THREADS];

/* threads.c: return true until the workload has to end */
int on(void);
void ack_step(unsigned int thread, unsigned long long step);
void sync_dir(const char *dir);
void complain(const char *what, unsigned int nr, long long have, long long want);

/* churn.c */
void *swap_work(void *arg);
void *churn_work(void *arg);
unsigned long long swap_check(unsigned int nr, unsigned long long want);
unsigned long long churn_check(unsigned int nr, unsigned long long want);

#endif /* EXPLORE_THREADS_H */
