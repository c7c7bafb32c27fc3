/* Two program arrays with the same program, one array from slot 0, XDP. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int leaf(struct xdp_md *ctx);
int other(struct xdp_md *ctx);

struct jumps {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
};

struct jumps once SEC(".maps") = { .values = { (void *)&leaf } };
struct jumps twice SEC(".maps") = { .values = { (void *)&leaf, (void *)&other, (void *)&leaf } };

int hits;

SEC("xdp")
int root(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &twice, 1);
	return XDP_ABORTED;
}

SEC("xdp")
int other(struct xdp_md *ctx)
{
	hits++;
	bpf_tail_call(ctx, &once, 0);
	return XDP_DROP;
}

SEC("xdp")
int leaf(struct xdp_md *ctx)
{
	hits++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
