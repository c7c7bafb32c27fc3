// SPDX-License-Identifier: GPL-2.0
/* Unions, anonymous members, bitfields, and what the kernel manages. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

union value {
	__u64 number;
	char text[8];
};

struct mixed {
	__u32 before;
	union value value;
	union value values[2];
	struct {
		__u16 hidden;
	};
	union {
		__u32 v4;
		__u8 v6[16];
	};
	__u32 a : 3, b : 5;
	__u32 : 4;
	__s32 c : 20;
	__u8 after;
	__u32 anon_20;
};

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
	struct bpf_timer timer;
};

struct tail {
	__u32 length;
	__u8 data[];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, union value);
	__type(value, struct mixed);
} mixed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locked SEC(".maps");

union value current;
struct tail *last_tail;

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct locked *found = bpf_map_lookup_elem(&locked, &zero);

	if (!found)
		return XDP_PASS;
	bpf_spin_lock(&found->lock);
	found->count++;
	bpf_spin_unlock(&found->lock);
	current.number++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
