/* A field beyond the context. */
#include "bad.h"

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	return *(volatile __u32 *)((char *)ctx + 100); /* here */
}
