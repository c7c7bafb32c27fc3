/* What the peers share: a clock, a quiet libbpf, and rounds on demand. */
#ifndef PEER_H
#define PEER_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <bpf/libbpf.h>

static inline double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static inline void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* Measures one round for each line on stdin and answers with one number, until stdin ends. */
static inline void serve(double (*measure)(void))
{
	int c;

	while ((c = getchar()) != EOF) {
		if (c != '\n')
			continue;
		printf("%.1f\n", measure());
		fflush(stdout);
	}
}

#endif
