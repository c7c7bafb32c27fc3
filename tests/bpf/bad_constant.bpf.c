/* A constant written to. */
#include "bad.h"

const volatile int limit = 3;

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	*(volatile int *)&limit = 4; /* here */
	return XDP_PASS;
}
