// An object without an entry program, whose functions others are to be linked with.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

int total(__u32 index)
{
	__u64 *found = bpf_map_lookup_elem(&totals, &index);

	return found ? *found : 0;
}

char LICENSE[] SEC("license") = "GPL";
