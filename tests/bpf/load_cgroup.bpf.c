/* Programs whose expected attach type comes from the section's name. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} per_cgroup SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} per_socket SEC(".maps");

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	__u64 *bytes = bpf_get_local_storage(&per_cgroup, 0);

	__sync_fetch_and_add(bytes, skb->len);
	return 1;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return 1;
}

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *ctx)
{
	return 1;
}

SEC("cgroup/getsockopt")
int getsockopt(struct bpf_sockopt *ctx)
{
	return 1;
}

SEC("sockops")
int on_sockops(struct bpf_sock_ops *ops)
{
	if (ops->sk)
		bpf_sk_storage_get(&per_socket, ops->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return 1;
}

SEC("sk_lookup")
int lookup(struct bpf_sk_lookup *ctx)
{
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
