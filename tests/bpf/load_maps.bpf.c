/* Maps that need no more than their definition, of kinds that Linux 5.10 has. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	__u32 a;
	__u64 b;
};

typedef struct pair pair_t;

struct lpm_key {
	__u32 prefix;
	__u8 address[4];
};

#define MAP(name, kind, entries, key_type, value_type) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

MAP(hash, BPF_MAP_TYPE_HASH, 16, struct pair, pair_t);
MAP(lru, BPF_MAP_TYPE_LRU_HASH, 64, __u32, struct pair);
MAP(percpu_hash, BPF_MAP_TYPE_PERCPU_HASH, 8, __u64, __u32);
MAP(lru_percpu, BPF_MAP_TYPE_LRU_PERCPU_HASH, 64, __u64, __u32);
MAP(array, BPF_MAP_TYPE_ARRAY, 5, __u32, struct pair);
MAP(percpu_array, BPF_MAP_TYPE_PERCPU_ARRAY, 3, __u32, __u64);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 10);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm_key);
	__type(value, __u32);
} lpm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__uint(map_flags, BPF_F_NUMA_NODE | BPF_F_NO_PREALLOC);
	__uint(numa_node, 0);
	__uint(key_size, 6);
	__uint(value_size, 10);
} by_sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 10);
	__type(value, __u32);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 10);
	__uint(value_size, 12);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 8 * 10);
} traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("tc")
int use_maps(struct __sk_buff *skb)
{
	struct pair key = {1, 2}, *found;
	struct lpm_key prefix = {32, {10, 0, 0, 1}};
	__u32 zero = 0, value = skb->len;
	__u64 *count;

	found = bpf_map_lookup_elem(&hash, &key);
	if (found)
		found->b += 1;
	else
		bpf_map_update_elem(&hash, &key, &key, BPF_ANY);
	bpf_map_update_elem(&lru, &zero, &key, BPF_ANY);
	bpf_map_lookup_elem(&lpm, &prefix);
	count = bpf_map_lookup_elem(&percpu_array, &zero);
	if (count)
		*count += 1;
	bpf_map_push_elem(&queue, &value, BPF_ANY);
	bpf_ringbuf_output(&ring, &key, sizeof(key), 0);
	bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU, &key, sizeof(key));
	bpf_tail_call(skb, &jumps, 1);
	return 0;
}

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devices, 0, XDP_PASS);
}

char LICENSE[] SEC("license") = "GPL";
