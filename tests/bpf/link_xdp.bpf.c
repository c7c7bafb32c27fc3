// Two XDP programs that count the test's own frames, each in its slot.
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>

#include "link_counts.h"

static __always_inline int count_frame(struct xdp_md *ctx, __u32 slot)
{
	struct ethhdr *head = (void *)(long)ctx->data;

	if ((void *)(head + 1) <= (void *)(long)ctx->data_end &&
	    head->h_proto == bpf_htons(0x88b5))
		count(slot);
	return XDP_PASS;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	return count_frame(ctx, 1);
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	return count_frame(ctx, 2);
}
