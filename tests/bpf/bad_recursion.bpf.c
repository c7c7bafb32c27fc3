/* A function that calls itself: to the kernel an edge back, or too many frames. */
#include "bad.h"

static __attribute__((noinline)) int depth(volatile int *left)
{
	*left -= 1;
	if (*left == 0)
		return 1;
	return depth(left) * 3 + *left; /* here */
}

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	volatile int left = ctx->rx_queue_index;

	return depth(&left);
}
