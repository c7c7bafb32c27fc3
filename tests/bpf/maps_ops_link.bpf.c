/* A congestion control of a link, a flavor of the struct, and one not made by default. */
#include "maps_ops.h"

int calls;

SEC("struct_ops/ssthresh")
__u32 ops_ssthresh(unsigned long long *ctx)
{
	calls++;
	return 2;
}

SEC("struct_ops/cong_avoid")
void ops_cong_avoid(unsigned long long *ctx)
{
	calls++;
}

SEC("struct_ops/undo_cwnd")
__u32 ops_undo_cwnd(unsigned long long *ctx)
{
	calls++;
	return 10;
}

SEC("struct_ops/cong_avoid")
void other_cong_avoid(unsigned long long *ctx)
{
	calls += 100;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops control = {
	.ssthresh = (void *)ops_ssthresh,
	.cong_avoid = (void *)ops_cong_avoid,
	.undo_cwnd = (void *)ops_undo_cwnd,
	.name = "bpfgen_link",
};

SEC(".struct_ops.link")
struct tcp_congestion_ops___future later = {
	.ssthresh = (void *)ops_ssthresh,
	.cong_avoid = (void *)ops_cong_avoid,
	.undo_cwnd = (void *)ops_undo_cwnd,
	.name = "bpfgen_later",
};

SEC("?.struct_ops.link")
struct tcp_congestion_ops optional = {
	.ssthresh = (void *)ops_ssthresh,
	.cong_avoid = (void *)other_cong_avoid,
	.undo_cwnd = (void *)ops_undo_cwnd,
	.name = "bpfgen_maybe",
};

char LICENSE[] SEC("license") = "GPL";
