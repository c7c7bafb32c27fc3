/* Ring buffers in a map: the template's size is rounded as any ring buffer's. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
};

struct ring low SEC(".maps"), high SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps") = {
	.values = { [0] = &low, [1] = &high },
};

SEC("tc")
int emit(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 value = 77;
	void *ring = bpf_map_lookup_elem(&rings, &key);

	return ring ? bpf_ringbuf_output(ring, &value, sizeof(value), 0) : -1;
}

char LICENSE[] SEC("license") = "GPL";
