/* Arrays of perf events in a map: without a size, the template has one element per CPU, too. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct events {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
};

struct events low SEC(".maps"), high SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct events);
} by_key SEC(".maps") = {
	.values = { [0] = &low, [1] = &high },
};

SEC("tc")
int emit(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 value = 77;
	void *events = bpf_map_lookup_elem(&by_key, &key);

	if (!events)
		return 1;
	return -bpf_perf_event_output(skb, events, BPF_F_CURRENT_CPU, &value, sizeof(value));
}

char LICENSE[] SEC("license") = "GPL";
