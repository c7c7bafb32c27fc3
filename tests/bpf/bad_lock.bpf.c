/* A lock that is still held at the end. */
#include "bad.h"

struct guarded {
	struct bpf_spin_lock lock;
	__u32 count;
};

ARRAY(slots, struct guarded);

SEC("tc")
int bad(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct guarded *slot = bpf_map_lookup_elem(&slots, &zero);

	if (!slot)
		return 0;
	bpf_spin_lock(&slot->lock);
	slot->count += 1;
	return 0;
}
