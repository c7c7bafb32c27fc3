/* Maps of maps that user space fills in: keys and values are structs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct tenant {
	__u32 id;
	__u32 zone;
};

struct usage {
	__u64 packets;
	__u64 bytes;
};

/* clang leaves out structs that only the definitions of inner maps use. */
struct usage unused_usage;

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, struct tenant);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__uint(max_entries, 16);
		__type(key, __u32);
		__type(value, struct usage);
	});
} by_tenant SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(max_entries, 2);
		__type(key, __u32);
		__type(value, struct usage);
	});
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} bare SEC(".maps");

SEC("tc")
int account(struct __sk_buff *skb)
{
	struct tenant tenant = {.id = 7, .zone = 1};
	__u32 port = 80;
	void *inner = bpf_map_lookup_elem(&by_tenant, &tenant);
	struct usage *usage;

	if (!inner)
		return 1;
	usage = bpf_map_lookup_elem(inner, &port);
	if (!usage)
		return 2;
	usage->packets += 1;
	usage->bytes += skb->len;
	return 0;
}

SEC("tc")
int in_bare(struct __sk_buff *skb)
{
	__u32 slot = 0;

	return !bpf_map_lookup_elem(&bare, &slot);
}

char LICENSE[] SEC("license") = "GPL";
