/* Several programs in one section, one not loaded by itself, a kernel version, an unusual licence. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass_all(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int drop_short(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return data + 60 > end ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int with_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("?xdp")
int optional(struct xdp_md *ctx)
{
	return XDP_ABORTED;
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
	return skb->len > 100;
}

SEC("socket")
int a_program_with_a_rather_long_name(struct __sk_buff *skb)
{
	return skb->len;
}

char kind[] SEC("license") = "Dual BSD/GPL";
__u32 _version SEC("version") = 0x060102;
