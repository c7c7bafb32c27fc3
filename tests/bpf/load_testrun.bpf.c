/* Programs for test runs: packets, contexts, arguments. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u64 factor = 1;
__u64 runs;
__u64 total;

SEC("xdp")
int grow(struct xdp_md *ctx)
{
	__u8 *data, *end;

	runs += 1;
	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + 4 > end)
		return XDP_ABORTED;
	data[0] = 0xde;
	data[1] = 0xad;
	data[2] = 0xbe;
	data[3] = 0xef;
	return XDP_PASS;
}

SEC("tc")
int marking(struct __sk_buff *skb)
{
	runs += 1;
	skb->mark = skb->mark * factor + 1;
	skb->cb[0] = skb->len;
	return 7;
}

SEC("raw_tp/sys_enter")
int arguments(struct bpf_raw_tracepoint_args *ctx)
{
	total = ctx->args[0] + ctx->args[1];
	return 0;
}

struct job {
	__u64 input;
	__u64 output;
};

SEC("syscall")
int work(struct job *job)
{
	job->output = job->input * factor;
	return 3;
}

char LICENSE[] SEC("license") = "GPL";
