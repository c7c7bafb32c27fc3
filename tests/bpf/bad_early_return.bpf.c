/* A record reserved in a ring buffer and forgotten on one of two ways. */
#include "bad.h"

RING(events);

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u64 *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0); /* taken */

	if (!event)
		return XDP_PASS;
	*event = ctx->rx_queue_index;
	if (*event == 7)
		return XDP_DROP;
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS; /* here */
}
