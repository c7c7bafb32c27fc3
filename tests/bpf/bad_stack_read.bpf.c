/* An index that can be beyond the stack. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	volatile char text[16] = {1, 2, 3};
	__u32 index = ctx->rx_queue_index & 1023;

	return text[index]; /* here */
}
