/* A packet read without looking where it ends. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data;

	return data[12] == 8; /* here */
}
