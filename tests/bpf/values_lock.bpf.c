// SPDX-License-Identifier: GPL-2.0
/* A hash map whose values have a spin lock. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

struct guarded {
	__u32 before;
	struct bpf_spin_lock lock;
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct guarded);
} locked SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 key = 1;
	struct guarded *value = bpf_map_lookup_elem(&locked, &key);

	if (value) {
		bpf_spin_lock(&value->lock);
		value->count++;
		bpf_spin_unlock(&value->lock);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
