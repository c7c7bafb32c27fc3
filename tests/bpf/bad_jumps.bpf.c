/* A loop whose end the verifier cannot see, and whose every turn is another state. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u32 turns = ctx->rx_queue_index, sum = 0;

	for (__u32 i = 0; i < turns; i++) {
		sum += i;
		asm volatile("" : "+r"(i), "+r"(sum));
	}
	return sum;
}
