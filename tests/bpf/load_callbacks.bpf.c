/* Addresses of functions: callbacks of bpf_loop and bpf_for_each_map_elem. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct state {
	__u64 sum;
};

static __attribute__((noinline)) __u64 scaled(__u64 value)
{
	return value * 10;
}

static int add_index(__u32 index, struct state *state)
{
	state->sum += scaled(index);
	return 0;
}

static int stop_at_five(__u32 index, struct state *state)
{
	state->sum += 1;
	return index == 5;
}

static long add_value(void *map, __u32 *key, __u64 *value, struct state *state)
{
	state->sum += *value + *key;
	return 0;
}

SEC("tc")
int sum_loop(struct __sk_buff *skb)
{
	struct state state = {};

	bpf_loop(10, add_index, &state, 0);
	bpf_loop(10, stop_at_five, &state, 0);
	return state.sum;
}

SEC("tc")
int sum_maps(struct __sk_buff *skb)
{
	struct state state = {};
	__u32 key = 2;
	__u64 value = 40;

	bpf_map_update_elem(&table, &key, &value, BPF_ANY);
	bpf_map_update_elem(&slots, &key, &value, BPF_ANY);
	bpf_for_each_map_elem(&table, add_value, &state, 0);
	bpf_for_each_map_elem(&slots, add_value, &state, 0);
	return state.sum;
}

char LICENSE[] SEC("license") = "GPL";
