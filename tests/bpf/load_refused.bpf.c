/* Good programs, and one that the verifier refuses: it reads a packet without looking where it ends. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

__u64 seen;

SEC("xdp")
int good(struct xdp_md *ctx)
{
	seen += 1;
	return XDP_PASS;
}

SEC("xdp")
int greedy_program_of_long_name(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *slot = bpf_map_lookup_elem(&slots, &zero);

	seen += 1;
	if (slot)
		*slot += 1;
	return *(__u8 *)(long)ctx->data;
}

SEC("?tc")
int many_states(struct __sk_buff *skb)
{
	__u64 sum = 0;

	for (int i = 0; i < 200; i++) {
		if (skb->len & i)
			sum += i;
		sum ^= skb->mark;
	}
	return sum;
}

SEC("?no_such_section")
int untyped(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
