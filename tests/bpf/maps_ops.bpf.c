/* A congestion control without a link: registered by the map itself. */
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

SEC(".struct_ops")
struct tcp_congestion_ops control = {
	.ssthresh = (void *)ops_ssthresh,
	.cong_avoid = (void *)ops_cong_avoid,
	.undo_cwnd = (void *)ops_undo_cwnd,
	.name = "bpfgen_plain",
};

char LICENSE[] SEC("license") = "GPL";
