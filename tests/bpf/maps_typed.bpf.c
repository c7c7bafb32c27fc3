/* Maps whose types say more than the kernel takes: libbpf leaves their BTF ids out. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAP(name, kind, key_type, value_type) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, 4); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

MAP(events, BPF_MAP_TYPE_PERF_EVENT_ARRAY, __u32, __u32);
MAP(groups, BPF_MAP_TYPE_CGROUP_ARRAY, __u32, __u32);
MAP(devices, BPF_MAP_TYPE_DEVMAP, __u32, __u32);
MAP(devices_hash, BPF_MAP_TYPE_DEVMAP_HASH, __u32, struct bpf_devmap_val);
MAP(cpus, BPF_MAP_TYPE_CPUMAP, __u32, __u32);
MAP(sockets, BPF_MAP_TYPE_SOCKMAP, __u32, __u64);
MAP(sockets_hash, BPF_MAP_TYPE_SOCKHASH, __u64, __u32);
MAP(programs, BPF_MAP_TYPE_PROG_ARRAY, __u32, __u32);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u64);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 8 * 16);
} stacks SEC(".maps");

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
