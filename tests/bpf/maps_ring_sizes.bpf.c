/* Sizes that are made to fit at load, and maps that can be left out or replaced. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} unused SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1);
} least SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 3 * 4096);
} uneven SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} by_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} first_cpu SEC(".maps");

SEC("tc")
int use(struct __sk_buff *skb)
{
	__u32 key = skb->mark;
	__u64 value = skb->len;

	bpf_map_update_elem(&table, &key, &value, BPF_ANY);
	bpf_ringbuf_output(&least, &value, sizeof(value), 0);
	bpf_ringbuf_output(&uneven, &value, sizeof(value), 0);
	bpf_perf_event_output(skb, &by_cpu, BPF_F_CURRENT_CPU, &value, sizeof(value));
	bpf_perf_event_output(skb, &first_cpu, 0, &value, sizeof(value));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
