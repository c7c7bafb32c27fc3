/* A helper for socket buffers, which XDP programs do not have. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	char byte = 0;

	bpf_skb_load_bytes(ctx, 0, &byte, 1); /* here */
	return byte;
}
