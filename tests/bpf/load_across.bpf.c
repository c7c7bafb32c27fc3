/* Functions of .text with addresses, calls and data of their own, used from several sections. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

const volatile __u32 step = 3;

static int visit(__u32 index, void *unused)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&counts, &zero);

	if (count)
		*count += step;
	return 0;
}

static __noinline int repeat(__u32 turns)
{
	return bpf_loop(turns, visit, 0, 0);
}

__noinline int twice(__u32 turns)
{
	return repeat(turns) + repeat(turns + 1);
}

SEC("tc")
int from_tc(struct __sk_buff *skb)
{
	return twice(skb->len & 7);
}

SEC("xdp")
int from_xdp(struct xdp_md *ctx)
{
	return repeat(ctx->rx_queue_index & 7) ? XDP_DROP : XDP_PASS;
}

SEC("cgroup_skb/egress")
int from_cgroup(struct __sk_buff *skb)
{
	return twice(2) != 5 ? 1 : 0;
}

char LICENSE[] SEC("license") = "GPL";
