/* An instruction that nothing leads to. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	asm volatile("goto +1; r1 = 0"); /* here */
	return XDP_PASS;
}
