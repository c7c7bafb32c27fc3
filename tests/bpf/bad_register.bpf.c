/* A register read before anything was written to it. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	int value;

	asm volatile("%0 = r7" : "=r"(value)); /* here */
	return value;
}
