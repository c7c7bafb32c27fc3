/* An index that can be beyond the end of a map's value. */
#include "bad.h"

struct table {
	__u32 count[16];
};

ARRAY(tables, struct table);

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u32 zero = 0, index = ctx->rx_queue_index & 31;
	struct table *table = bpf_map_lookup_elem(&tables, &zero);

	if (!table)
		return XDP_PASS;
	table->count[index] = 1; /* here */
	return XDP_DROP;
}
