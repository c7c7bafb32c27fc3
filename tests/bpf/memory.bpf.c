/* A map larger than the usual limit on locked memory. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << 20);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

__u64 runs;

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 key = 7;
	__u64 *number = bpf_map_lookup_elem(&numbers, &key);

	if (number)
		*number += 1;
	runs += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
