/* A map with map_extra, which came with bloom filters in Linux 5.16. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__type(value, __u32);
	__uint(map_extra, 3);
} bloom SEC(".maps");

/* Not on the stack: Linux 7.2 takes what bpf_map_peek_elem() is given for written only, and then
 * refuses that a bloom filter reads it.
 */
__u32 value;

SEC("tc")
int use_bloom(struct __sk_buff *skb)
{
	value = skb->len;
	bpf_map_push_elem(&bloom, &value, BPF_ANY);
	return bpf_map_peek_elem(&bloom, &value);
}

char LICENSE[] SEC("license") = "GPL";
