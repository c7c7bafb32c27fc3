/* A timer in a map's value, its callback the address of a function. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1

struct element {
	__u64 fired;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

static int on_timer(void *map, __u32 *key, struct element *element)
{
	element->fired++;
	return 0;
}

SEC("tc")
int start(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct element *element = bpf_map_lookup_elem(&elements, &zero);

	if (!element)
		return 1;
	bpf_timer_init(&element->timer, &elements, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&element->timer, on_timer);
	return bpf_timer_start(&element->timer, 1000, 0);
}

char LICENSE[] SEC("license") = "GPL";
