/* Maps of maps: declared inner maps, initial values, an inner map declared after its holder. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct counter {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
};

struct counter first SEC(".maps");
struct counter second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct counter);
} by_index SEC(".maps") = {
	.values = { [0] = &first, [3] = &second },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__uint(max_entries, 16);
		__type(key, __u32);
		__type(value, __u32);
	});
} by_key SEC(".maps");

SEC("tc")
int count(struct __sk_buff *skb)
{
	__u32 slot = 3, key = 1;
	void *inner = bpf_map_lookup_elem(&by_index, &slot);
	__u64 *value;

	if (!inner)
		return -1;
	value = bpf_map_lookup_elem(inner, &key);
	if (!value)
		return -2;
	*value += 5;
	return *value;
}

char LICENSE[] SEC("license") = "GPL";
