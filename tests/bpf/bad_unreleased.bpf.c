/* A record reserved in a ring buffer and forgotten. */
#include "bad.h"

RING(events);

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u64 *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0); /* taken */

	if (event)
		*event = 1;
	return XDP_PASS; /* here */
}
