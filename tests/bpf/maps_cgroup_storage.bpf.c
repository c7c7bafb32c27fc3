/* Storage that an attachment to a cgroup makes, in all its forms. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 packets;
	__u32 limit;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct traffic);
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, __u64);
} each_cpu SEC(".maps");

SEC("cgroup_skb/egress")
int count(struct __sk_buff *skb)
{
	struct traffic *traffic = bpf_get_local_storage(&own, 0);
	__u64 *packets = bpf_get_local_storage(&each_cpu, 0);

	traffic->packets += 1;
	*packets += 1;
	return traffic->packets <= traffic->limit;
}

char LICENSE[] SEC("license") = "GPL";
