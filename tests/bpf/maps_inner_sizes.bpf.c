/* Arrays of other sizes in one map: BPF_F_INNER_MAP. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sized {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__type(key, __u32);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 9);
	__uint(map_flags, BPF_F_INNER_MAP);
	__type(key, __u32);
	__type(value, __u32);
} larger SEC(".maps");

struct sized smaller SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, struct sized);
} sizes SEC(".maps") = {
	.values = { (void *)&smaller, (void *)&larger },
};

SEC("tc")
int last(struct __sk_buff *skb)
{
	__u32 slot = 1, key = 8, *value;
	void *inner = bpf_map_lookup_elem(&sizes, &slot);

	if (!inner)
		return -1;
	value = bpf_map_lookup_elem(inner, &key);
	return value ? *value + 1 : -2;
}

char LICENSE[] SEC("license") = "GPL";
