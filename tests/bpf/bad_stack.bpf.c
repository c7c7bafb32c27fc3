/* Two functions whose frames together are beyond the stack's 512 bytes. */
#include "bad.h"

static __attribute__((noinline)) int deep(struct xdp_md *ctx)
{
	volatile char text[400] = {};

	return text[ctx->rx_queue_index & 255];
}

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	volatile char text[400] = {};

	return deep(ctx) + text[ctx->rx_queue_index & 255];
}
