/* A number used as an address. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u64 *address = (__u64 *)(long)ctx->ingress_ifindex;

	return *address; /* here */
}
