/* A ring buffer's helper given an array. */
#include "bad.h"

ARRAY(slots, __u64);

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u64 event = 1;

	bpf_ringbuf_output(&slots, &event, sizeof(event), 0); /* here */
	return XDP_PASS;
}
