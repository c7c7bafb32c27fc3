/* SPDX-License-Identifier: GPL-2.0 */
/* What the two sources agree upon. */
#ifndef LIFECYCLE_H
#define LIFECYCLE_H

#include <linux/types.h>

/* The name of a program, as in /proc/PID/comm. */
struct name {
	char text[16];
};

struct counts {
	__u64 started;
	__u64 ended;
};

enum event {
	EVENT_STARTED,
	EVENT_ENDED,
};

#endif
