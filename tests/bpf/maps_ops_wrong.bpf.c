/* A function member that is given a program of another type. */
#include "maps_ops.h"

SEC("tc")
int classifier(struct __sk_buff *skb)
{
	return 0;
}

SEC(".struct_ops")
struct tcp_congestion_ops control = {
	.ssthresh = (void *)classifier,
	.name = "bpfgen_wrong",
};

char LICENSE[] SEC("license") = "GPL";
