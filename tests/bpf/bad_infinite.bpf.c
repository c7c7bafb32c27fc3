/* A loop that goes round without anything new: nothing says that it ends. */
#include "bad.h"

volatile __u32 stop;

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	while (!stop) /* here */
		;
	return XDP_PASS;
}
