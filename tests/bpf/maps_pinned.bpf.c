/* A map that is pinned by its name, and one that is not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} bpfgen_pinned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} loose SEC(".maps");

volatile int kept = 7;

SEC("tc")
int note(struct __sk_buff *skb)
{
	__u32 key = skb->mark;
	__u64 value = 1;

	bpf_map_update_elem(&bpfgen_pinned, &key, &value, BPF_ANY);
	bpf_map_update_elem(&loose, &key, &value, BPF_ANY);
	return kept++;
}

char LICENSE[] SEC("license") = "GPL";
