/* A map of maps whose values have locks. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct guarded {
	struct bpf_spin_lock lock;
	__u32 pad;
	__u64 count;
};

struct locked_pair {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct guarded);
};

struct locked_pair pair SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct locked_pair);
} locked SEC(".maps");

/* First in the file, so that clang comes to the whole of struct guarded before its pointers. */
SEC("tc")
int in_pair(struct __sk_buff *skb)
{
	__u32 slot = 0;

	return !bpf_map_lookup_elem(&pair, &slot);
}

SEC("tc")
int count_locked(struct __sk_buff *skb)
{
	__u32 slot = 1;
	void *inner = bpf_map_lookup_elem(&locked, &slot);
	struct guarded *guarded;

	if (!inner)
		return 1;
	guarded = bpf_map_lookup_elem(inner, &slot);
	if (!guarded)
		return 2;
	bpf_spin_lock(&guarded->lock);
	guarded->count += 1;
	bpf_spin_unlock(&guarded->lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
